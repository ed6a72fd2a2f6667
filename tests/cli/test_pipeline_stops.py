"""One play for each reason to stop, through the commands: the right reason, what was spent, and what stands afterwards.

One honest task is played once; each play begins from the picture of it at the step where things go wrong.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes import local_task
from fakes.local_task import Agent, LocalHonest
from fakes.papers_server import PapersServer
from fakes.pipeline_answers import TRAIN, Answer, Honest
from fakes.pipeline_world import DATASET, MODEL
from mlresearch import ledger, seal
from mlresearch.cli import jobs, pipeline, program
from mlresearch.pipeline.stops import STOPS

COMMANDS = {"pipeline.py": pipeline.run, "jobs.py": jobs.run, "program.py": program.run}
TRAIN_WITH_TROUBLE = TRAIN.replace(
    "\ntrainer.train()\n",
    """
trainer.train()
trouble = Path(os.environ["ML_RESEARCH_ROOT"], "trouble")
if trouble.exists():
    kind = trouble.read_text()
    raise {"KeyError": KeyError, "ValueError": ValueError, "TypeError": TypeError}[kind]("row 17 is broken")
""",
)
JOB_STEPS = ("cpu_smoke", "gpu_preflight", "full_job")


class Troubled(LocalHonest):
    def implement(self, train: str = TRAIN_WITH_TROUBLE, evaluation: str = "") -> Answer:
        return super().implement(train)


class Player(Agent):
    """Plays to a step, and does there what a test says."""

    def honest(self, task: str) -> Honest:
        return Troubled(str(self.root), task, f"work/{task}/model", "cpu")

    def to(self, step: str) -> Mapping[str, Any]:
        """The brief of a step whose job may be submitted."""
        while True:
            briefs = self.run("pipeline.py", "next")["briefs"]
            brief = next((one for one in briefs if one["step"] == step and one["approval"] is None), None)
            if brief is not None:
                return dict(brief)
            for one in briefs:
                self.step(one)

    def complete(self, brief: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """The honest answer with something else in it."""
        self.write(brief["output"], json.dumps({**self._answer(brief), **changes}))
        return self.run("pipeline.py", "complete", "--phase", brief["step"], "--output", brief["output"])

    def fail(self, brief: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """A diagnosis, of a job that failed or of none."""
        usual: dict[str, Any] = {
            "category": "dataset_schema_mismatch", "jobId": None, "rootCause": "the rows are not what they should be",
            "evidenceLines": ["row 17 is broken"], "minimalFix": "read the column that is there", "configChanges": {},
            "scopeChange": False, "oomLadderRung": 0, "unrecoverable": False, "recheckedDocs": [],
        }  # fmt: skip
        file = brief["output"].replace(".json", ".failure.json")
        self.write(file, json.dumps(usual | changes))
        return self.run("pipeline.py", "fail", "--phase", brief["step"], "--analysis", file)

    def job(self, brief: Mapping[str, Any]) -> str:
        """The step's job, to its end."""
        job = self.submit(next(line["command"] for line in brief["commands"] if " submit " in line["command"]))
        self.run("jobs.py", "wait", "--job", job)
        return job

    def breaks(self, kind: str) -> None:
        (self.root / "trouble").write_text(kind)


def run(script: str, *words: str) -> dict[str, Any]:
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        code = COMMANDS[script]([*words, "--json"])
    assert code == 0 or script == "jobs.py", f"{script} {words}: {said.getvalue()}"
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


PICTURES = ("plan", "verify_research", "resources.model", "data_audit", "implement", "code_review", *JOB_STEPS)
PICTURES = (*PICTURES[:-1], "readiness", "full_job", "evaluate")
At = Callable[[str], Player]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Where the play is, and where its pictures lie."""
    top, pictures = tmp_path_factory.mktemp("play"), tmp_path_factory.mktemp("pictures")
    with PapersServer() as papers, pytest.MonkeyPatch.context() as patch:
        root = local_task.make(top)
        for name, value in local_task.environment(top, papers.environment).items():
            patch.setenv(name, value)
        patch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
        patch.chdir(root)
        player = Player(root, run)
        run("pipeline.py", "start", local_task.TEXT, "--max-job-retries", "2")
        for step in PICTURES:
            player.to(step)
            shutil.copytree(top, pictures / step, symlinks=True)
        yield top, pictures


@pytest.fixture
def at(film: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> At:
    top, pictures = film

    def put_back(step: str) -> Player:
        monkeypatch.chdir("/")
        shutil.rmtree(top)
        shutil.copytree(pictures / step, top, symlinks=True)
        monkeypatch.chdir(top / "project")
        return Player(top / "project", run)

    return put_back


def ended(player: Player, reason: str, jobs_run: int) -> None:
    """The task is closed for that reason: a report that says it, nothing open, nothing owed, no approval left."""
    root = str(player.root)
    found = player.run("pipeline.py", "next")
    if found["do"] == "finalize":
        player.run("pipeline.py", "finalize")
        found = player.run("pipeline.py", "next")
    stopped = found["stopped"]
    is_well = reason in ("answered", "target_reached", "completed")
    assert (stopped["reason"], stopped["conforms"], found["do"]) == (reason, is_well, "nothing")
    assert stopped["next"] == STOPS[reason].next_step
    (task,) = os.listdir(player.root / "work")
    report = (player.root / "runs" / task / "report.md").read_text()
    assert reason in report
    assert stopped["message"].split("`")[0][:60] in report
    assert ledger.verify(root) == []
    rows = list(ledger.rows(root))
    assert sum(row["event"] == "submitted" for row in rows) == jobs_run
    assert sum(row["event"] == "settled" for row in rows) == jobs_run
    assert ledger.standing(root).open == {}
    assert seal.load(root) is None
    assert not (player.root / seal.PROGRAM).exists()
    assert player.run("pipeline.py", "status")["spent_usd"] == 0


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
    issue = {"severity": "error", "claim": "it is invented", "evidence": "404", "fix": "look it up"}
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
    page = player.root / seal.PROGRAM
    page.write_text(re.sub(r"max_walltime: .*", "max_walltime: 2h", page.read_text()))
    player.to("readiness")
    player.step(player.to("readiness"))
    ended(player, "walltime_reached", 2)


@pytest.mark.parametrize("reason", ["approval_denied", "envelope_missing", "auth_missing", "interrupted"])
def test_a_session_that_can_not_go_on_ends_the_task(at: At, reason: str) -> None:
    player = at("cpu_smoke")
    player.step(player.to("cpu_smoke"))
    player.run("pipeline.py", "finalize", "--stop", reason)
    ended(player, reason, 1)
