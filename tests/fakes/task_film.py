"""A task that is played once, with a picture of it at each step, so that many tests can begin where things go wrong.

`ended` says what holds after any end: one reason, a report, nothing open, nothing owed, no approval left.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fakes import local_task
from fakes.local_task import Agent, LocalHonest, Run
from fakes.pipeline_answers import TRAIN, Answer, Honest
from mlresearch import ledger, money, seal
from mlresearch.cli import jobs, pipeline, program
from mlresearch.pipeline.stops import STOPS

COMMANDS = {"pipeline.py": pipeline.run, "jobs.py": jobs.run, "program.py": program.run}
TRAIN_WITH_TROUBLE = TRAIN.replace(
    "\ntrainer.train()\n",
    """
trainer.train()
trouble = Path(os.environ.get("ML_RESEARCH_ROOT", "."), "trouble")
if trouble.exists():
    kind = trouble.read_text()
    raise {"KeyError": KeyError, "ValueError": ValueError, "TypeError": TypeError}[kind]("row 17 is broken")
""",
)


class Troubled(LocalHonest):
    def implement(self, train: str = TRAIN_WITH_TROUBLE, evaluation: str = "") -> Answer:
        return super().implement(train)


class OfTheHub(Troubled):
    """The same with model and data on the Hub."""

    def resource(self, kind: str) -> Answer:
        found = Honest.resource(self, kind)
        is_model = kind == "model"
        found["verified"] |= {
            "revision": ("6" if is_model else "5") * 40,
            "licence": "apache-2.0" if is_model else None,
        }
        return found | ({"parameters": 32} if is_model else {})


class Player(Agent):
    """Plays to a step, and does there what a test says."""

    def __init__(self, root: Path, run: Run, is_paid: bool) -> None:
        super().__init__(root, run)
        self.is_paid = is_paid

    def honest(self, task: str) -> Honest:
        if self.is_paid:
            return OfTheHub(str(self.root), task, f"ada/{task}", "l4x1")
        return Troubled(str(self.root), task, f"work/{task}/model", "cpu")

    def to(self, step: str) -> Mapping[str, Any]:
        """The brief of a step whose job may be submitted."""
        while True:
            briefs = self.run("pipeline.py", "next")["briefs"]
            brief = next((one for one in briefs if one["step"] == step and one["approval"] is None), None)
            if brief is not None:
                return dict(brief)
            assert briefs, f"the task ended before {step}"
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


BEFORE_JOBS = ("plan", "verify_research", "resources.model", "data_audit", "implement", "code_review", "cpu_smoke")
PICTURES = (*BEFORE_JOBS, "gpu_preflight", "readiness", "full_job", "evaluate")
At = Callable[[str], Player]


class Film:
    """A task played to its last job, with a picture of the whole folder at each step."""

    def __init__(self, top: Path, pictures: Path, is_paid: bool) -> None:
        self.top, self._pictures, self._is_paid = top, pictures, is_paid

    def shoot(self, steps: Sequence[str], *options: str) -> None:
        run("pipeline.py", "start", local_task.TEXT, *options)
        for step in steps:
            self.player().to(step)
            shutil.copytree(self.top, self._pictures / step, symlinks=True)

    def player(self) -> Player:
        return Player(self.top / "project", run, self._is_paid)

    def at(self, step: str) -> Player:
        """The task as it stood when this step was open."""
        os.chdir("/")
        shutil.rmtree(self.top)
        shutil.copytree(self._pictures / step, self.top, symlinks=True)
        os.chdir(self.top / "project")
        return self.player()


@contextlib.contextmanager
def desk(top: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """This process in a fresh project."""
    root, before = local_task.make(top), os.getcwd()
    path = os.pathsep.join([os.environ["PATH"], os.path.dirname(os.environ.get("UV", "/bin/uv"))])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_task.environment(top, variables).items():
            patch.setenv(name, value)
        patch.setenv("PATH", path)  # with the uv that a paid job's container has
        # the client reads HF_ENDPOINT once a process
        patch.setattr("huggingface_hub.constants.ENDPOINT", variables["HF_ENDPOINT"])
        patch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
        os.chdir(root)
        try:
            yield
        finally:
            os.chdir(before)


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
    rows = list(ledger.rows(root))
    assert not rows or ledger.verify(root) == []
    assert sum(row["event"] == "submitted" for row in rows) == jobs_run
    assert sum(row["event"] == "settled" for row in rows) == jobs_run
    assert ledger.standing(root).open == {}
    assert seal.load(root) is None
    assert not (player.root / seal.PROGRAM).exists()
    billed = sum(row["billed_micro"] for row in rows if row["event"] == "settled")
    assert player.run("pipeline.py", "status")["spent_usd"] == billed / money.MICRO


def approve_with(player: Player, **limits: str) -> None:
    """A person changes limits of the draft, and approves."""
    page = player.root / seal.PROGRAM
    for name, value in limits.items():
        page.write_text(re.sub(rf"{name}: .*", f"{name}: {value}", page.read_text()))
    (brief,) = player.run("pipeline.py", "next")["briefs"]
    player.step(brief)
