"""What a task says at its end: what was approved and spent, what ran, what stayed open, whether anything was gained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_play import Play
from fakes.pipeline_world import DATASET
from mlresearch import program, seal
from mlresearch.campaign import approval
from mlresearch.pipeline import bills, closing, comparing, job_plans, reporting, upkeep

At = Callable[[str], Play]
BASELINE: dict[str, Any] = {"baselineValue": 0.8, "baselineStderr": 0.032}
USUAL: dict[str, Any] = {"metric": "accuracy", "value": 0.9, "n": 200, "stderr": 0.024, **BASELINE}
ENDED = {"reason": "completed", "message": "done", "next": "read it", "missing": []}
COMPARED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "maximize", "Better than the baseline by 0.1, 2.5 standard errors of the difference"),
    ({}, "minimize", "Not better than the baseline: worse by 0.1"),
    ({"value": 0.7}, "maximize", "Not better than the baseline: worse by 0.1"),
    ({"value": 0.7}, "minimize", "Better than the baseline by 0.1, 2.5 standard errors of the difference"),
    ({"value": 0.8}, "maximize", "Not better than the baseline: the same value"),
    ({"value": 0.81}, "maximize", "No evidence of a gain: the difference of 0.01 is within one standard error of it"),
    (
        {"value": 0.86},
        "maximize",
        "which is 1.5 standard errors of the difference; fewer than 2 may well be chance",
    ),
    ({"stderr": None}, "maximize", "without the standard errors of both nobody can say that it is not chance"),
    ({"baselineStderr": None}, "maximize", "without the standard errors of both nobody can say that it is not chance"),
    ({"stderr": 0, "baselineStderr": 0}, "maximize", "Better than the baseline by 0.1"),
    (
        {"difference": {"value": 0.1, "stderr": 0.01}},
        "maximize",
        "by 0.1, 10 standard errors of the difference (0.1 row by row, standard error 0.01)",
    ),
    ({"difference": {"value": 0.1, "stderr": 0.2}}, "maximize", "is within one standard error of it"),
    ({"difference": {"value": 0.1, "stderr": None}}, "maximize", "by 0.1, 2.5 standard errors of the difference"),
    ({"baselineValue": None}, "maximize", "No baseline was measured"),
    ({"value": None}, "maximize", ""),
]


@pytest.mark.parametrize(("changes", "direction", "told"), COMPARED)
def test_a_result_is_called_better_only_in_its_direction_and_beyond_its_error(
    changes: Mapping[str, Any], direction: str, told: str
) -> None:
    said = comparing.verdict({**USUAL, **changes}, direction)
    assert told in said
    assert bool(told) == bool(said)


def test_a_line_of_the_result_names_what_the_baseline_is() -> None:
    assert (
        comparing.measured(USUAL)
        == "accuracy: **0.9** (n = 200, standard error 0.024); baseline: 0.8 (standard error 0.032)"
    )
    named = comparing.measured({**USUAL, "baselineWhat": "the largest class", "stderr": None})
    assert named.endswith("(n = 200, standard error unknown); baseline (the largest class): 0.8 (standard error 0.032)")
    assert comparing.measured({**USUAL, "baselineValue": None}).endswith("baseline: not measured")


def ended(play: Play) -> str:
    """The report of a task that was played to its end."""
    closing.finalize(str(play.root), play.task, play.world)
    return (play.root / reporting.path(play.task)).read_text()


def section(report: str, heading: str) -> str:
    _, found, rest = report.partition(f"\n## {heading}\n")
    assert found, report
    return rest.partition("\n## ")[0]


def test_the_settings_of_the_full_job_stand_in_the_report(at: At) -> None:
    play = at("final_verification")
    play.advance()
    told = section(ended(play), "Settings of the full job")
    assert "train.py` on hf l4x1, at most 1h30m" in told
    for option in (f"- `--data {DATASET}`", "- `--max-length 1024`", "- `--steps 500`"):
        assert option in told


def test_the_report_says_how_large_the_model_is_and_what_the_short_job_leaves_behind(at: At) -> None:
    play = at("final_verification")
    play.advance()
    told = ended(play)
    verified = play.state.results["resources.model"]["verified"]
    assert f"{verified['id']}: " in section(told, "The model")
    assert f"parameters, revision {verified['revision']}, licence" in section(told, "The model")
    beside = job_plans.trial_place(play.state.task, play.honest.output)
    assert f"Left over: {beside}, " in section(told, "Jobs")


def test_alerts_of_the_full_job_are_in_the_report(at: At) -> None:
    play = at("readiness")
    play.advance("evaluate")
    alert = {"level": "INFO", "title": "plateau", "text": "no gain for five evaluations", "step": 90}
    done = {**play.state.results["full_job"], "alerts": [alert]}
    state = replace(play.state, results={**play.state.results, "full_job": done})
    told = reporting.report(state, {**ENDED, "conforms": False})
    assert "- full_job: INFO plateau, no gain for five evaluations" in section(told, "Jobs")


def test_settings_of_a_job_that_never_ran_are_told_as_such(at: At) -> None:
    play = at("gpu_preflight")
    closing.finalize(str(play.root), play.task, play.world, stop="approval_denied")
    report = (play.root / reporting.path(play.task)).read_text()
    assert "- `--steps 500`" in section(report, "Settings of the full job, which did not run")


def test_a_recipe_without_a_reported_result_is_told_as_one(at: At) -> None:
    play = at("final_verification")
    (best,) = play.answer("research.recipe")["recipe"]
    none = {**best, "result": None, "model": None, "dataset": None, "fits": "nobody reports on such data"}
    found = {**play.state.results, "research.recipe": {**play.answer("research.recipe"), "recipe": [none]}}
    state = replace(play.state, results=found)
    report = reporting.report(state, {**ENDED, "conforms": True})
    told = section(report, "The recipe")
    assert "It rests on no reported result: nobody reports on such data." in told
    assert "None" not in told


def test_warnings_of_critics_that_nobody_mended_are_told(at: At) -> None:
    play = at("code_review")
    issue = {"severity": "warn", "claim": "no warm-up", "evidence": "train.py line 3", "url": None}
    play.complete("code_review", {**play.answer("code_review"), "issues": [issue]})
    play.advance()
    told = section(ended(play), "Warnings that were left standing")
    assert "- code_review: no warm-up (train.py line 3)" in told


def test_a_report_without_warnings_has_no_heading_for_them(at: At) -> None:
    play = at("final_verification")
    play.advance()
    report = ended(play)
    assert "## Warnings" not in report
    assert "## What could not be seen" not in report


def test_sources_that_could_not_be_reached_are_told_whoever_noticed(at: At) -> None:
    play = at("research.landmark")
    play.complete("research.landmark", {**play.answer("research.landmark"), "notSeen": ["Semantic Scholar was down"]})
    play.world.silent.add("docs")
    play.world.limits = None
    play.complete("research.citations", play.answer("research.citations"))
    play.world.silent.clear()
    play.advance("implement")
    play.complete("implement", play.answer("implement"))
    play.advance()
    told = section(ended(play), "What could not be seen, and what the checks noted")
    assert "- research.landmark: Semantic Scholar was down" in told
    assert "- research.citations: sources.1: https://huggingface.co/docs/trl/sft_trainer could not be looked up" in told
    assert "approved" not in told


def test_what_was_approved_and_spent_is_told_and_not_the_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    play = Play(tmp_path / "project")
    play.advance("gpu_preflight")
    root = str(play.root)
    assert bills.spending(play.state) == "spent $0.00; no limit was approved"
    upkeep.tend(root, play.task)
    path = play.root / seal.PROGRAM
    path.write_text(path.read_text().replace("max_usd: '10'", "max_usd: 4"))
    approval.approve(root, program.load(root).digest)
    assert bills.spending(play.state) == "spent $0.00; approved: at most $4.00"
    play.advance()
    report = ended(play)
    assert "- on backend hf; spent $0.00; approved: at most $4.00" in report
    assert "$10" not in report


def test_the_last_lines_hold_all_that_a_person_asks_for(at: At) -> None:
    play = at("final_verification")
    play.advance()
    closing.finalize(str(play.root), play.task, play.world)
    first, number, gained, model, cost, report = closing.last_lines(play.state)
    assert first == f"{play.task}: completed, conforms"
    before = "baseline (the model before training): 2.4 (standard error 0.02)"
    assert number == f"eval_loss: 1.9 (n = 200, standard error 0.01); {before}"
    assert gained == "Better than the baseline by 0.5, 22.4 standard errors of the difference"
    assert model == f"model: https://huggingface.co/{play.honest.output}"
    assert cost == "cost: spent $0.00; no limit was approved; jobs: 0"
    assert report == f"report: runs/{play.task}/report.md"
