"""The pipeline's tables and schemas agree with each other, and each can be read by who must follow it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlresearch import data_rules, schema
from mlresearch.pipeline import steps
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.rules import RULES
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.taxonomy import CATEGORIES

SCHEMAS = sorted(path.name.removesuffix(".schema.json") for path in (schema.FOLDER / "pipeline").glob("*.json"))
TEMPLATES = Path(__file__).parents[2] / "skills" / "ml-research-task" / "templates"

# of the user's own description of the workflow: what the orchestrator branches on
BRANCHED_ON = {
    "plan": {"isTrivial", "taskType", "baseline"},
    "finder": {"findings", "sources", "fidelity"},
    "research": {"recipe", "codePatterns", "citationGraphFidelity"},
    "critic": {"ok", "mustReblock", "issues"},
    "resource": {"verified", "needsUserDecision"},
    "data_audit": {"formatCompatible", "requiredFields", "mappingNeeded"},
    "implementation": {"trainScriptContent", "persistenceDest", "timeoutHours", "monitoringWired", "smokeKnobs"},
    "smoke": {"status", "usedProxyModel"},
    "job": {"status", "healthy", "alerts", "lastAlertTimestamp"},
    "failure": {"category", "configChanges", "scopeChange", "oomLadderRung", "unrecoverable"},
    "checklist": {"allSatisfied", "missing"},
    "evaluation": {"evaluated", "confirmedWorks", "modelUrl"},
    "completion": {"conforms", "missing", "artifacts"},
}


def nodes(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every named property below a schema, with its place."""
    for name, inner in value.get("properties", {}).items():
        yield f"{place}.{name}", inner
        yield from nodes(inner, f"{place}.{name}")
    if isinstance(value.get("items"), dict):
        yield from nodes(value["items"], f"{place}[]")


def test_there_are_thirteen_schemas_and_every_one_is_used() -> None:
    assert set(SCHEMAS) == set(BRANCHED_ON)
    assert {step.schema for step in steps.STEPS} | {"failure"} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_strict_and_every_description_says_what_to_write(name: str) -> None:
    loaded = schema.load(f"pipeline/{name}")
    Draft202012Validator.check_schema(loaded)
    assert loaded["additionalProperties"] is False
    assert BRANCHED_ON[name] <= set(loaded["required"])
    found = list(nodes(loaded))
    assert found
    for place, inner in found:
        assert len(inner.get("description", "").split()) >= 2, f"{name}{place} says nothing to its reader"


def test_thirteen_phases_are_walked_in_order_and_read_only_what_came_before() -> None:
    phases = [step.phase for step in steps.STEPS]
    assert phases == sorted(phases)
    assert set(phases) == set(range(13))
    for place, step in enumerate(steps.STEPS):
        earlier = {one.name for one in steps.STEPS[:place]}
        assert set(step.reads) <= earlier, step.name
        assert set(step.rules) <= set(RULES), step.name
        assert step.blocks is None or (step.blocks in earlier and step.blocked in STOPS)


def test_four_steps_are_critics() -> None:
    critics = [step.name for step in steps.STEPS if step.agent == "critic"]
    assert critics == ["verify_research", "format_critic", "code_review", "final_verification"]


def test_a_profile_names_methods_that_have_data_rules() -> None:
    free = {"eval", "data", "other"}
    named = {method for profile in PROFILES.values() for method in profile.methods} - free
    assert named == set(data_rules.METHODS)


def test_every_stop_tells_a_person_what_happened_and_what_to_do() -> None:
    for reason, stop in STOPS.items():
        assert stop.reason == reason
        assert len(stop.told.split()) >= 4
        assert stop.next_step
    assert {category.stops for category in CATEGORIES if category.stops} <= set(STOPS)


def test_schema_files_are_read_by_people_too() -> None:
    for name in SCHEMAS:
        text = (schema.FOLDER / "pipeline" / f"{name}.schema.json").read_text()
        assert json.loads(text)["title"].startswith(("Step", "A diagnosis", "The end"))
