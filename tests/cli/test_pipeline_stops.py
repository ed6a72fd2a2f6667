"""One play for each reason to stop, through the commands: the reason, what was spent, and what stands afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import local_task
from fakes.local_task import LocalHonest
from fakes.papers_server import PapersServer
from fakes.pipeline_answers import Answer, Honest
from fakes.pipeline_world import DATASET, MODEL
from fakes.task_film import PICTURES, At, Film, Player, approve_with, desk, ended, run
from mlresearch.pipeline.stops import STOPS

JOB_STEPS = ("cpu_smoke", "gpu_preflight", "full_job")


@pytest.fixture(scope="module")
def papers() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


@pytest.fixture(scope="module")
def free(papers: PapersServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Film]:
    top, pictures = tmp_path_factory.mktemp("play"), tmp_path_factory.mktemp("pictures")
    with desk(top, papers.environment):
        film = Film(top, pictures, is_paid=False)
        film.shoot(PICTURES, "--max-job-retries", "2")
        yield film


@pytest.fixture
def at(free: Film) -> At:
    return free.at


class Aiming(LocalHonest):
    def plan(self) -> Answer:
        plan = super().plan()
        return {**plan, "successMetric": {**plan["successMetric"], "target": 2.0}}


GIVEN_UP = {
    "plan": ("planning_failed", 0),
    "verify_research": ("research_unverified", 0),
    "data_audit": ("dataset_format_incompatible", 0),
    "implement": ("implementation_failed", 0),
    "evaluate": ("evaluation_failed", 3),
}


@pytest.mark.parametrize("step", GIVEN_UP)
def test_a_step_that_can_not_be_done_ends_the_task(at: At, step: str) -> None:
    player, (reason, count) = at(step), GIVEN_UP[step]
    player.fail(player.to(step), unrecoverable=True)
    ended(player, reason, count)


BEFORE = {"cpu_smoke": 0, "gpu_preflight": 1, "full_job": 2}


@pytest.mark.parametrize("step", JOB_STEPS)
def test_a_job_that_nothing_can_mend_ends_the_task(at: At, step: str) -> None:
    player = at(step)
    player.breaks("KeyError")
    brief = player.to(step)
    player.fail(brief, jobId=player.job(brief), unrecoverable=True)
    ended(player, f"{step}_unrecoverable", BEFORE[step] + 1)


@pytest.mark.parametrize("step", JOB_STEPS)
def test_the_same_error_twice_ends_the_task(at: At, step: str) -> None:
    player = at(step)
    player.breaks("KeyError")
    for rate in (5e-5, 2e-5):
        brief = player.to(step)
        player.fail(brief, jobId=player.job(brief), configChanges={"learning_rate": rate})
    ended(player, f"{step}_same_error", BEFORE[step] + 2)


@pytest.mark.parametrize("step", JOB_STEPS)
def test_another_error_in_every_attempt_ends_the_task(at: At, step: str) -> None:
    player = at(step)
    kinds = ("KeyError", "ValueError", "TypeError")[: 3 if step == "cpu_smoke" else 2]
    for kind, rate in zip(kinds, (5e-5, 2e-5, 1e-5), strict=False):
        player.breaks(kind)
        brief = player.to(step)
        player.fail(brief, jobId=player.job(brief), configChanges={"learning_rate": rate})
    ended(player, f"{step}_retries_exhausted", BEFORE[step] + len(kinds))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scopeChange": True}, "scope_change"),
        ({"configChanges": {"max_length": 128}}, "scope_change"),
        ({"category": "billing_or_quota"}, "billing_required"),
        ({"category": "auth_or_gated"}, "gated_access"),
        ({"category": "resource_not_found"}, "resource_unavailable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_diagnosis_that_only_a_person_can_answer_ends_the_task(at: At, changes: Answer, reason: str) -> None:
    player = at("full_job")
    player.breaks("KeyError")
    brief = player.to("full_job")
    player.fail(brief, jobId=player.job(brief), **changes)
    ended(player, reason, 3)


@pytest.mark.parametrize(
    ("critic", "redone", "reason", "count"),
    [
        ("verify_research", "research.recipe", "research_unverified", 0),
        ("code_review", "implement", "code_review_blocked", 0),
    ],
)
def test_a_critic_that_blocks_twice_ends_the_task(at: At, critic: str, redone: str, reason: str, count: int) -> None:
    player = at(critic)
    issue = {"severity": "error", "claim": "it is invented", "evidence": "404", "url": None}
    blocks = {"ok": False, "mustReblock": True, "issues": [issue]}
    assert player.complete(player.to(critic), **blocks)["to"] == redone
    player.complete(player.to(critic), **blocks)
    ended(player, reason, count)


def test_data_that_can_not_serve_the_method_ends_the_task(at: At) -> None:
    player = at("data_audit")
    for split in ("train", "test"):
        (player.root / DATASET / f"{split}.jsonl").write_text('{"x": 1}\n{"x": 2}\n')
    player.complete(player.to("data_audit"))
    ended(player, "dataset_format_incompatible", 0)


def test_a_model_that_is_not_there_ends_the_task(at: At) -> None:
    player = at("resources.model")
    shutil.rmtree(player.root / MODEL)
    player.complete(player.to("resources.model"))
    ended(player, "resource_unavailable", 0)


def test_an_item_of_the_checklist_that_does_not_hold_ends_the_task(at: At) -> None:
    player = at("readiness")
    late = {"ok": False, "evidence": "the run needs ten hours"}
    player.complete(player.to("readiness"), timeoutSized=late, allSatisfied=False, missing=["timeoutSized"])
    ended(player, "preflight_checklist_unsatisfied", 2)


def test_a_result_that_is_gone_ends_the_task(at: At) -> None:
    player = at("evaluate")
    brief = player.to("evaluate")
    shutil.rmtree(next((player.root / "work").glob("*/model")))
    player.complete(brief)
    ended(player, "not_persisted", 4)


def test_a_submit_past_the_approval_ends_the_task(at: At) -> None:
    player = at("full_job")
    script = next((player.root / "work").glob("*/train.py")).relative_to(player.root)
    words = ("--backend", "local", "--script", str(script), "--flavor", "cpu", "--timeout", "99h")
    assert "error" in player.run("jobs.py", "submit", *words)
    ended(player, "budget_denied", 2)


def test_an_approval_whose_job_time_is_too_short_ends_the_task(at: At) -> None:
    player = at("cpu_smoke")
    player.step(player.to("cpu_smoke"))
    approve_with(player, max_walltime="80m")
    player.to("readiness")
    player.step(player.to("readiness"))
    ended(player, "walltime_reached", 2)


@pytest.mark.parametrize("reason", ["approval_denied", "envelope_missing", "auth_missing", "interrupted"])
def test_a_session_that_can_not_go_on_ends_the_task(at: At, reason: str) -> None:
    player = at("cpu_smoke")
    player.step(player.to("cpu_smoke"))
    player.run("pipeline.py", "finalize", "--stop", reason)
    ended(player, reason, 1)


def test_a_target_that_is_reached_ends_the_task_well(papers: PapersServer, tmp_path: Path) -> None:
    class Aimed(Player):
        def honest(self, task: str) -> Honest:
            return Aiming(str(self.root), task, f"work/{task}/model", "cpu")

    with desk(tmp_path, papers.environment):
        run("pipeline.py", "start", local_task.TEXT)
        player = Aimed(tmp_path / "project", run, is_paid=False)
        player.play()
        ended(player, "target_reached", 4)


def test_no_reason_is_left_without_a_play() -> None:
    here = Path(__file__).parent
    told = "".join(path.read_text() for path in here.glob("test_pipeline*.py"))
    alike = {f"{step}_{kind}" for step in JOB_STEPS for kind in ("unrecoverable", "same_error", "retries_exhausted")}
    assert [reason for reason in STOPS if reason not in alike and f'"{reason}"' not in told] == []
