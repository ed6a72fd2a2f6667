"""The templates and the table of data rules agree, both ways; what templates repeat, they repeat to the letter."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import template_env
from mlresearch.data_rules import METHODS
from templates.lab import TEMPLATES

METHOD_OF = {
    "sft": "sft",
    "dpo": "dpo",
    "grpo": "grpo",
    "reward": "reward",
    "classifier": "classification",
    "embedding": "embedding",
    "vision": "vision",
}
# Forms and methods that no template trains. A row here says what is missing, and goes when it is there.
NO_TEMPLATE_FOR = {
    ("classification", "pair"),
    ("vision", "detection"),
    ("vision", "captioning"),
}
METHODS_WITHOUT = {"kto", "pretraining"}  # pretraining: the text form of train_sft.py with --lora-rank 0
BLOCK = re.compile(r"^# --- discipline: .*?^# --- end of the discipline block -*$", re.MULTILINE | re.DOTALL)


def constant(path: Path, name: str) -> Any:
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return ast.literal_eval(getattr(node, "value"))  # noqa: B009
    raise AssertionError(f"{path.name} has no {name}")


def ruled(method: str) -> set[tuple[str, ...]]:
    forms = [form for form in METHODS[method].forms if (method, form.name) not in NO_TEMPLATE_FOR]
    return {tuple(column.name for column in form.required) for form in forms}


@pytest.mark.parametrize("name", METHOD_OF)
def test_a_training_template_reads_the_columns_of_the_rules_and_no_others(name: str) -> None:
    told = constant(TEMPLATES / f"train_{name}.py", "COLUMNS")
    assert set(told) == ruled(METHOD_OF[name])
    # the first form that fits is taken: none may stand behind one that it contains
    assert not any(set(early) <= set(late) for at, late in enumerate(told) for early in told[:at])


def test_every_method_of_the_rules_has_a_template_or_is_known_to_have_none() -> None:
    assert set(METHODS) == set(METHOD_OF.values()) | METHODS_WITHOUT
    assert all(any(form.name == name for form in METHODS[method].forms) for method, name in NO_TEMPLATE_FOR)
    assert {path.stem.removeprefix("train_") for path in TEMPLATES.glob("train_*.py")} == {*METHOD_OF, "tabular"}


def test_a_built_data_set_has_the_columns_that_the_training_template_reads() -> None:
    built = constant(TEMPLATES / "build_dataset.py", "METHODS")
    assert built == {method: constant(TEMPLATES / f"train_{name}.py", "COLUMNS") for name, method in METHOD_OF.items()}


@pytest.mark.parametrize(("pattern", "count"), [("train_*.py", 7), ("eval_*.py", 3)])
def test_the_discipline_block_is_the_same_in_every_template(pattern: str, count: int) -> None:
    paths = [path for path in TEMPLATES.glob(pattern) if path.name != "train_tabular.py"]
    blocks = {BLOCK.findall(path.read_text())[0] for path in paths}
    assert len(paths) == count
    assert len(blocks) == 1


@pytest.mark.parametrize("name", ["tiny"])
def test_language_models_for_a_smoke_run_are_made_the_same_way(name: str) -> None:
    made = set()
    for template in ("sft", "dpo", "reward", "grpo"):
        tree = ast.parse((TEMPLATES / f"train_{template}.py").read_text())
        (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
        made.add(ast.unparse(function))
    assert len(made) == 1


def test_headers_pin_the_versions_that_the_tests_ran_with() -> None:
    locked = dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", template_env.LOCK.read_text()))
    locked = {name.replace("_", "-"): version for name, version in locked.items()} | {"torch": template_env.TORCH}
    templates = [path for path in TEMPLATES.glob("*.py") if "tabular" not in path.name]
    assert len(templates) == 11
    for path in templates:
        pins = re.findall(r'^#\s+"([\w.-]+)==([\w.]+)",$', path.read_text().split("# ///", 2)[1], re.MULTILINE)
        assert pins, path.name
        assert {name.replace("_", "-"): version for name, version in pins}.items() <= locked.items(), path.name
