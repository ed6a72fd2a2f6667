"""What a placeholder may stand for on the chosen backend is refused or told before any money is spent."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.toy_project import REPO, blocks
from mlresearch import placeholders, program
from mlresearch.errors import ProgramError

TEMPLATE = (REPO / "program.template.md").read_text()
RENTED: dict[str, Any] = {"backend": "hf", "flavor": "l40sx1", "timeout": "10m", "memory": None}
TO = ["--to", "{repo}"]


def faults(
    args: list[str], final: list[str] | None, run: dict[str, Any] | None = None, limits: dict[str, Any] | None = None
) -> str:
    scoring = {"script": "evaluate.py", "args": final, "metric_pattern": "^x: (.*)$"}
    changes = {
        "Goal": {"final": None if final is None else scoring},
        "Run": {**RENTED, "args": args, **(run or {})},
        "Budget envelope": {
            "backends": ["hf", "local"], "allowed_flavors": ["l40sx1", "cpu"], "max_usd": 5, "max_timeout": "1h",
            "output_repos": ["ada/toy-*"], **(limits or {}),
        },
    }  # fmt: skip
    try:
        program.parse(program.written(TEMPLATE, blocks(changes)))
    except ProgramError as error:
        return str(error)
    return ""


LOCAL = {"backend": "local", "flavor": "cpu", "memory": "2g"}
REFUSED = {
    "a folder of this machine": (["{root}/data"], None, {}, {}, "Run.args: {root} is a folder of this machine"),
    "sealed data in the search": (["{sealed}/x"], None, {}, {}, "Run.args: {sealed} stands for what only Goal.final"),
    "a training job's folder in the search": (["{run}/x"], None, LOCAL, {}, "Run.args: {run} stands for what only"),
    "a folder that is gone": (TO, ["{run}/model"], {}, {}, "Goal.final.args: {run} is gone"),
    "a model that nobody names": (TO, ["{sealed}/x"], {}, {}, "Goal.final.args: nothing names the trained model"),
    "a model that nobody writes": ([], ["{repo}"], {}, {}, "no run writes it ({repo} here too)"),
    "one repository for all": (TO, None, {}, {"output_repos": ["ada/toy"]}, "owner/name-* with one *"),
    "two stars": (TO, None, {}, {"output_repos": ["ada/*-*"]}, "owner/name-* with one *"),
    "a name too long": (TO, None, {}, {"output_repos": [f"ada/{'x' * 70}-*"]}, "at most 68 characters"),
    "sealed data and no backend here": (TO, ["{repo}", "{sealed}/x"], {}, {"backends": ["hf"]}, "(local among them)"),
    "no flavor here": (TO, ["{repo}", "{root}/x"], {}, {"allowed_flavors": ["l40sx1"]}, "(cpu among them)"),
    "a repository for a job that is offline": (TO, None, LOCAL, {}, "{repo} needs backend hf"),
    "memory that a flavor brings": ([], None, {"memory": "2g"}, {}, "Run.memory: on backend hf"),
    "a timeout that a start takes": ([], None, {"timeout": "5m"}, {}, "Run.timeout: '5m' would end before"),
}
ALLOWED = {
    "names of the Hub": (["--data", "trl-lib/Capybara"], None, {}, {}),
    "what lies in the job": (["{out}/log", "{src}/config.json"], None, {}, {"output_repos": []}),
    "sealed data here": (TO, ["--model", "{repo}", "{sealed}/data/test.txt"], {}, {}),
    "a scoring elsewhere": (TO, ["--model", "{repo}"], {}, {"backends": ["hf"], "allowed_flavors": ["l40sx1"]}),
    "all on this machine": (["{root}/data", "{out}"], ["{run}/m", "{sealed}/x", "{root}"], LOCAL, {}),
    "braces that are nobody's": (['{"lr": 1}', "{batch}"], None, {}, {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_work_on_the_backend_is_refused_with_the_allowed_form(case: str) -> None:
    *given, told = REFUSED[case]
    assert told in faults(*given)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", ALLOWED)
def test_what_works_is_in_order(case: str) -> None:
    assert faults(*ALLOWED[case]) == ""  # type: ignore[arg-type]


def test_every_run_has_a_repository_of_its_own() -> None:
    found = [placeholders.repo(["ada/fixed", "ada/toy-*-x"], "c0ffee00", "e0001", seed) for seed in (1, 2)]
    assert found == ["ada/toy-c0ffee00-e0001-1-x", "ada/toy-c0ffee00-e0001-2-x"]
    assert placeholders.repo(["ada/fixed"], "c0ffee00", "e0001", 1) is None
