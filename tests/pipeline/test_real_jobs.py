"""A task on this machine with real jobs: the command that a plan prints makes the very job that its gate accepts."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_play import Play
from fakes.pipeline_world import FakeWorld
from fakes.toy_project import Toy
from mlresearch import backends, jobs
from mlresearch.cli import jobs as command
from mlresearch.pipeline import conformity
from mlresearch.pipeline.job_plans import JobPlan, plan
from mlresearch.pipeline.task import Accept, JobFacts, Refuse
from mlresearch.pipeline.world import Present


class Mixed(FakeWorld):
    """Jobs, folders and limits as they are; papers, models and data sets as facts in memory."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.present = Present(root)

    def job(self, name: str) -> JobFacts | None:
        return self.present.job(name)

    def saved(self, destination: str) -> bool:
        return self.present.saved(destination)

    def left(self) -> Mapping[str, Any]:
        return self.present.left()

    def open_jobs(self) -> tuple[str, ...]:
        return self.present.open_jobs()

    def spent_micro(self) -> int:
        return self.present.spent_micro()

    def run(self, needed: JobPlan, log: str) -> str:
        """Submit the printed command and wait for its end; whatever `log` says, the job writes its own."""
        words = shlex.split(needed.command.partition("jobs.py ")[2])
        assert command.run(words) == 0
        job = f"j{len(self.jobs) + 1:04d}"
        jobs.wait(needed.root, {"local": backends.get("local", needed.root)}, {job}, time.time() + 120)
        found = self.present.job(job)
        assert found is not None
        self.jobs[job] = found
        return job


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    toy = Toy(tmp_path)
    toy.use(monkeypatch)
    made = Play(toy.root, output="work/{task}/model", backend="local")
    world = Mixed(toy.path)
    world.known = made.world.known
    made.world = world
    monkeypatch.chdir(toy.root)
    yield made
    toy.end_jobs()


def test_a_whole_task_is_played_with_real_jobs(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play.advance("full_job")
    assert not Path(play.root, play.honest.output).exists(), "smoke run or short job left something to resume from"
    state = play.advance()
    assert state.todo == ()
    assert conformity.missing(state, play.world) == {}
    assert [state.results[step]["jobId"] for step in ("cpu_smoke", "gpu_preflight", "full_job", "evaluate")] == [
        "j0001", "j0002", "j0003", "j0004",
    ]  # fmt: skip
    assert Path(play.root, play.honest.output, "model.safetensors").is_file()


def test_a_real_job_of_an_edited_script_is_refused(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play.advance("full_job")
    script = Path(play.root, play.honest.work, "train.py")
    honest = script.read_text()
    script.write_text(honest.replace("max_length=args.max_length", "max_length=128"))
    lie = play.answer("full_job")
    verdict = play.judge("full_job", lie)
    assert isinstance(verdict, Refuse)
    assert any("lengths: was 1024, is 1024, 128" in fault or "lengths" in fault for fault in verdict.faults)
    script.write_text(honest)
    assert isinstance(play.judge("full_job", lie), Refuse), "the job ran the edited bytes"
    assert isinstance(play.judge("full_job", play.answer("full_job")), Accept)


def test_a_real_failure_does_not_pass_as_a_success(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    play.advance("gpu_preflight")
    needed = plan(play.state, "gpu_preflight")
    assert needed is not None
    script = Path(play.root, needed.script)
    honest = script.read_text()
    script.write_text(honest + "raise SystemExit(3)\n")
    job = play.run("gpu_preflight")
    verdict = play.judge("gpu_preflight", play.honest.job(job, play.world.jobs[job].log, 10))
    assert isinstance(verdict, Refuse)
    assert any("ended as FAILED" in fault for fault in verdict.faults), json.dumps(verdict.faults)
