"""The smoke run and the short job leave nothing where the result goes: the full job alone writes there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_answers import TRAIN, Answer
from fakes.pipeline_play import Play
from mlresearch.envelope import repo_matches
from mlresearch.pipeline import briefs, commands, drafting, job_plans, steps
from mlresearch.pipeline.task import Accept, Refuse

LOCAL: dict[str, Any] = {"backend": "local", "output": "work/{task}/model"}


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))


def args_of(play: Play, step: str) -> tuple[str, ...]:
    needed = job_plans.plan(play.state, step)
    assert needed is not None
    return needed.args


def with_place(play: Play, *place: str) -> Answer:
    """The honest implementation with the result's place written in another way."""
    made = play.honest.implement()
    plain = made["args"].index("--output")
    for key in ("args", "preflightArgs"):
        made[key] = [*made[key][:plain], *place, *made[key][plain + 2 :]]
    return made


@pytest.mark.parametrize("step", job_plans.TRIALS)
def test_a_trial_on_this_machine_saves_into_its_own_folder(tmp_path: Path, step: str) -> None:
    play = Play(tmp_path / "project", **LOCAL)
    play.advance("cpu_smoke")
    args = args_of(play, step)
    assert args[args.index("--output") + 1] == "{out}"
    assert not any(play.honest.output in arg for arg in args)
    assert "{root}/" + play.honest.output in args_of(play, "full_job")
    assert "{root}/" + play.honest.output in args_of(play, "evaluate")


@pytest.mark.parametrize("step", job_plans.TRIALS)
def test_a_trial_of_a_paid_task_pushes_beside_the_result_where_the_draft_allows_it(tmp_path: Path, step: str) -> None:
    play = Play(tmp_path / "project", text="SFT with LoRA of Qwen/Qwen2-0.5B on trl-lib/Capybara at a "
                "maximum sequence length of 1024, to me/final", output="me/final")  # fmt: skip
    play.advance("cpu_smoke")
    args = args_of(play, step)
    beside = args[args.index("--hub-model-id") + 1]
    assert beside == f"me/{play.task}-preflight"
    assert any(repo_matches(pattern, beside) for pattern in drafting.repositories(play.state.task))
    assert "me/final" in args_of(play, "full_job")


@pytest.mark.parametrize("form", ["--output={place}", "--output={place}/", "--output={place}/adapter"])
def test_the_place_is_exchanged_however_it_is_written(tmp_path: Path, form: str) -> None:
    play = Play(tmp_path / "project", **LOCAL)
    play.advance("implement")
    made = with_place(play, form.format(place="{root}/" + play.honest.output))
    made["evalArgs"][1] = "{root}/" + play.honest.output
    assert isinstance(play.judge("implement", made), Accept)
    play.complete("implement", made)
    play.advance("cpu_smoke")
    wanted = form.format(place="{out}")
    assert all(wanted in args_of(play, step) for step in job_plans.TRIALS)


def test_another_folder_that_begins_alike_stays(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", **LOCAL)
    play.advance("implement")
    made = play.honest.implement()
    for key in ("args", "preflightArgs"):
        made[key] += ["--learning-rate", "{root}/" + play.honest.output + "-rates.txt"]
    play.complete("implement", made)
    play.advance("cpu_smoke")
    assert "{root}/" + play.honest.output + "-rates.txt" in args_of(play, "gpu_preflight")


def test_a_place_that_no_argument_can_exchange_is_refused(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.advance("implement")
    made = play.honest.implement(TRAIN.replace("repo_id=args.hub_model_id", f'repo_id="{play.honest.output}"'))
    verdict = play.judge("implement", made)
    assert isinstance(verdict, Refuse)
    assert any(f"gpu_preflight: it would save to {play.honest.output}" in fault for fault in verdict.faults)


def test_the_pages_say_where_a_trial_saves(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", **LOCAL)
    play.advance("implement")
    told = briefs.text(briefs.brief(play.state, steps.BY_NAME["implement"]))
    assert "the smoke run and the short job give {out} in its place" in told
    play.advance("cpu_smoke")
    told = briefs.text(briefs.brief(play.state, steps.BY_NAME["cpu_smoke"]))
    assert f"its command gives {{out}} in place of {play.honest.output}: the full job alone writes there\n" in told


def test_the_pages_of_a_paid_task_name_the_repository_beside_the_result(tmp_path: Path) -> None:
    play = Play(tmp_path / "project")
    play.advance("implement")
    told = briefs.text(briefs.brief(play.state, steps.BY_NAME["implement"]))
    assert f"the smoke run and the short job give me/{play.task}-preflight in its place" in told
    play.advance("cpu_smoke")
    told = briefs.text(briefs.brief(play.state, steps.BY_NAME["gpu_preflight"]))
    assert f"its command gives me/{play.task}-preflight in place of {play.honest.output}" in told
    assert "until a person deletes it" in told


def test_a_job_on_this_machine_gets_the_token_only_for_what_is_behind_a_gate(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", output="me/final")
    play.advance("cpu_smoke")
    open_to_all = job_plans.plan(play.state, "cpu_smoke")
    assert open_to_all is not None
    assert open_to_all.secrets == ()
    assert open_to_all.command.endswith("--env SMOKE=1 --env HF_HUB_OFFLINE=0")

    verified = play.state.results["resources.model"]["verified"]
    results = {**play.state.results, "resources.model": {"verified": {**verified, "gated": True}}}
    gated = job_plans.plan(replace(play.state, results=results), "cpu_smoke")
    assert gated is not None
    assert gated.secrets == ("HF_TOKEN",)
    assert "--secret HF_TOKEN" in gated.command


def test_a_job_on_this_machine_stays_offline_where_all_it_reads_is_here(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", **LOCAL)
    play.advance("cpu_smoke")
    for name in (play.state.baseline["model"], play.state.baseline["dataset"]):
        (play.root / str(name)).mkdir(parents=True, exist_ok=True)
    needed = job_plans.plan(play.state, "cpu_smoke")
    assert needed is not None
    assert needed.env == {"SMOKE": "1"}


def test_the_evaluation_can_be_tried_for_nothing_on_what_the_smoke_run_saved(tmp_path: Path) -> None:
    play = Play(tmp_path / "project", output="me/final")
    play.advance("cpu_smoke")
    tried = job_plans.rehearsal(play.state)
    assert tried is not None
    assert (tried.backend, tried.is_smoke, tried.secrets) == ("local", True, ())
    assert "{root}/SAVED" in tried.args
    assert "me/final" not in tried.args
    submits = [line for line in commands.running(play.state, "cpu_smoke", None) if " submit " in line.command]
    assert [line.command for line in submits] == [
        needed.command for needed in (job_plans.plan(play.state, "cpu_smoke"), tried) if needed is not None
    ]
