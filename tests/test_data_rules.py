"""The table of columns per method is whole, consistent, and the one that the command offers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mlresearch import data_rules
from mlresearch.data_rules import KINDS, METHODS, Column
from mlresearch.surface import SURFACE

TEMPLATES = Path(data_rules.__file__).parents[2] / "skills/ml-research-task/templates"
TRAINED = {"classification": "classifier"} | {
    name: name for name in ("sft", "dpo", "grpo", "reward", "embedding", "vision")
}
FORMS = [(method, form) for method, rule in METHODS.items() for form in rule.forms]


def columns() -> list[Column]:
    return [column for _, form in FORMS for column in (*form.required, *form.optional)]


def test_the_command_offers_exactly_the_methods_of_the_table() -> None:
    offered = next(each for each in SURFACE["inspect_dataset.py"]["show"].options if each.flag == "--method")
    assert list(offered.choices) == list(METHODS)


def test_every_method_has_a_form_with_a_required_column_and_a_trainer() -> None:
    for method, rule in METHODS.items():
        assert rule.trainer and rule.forms, method
    assert all(form.required for _, form in FORMS)


def test_a_form_names_each_column_once() -> None:
    for method, form in FORMS:
        names = [column.name for column in (*form.required, *form.optional)]
        assert len(names) == len(set(names)), (method, form.name)


def test_a_column_asks_for_known_kinds_and_is_not_its_own_other_name() -> None:
    for column in columns():
        assert column.kinds and set(column.kinds) <= set(KINDS)
        assert column.name not in column.known_as
        assert column.ends in ("", "user", "assistant")


def test_no_form_of_a_method_is_hidden_by_an_equal_one() -> None:
    for method, rule in METHODS.items():
        required = [frozenset(column.name for column in form.required) for form in rule.forms]
        assert len(required) == len(set(required)), method


@pytest.mark.parametrize("method", TRAINED)
def test_a_template_reads_forms_of_its_method_and_no_others(method: str) -> None:
    tree = ast.parse((TEMPLATES / f"train_{TRAINED[method]}.py").read_text())
    assigned = {getattr(node.targets[0], "id", ""): node.value for node in tree.body if isinstance(node, ast.Assign)}
    choices = ast.literal_eval(assigned["COLUMNS"])
    forms = {tuple(column.name for column in form.required) for form in METHODS[method].forms}
    assert choices and set(choices) <= forms
