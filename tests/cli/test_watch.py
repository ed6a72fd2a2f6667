"""jobs.py watch and news against the emulated Hub, and what the guard says to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN, seal
from cli.commands import REPO
from fakes import watchers
from fakes.hf_jobs import Emulator, Fault, Plan
from mlresearch import ledger
from mlresearch.guard import situations
from mlresearch.guard.calls import Call, Verdict
from mlresearch.guard.decide import decide
from mlresearch.jobs import watcher

JOB = ("--script", "train.py", "--flavor", "cpu-basic", "--timeout", "10m", "--env", "SMOKE=1")


class Night:
    """A project with an approved program on the emulated Hub; the token is in the environment."""

    def __init__(self, top: Path, hub: Emulator) -> None:
        self.root, self.data, self.hub = top / "project", top / "data", hub
        self.path = str(self.root)
        seal(self.root)
        (self.root / "train.py").write_text("print('eval_loss: 1.2')\n")

    def done(self, *words: str) -> dict[str, Any]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {"XDG_DATA_HOME": str(self.data), "HF_TOKEN": TOKEN, "HF_ENDPOINT": self.hub.url}
        found = subprocess.run(
            [sys.executable, str(REPO / "scripts" / "jobs.py"), *words, "--json"],
            cwd=self.root,
            env={**kept, **ours, "HF_HOME": str(self.data / "hf"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer

    def submit(self) -> str:
        return str(self.done("submit", "--backend", "hf", *JOB)["job"])

    def is_settled(self) -> bool:
        return not ledger.standing(self.path).open

    def told(self, event: str) -> list[dict[str, object]]:
        return watchers.told(self.path, event)


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Emulator() as hub:
        made = Night(tmp_path, hub)
        yield made
        watchers.end(made.path)
    written = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert TOKEN not in "".join(written)


def test_it_settles_a_paid_job_while_nobody_waits_and_news_tells_the_bill(night: Night) -> None:
    night.hub.plans = [
        Plan(queue_s=4, run_s=200, lines=("step 1 loss 0.5", "[TRACKIO ERROR] lost: it grows", "eval_loss: 1.2"))
    ]
    job = night.submit()
    answer = night.done("watch", "--every", "1s")
    assert night.done("news")["ended"] == []

    night.hub.clock.advance(600)
    watchers.until(night.is_settled, "the settling")
    watchers.until(lambda: bool(night.told("settled")), "its event")
    found = night.done("news")

    assert 0 < answer["sleep_s"] <= 3600
    assert [(one["job"], one["stage"], one["billed_micro"]) for one in found["ended"]] == [(job, "COMPLETED", 4 * 167)]
    assert (found["watching"], found["open"]) == (True, [])
    assert [(one["event"], one["job"], one["why"]) for one in found["told"]] == [("alert", job, "lost: it grows")]


def test_it_rides_out_a_hub_that_does_not_answer_and_tells_it_once(night: Night) -> None:
    night.hub.plans = [Plan(run_s=60)]
    job = night.submit()
    night.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=503, times=1000))
    night.done("watch", "--every", "1s")
    watchers.until(lambda: bool(night.told("trouble")), "the trouble")
    night.hub.faults.clear()
    night.hub.clock.advance(600)
    watchers.until(night.is_settled, "the settling")
    watchers.until(lambda: bool(night.told("recovered")), "that it is over")

    (trouble,) = night.told("trouble")
    assert trouble["place"] == job
    assert [one["event"] for one in night.done("news")["told"]] == ["trouble", "recovered"]
    assert watcher.is_watching(night.path)


def test_killed_between_two_looks_another_one_settles_the_same_jobs_once(night: Night) -> None:
    night.hub.plans = [Plan(run_s=60), Plan(run_s=60)]
    jobs = [night.submit(), night.submit()]
    for _ in range(2):
        night.done("watch", "--every", "1s")
        watchers.end(night.path)
    night.hub.clock.advance(600)
    night.done("watch", "--every", "1s")
    watchers.until(lambda: len(night.told("settled")) == 2, "both ends")

    assert sorted(str(one["job"]) for one in night.told("settled")) == jobs
    assert len(night.hub.jobs) == 2
    assert ledger.verify(night.path) == []


def verdict(night: Night, command: str) -> Verdict:
    call = Call("Bash", {"command": command.replace("@JOBS@", f"{REPO}/scripts/jobs.py")}, night.path)
    return decide(call, situations.find([night.path], "a-session", 1.0e9))


@pytest.mark.parametrize(
    ("command", "decision"),
    [
        ("uv run @JOBS@ watch", "allow"),
        ("uv run -q @JOBS@ watch --idle 2h --every 30s --json", "allow"),
        ("uv run @JOBS@ news", "allow"),
        ("uv run -q @JOBS@ news --since 12.345 --json", "allow"),
        ("uv run @JOBS@ watch --nonsense", "deny"),
        ("sleep 600", "silent"),
        ("ML_RESEARCH_NOTIFY='hf jobs run --flavor a100x8 x y' uv run @JOBS@ watch", "deny"),
        ("export ML_RESEARCH_NOTIFY='hf jobs run --flavor a100x8 x y'", "deny"),
        ("env ML_RESEARCH_NOTIFY='hf jobs run --flavor a100x8 x y' uv run @JOBS@ watch", "deny"),
    ],
)
def test_under_a_seal_the_guard_lets_a_session_wait_and_no_notice_spend(
    night: Night, monkeypatch: pytest.MonkeyPatch, command: str, decision: str
) -> None:
    monkeypatch.setenv("CLAUDE_PLUGIN_ROOT", str(REPO))
    found = verdict(night, command)

    assert found.decision == decision, found.reason
