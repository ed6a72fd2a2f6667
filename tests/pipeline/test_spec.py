"""Each rule of the spec names what enforces it, and what it names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from mlresearch import schema
from mlresearch.pipeline.gates import GATES
from mlresearch.pipeline.rules import RULES

REPO = Path(__file__).parents[2]
SPEC = (REPO / "skills" / "ml-research-task" / "references" / "spec.md").read_text()
NAMED = re.findall(r"`(code|gate|schema|skill) ([^`]+)`", SPEC)


def exists(kind: str, name: str) -> bool:
    if kind == "code":
        module, _, function = name.rpartition(".")
        return callable(getattr(importlib.import_module(module), function, None))
    if kind == "gate":
        return name in GATES
    if kind == "schema":
        file, _, field = name.partition(".")
        return field in schema.load(f"pipeline/{file}")["required"]
    place, _, words = name.partition(" ")
    path = REPO / "agents" / f"{place}.md"
    path = path if path.exists() else REPO / "skills" / place / "SKILL.md"
    return words.strip('"') in " ".join(path.read_text().split())


def rules() -> dict[str, str]:
    """Each rule's text up to the next one."""
    parts = re.split(r"^\*\*(R\d+)\.", SPEC.split("## Phases")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("kind", "name"), sorted(set(NAMED)))
def test_what_enforces_a_rule_exists(kind: str, name: str) -> None:
    assert exists(kind, name), f"{kind} {name}"


def test_a_name_that_does_not_exist_is_found_out() -> None:
    for kind, name in (
        ("code", "mlresearch.invariant.nothing"),
        ("gate", "no_step"),
        ("schema", "plan.nothing"),
        ("skill", "critic 'no such words at all'"),
    ):
        assert not exists(kind, name)


def test_every_rule_is_in_the_spec_and_names_its_enforcement() -> None:
    found = rules()
    assert set(found) == set(RULES)
    for name, text in found.items():
        assert "Enforced by: `" in text, name


def test_a_brief_says_of_each_rule_what_the_spec_says() -> None:
    """The two wordings differ; their long words mostly do not."""
    for name, text in rules().items():
        one, other = (set(re.findall(r"[a-z]{6,}", each.lower())) for each in (RULES[name], text.split("Enforced")[0]))
        assert len(one & other) >= 2, name
