"""The pipeline's tables and schemas agree with each other, and each can be read by who must follow it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlresearch import data_rules, options, schema
from mlresearch.pipeline import commands, steps
from mlresearch.pipeline.profiles import DOCUMENTED, PROFILES
from mlresearch.pipeline.rules import RULES
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.task import State, Task
from mlresearch.pipeline.taxonomy import CATEGORIES
from mlresearch.surface import SURFACE

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


def test_the_documentation_of_a_method_is_looked_for_in_the_library_that_trains_it() -> None:
    assert set(DOCUMENTED) == {method for profile in PROFILES.values() for method in profile.methods}
    for method, rule in data_rules.METHODS.items():
        trained_by = "trl" if method == "pretraining" else rule.trainer.partition(".")[0]
        words = DOCUMENTED[method].split()
        if trained_by == "sentence_transformers":
            assert ("sentence-transformers" in words, "--library" in words) == (True, False)
        else:
            assert words[-2:] == ["--library", trained_by], method
    for asked in DOCUMENTED.values():
        assert options.parse(SURFACE["hf_docs.py"]["search"], asked.split()).many("query")


@pytest.mark.parametrize(
    ("method", "asked"),
    [("dpo", "search dpo trainer --library trl"), ("classification", "text classification trainer --library transf")],
)
def test_a_page_names_the_documentation_of_the_task_s_own_method(method: str, asked: str) -> None:
    task = Task("t", "/", "", None, None, None, None, "local", 0, 0)
    plan = {"baseline": {"model": None, "dataset": None, "method": method}, "taskType": "other"}
    state = State(task, {"plan": plan}, {}, {}, {}, {}, None, ())
    for step in ("research.examples", "implement", "code_review"):
        (line,) = (one for one in commands.lookups(state, step) if "hf_docs.py search" in one.command)
        assert asked in line.command
        assert "hf_docs.py list" in line.why, "where it fits nowhere, the others have names too"


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
