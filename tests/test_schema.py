"""Schemas: every fault at once, in the value's own terms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlresearch import schema
from mlresearch.errors import UsageError

NAMES = sorted(path.name.removesuffix(".schema.json") for path in schema.FOLDER.glob("*.schema.json"))
PLAN: dict[str, Any] = {
    "hypothesis": "a larger rate converges sooner",
    "change": {"rate": 0.1},
    "anchor": {"file": "runs/jobs/j0001/log.txt", "quote": "loss 0.5", "reason": "the loss still falls"},
    "deliverables": [
        {
            "script": "work/plot.py",
            "output": "work/curve.csv",
            "question": "does the loss fall faster?",
            "expected_if_helped": "a steeper curve",
            "expected_if_not": "the same curve",
        }
    ],
}


def test_there_are_schemas_to_check() -> None:
    assert {"plan", "program"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_valid_and_names_itself(name: str) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema.load(name))
    assert schema.load(name)["$id"] == f"{name}.schema.json"


def test_an_unknown_schema_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UsageError) as caught:
        schema.load("nothing")
    assert "plan" in caught.value.allowed


def test_a_valid_plan_has_no_fault() -> None:
    assert schema.faults("plan", PLAN) == []


def changed(path: str, value: object) -> dict[str, Any]:
    """The plan with one place changed; a value of Ellipsis removes it."""
    plan: Any = json.loads(json.dumps(PLAN))
    *way, last = path.split(".")
    place = plan
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return dict(plan)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": (changed("hypothesis", ...), "'hypothesis' is a required property"),
    "unknown": (changed("extra", 1), "'extra' was unexpected"),
    "type": (changed("hypothesis", 5), "hypothesis: 5 is not of type 'string' (one sentence"),
    "too short": (changed("hypothesis", "x"), "hypothesis: 'x' is too short"),
    "too long": (changed("hypothesis", "x" * 5000), "is too long"),
    "two levers": (changed("change", {"a": 1, "b": 2}), "change: "),
    "a list as value": (changed("change.rate", [1]), "change.rate: [1] is not of type"),
    "inside a list": (changed("deliverables.0.question", 1), "deliverables.0.question: 1 is not of type 'string'"),
    "no deliverable": (changed("deliverables", []), "deliverables: [] should be non-empty"),
    "an output elsewhere": (
        changed("deliverables.0.output", "runs/x"),
        "deliverables.0.output: 'runs/x' does not match",
    ),
    "an output above": (changed("deliverables.0.output", "work/../x"), "does not match"),
}


@pytest.mark.parametrize(("plan", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_place(plan: dict[str, Any], told: str) -> None:
    (fault,) = schema.faults("plan", plan)
    assert told in fault
    assert len(fault) < 500


@pytest.mark.parametrize("value", [None, [], 5, "text", True])
def test_a_value_that_is_no_object_is_a_fault(value: object) -> None:
    assert schema.faults("plan", value)


def test_all_faults_are_told_at_once() -> None:
    plan = {**changed("hypothesis", 5), "anchor": {}, "extra": 1}
    assert len(schema.faults("plan", plan)) == 5


def test_a_count_is_no_float() -> None:
    faults = schema.faults("program", {"Keep or discard": {"baseline_seeds": 3.0}})
    assert "Keep or discard.baseline_seeds: 3.0 is not of type 'integer'" in faults


def test_of_several_forms_the_one_that_fits_is_told() -> None:
    faults = schema.faults("program", {"Goal": {"final": {"script": "a.py"}}})
    assert "Goal.final: 'args' is a required property" in faults
    faults = schema.faults("program", {"Goal": {"final": 5}})
    assert any(fault.startswith("Goal.final: 5 is not valid") for fault in faults)
