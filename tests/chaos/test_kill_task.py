"""A task dies after any act that others could see, or at a random moment; played on, no step is lost or paid twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.die_at import DIED
from fakes import local_task
from fakes.papers_server import PapersServer
from fakes.toy_project import SCRIPTS
from mlresearch import ledger
from mlresearch.pipeline import journal, steps

DRIVER = Path(__file__).with_name("play_task.py")
TESTS = Path(__file__).parents[1]
POINTS, SHARDS, KILLS, PATIENCE_S = 6, 12, 5, 240


@pytest.fixture(scope="module")
def papers() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


class Played:
    """A project in a fresh folder, and the process that plays its task."""

    def __init__(self, top: Path, papers: PapersServer) -> None:
        top.mkdir()
        self.top, self.root = top, local_task.make(top)
        self.environment = local_task.environment(top, papers.environment)
        self.environment["PYTHONPATH"] = f"{SCRIPTS}{os.pathsep}{TESTS}"

    def start(self, act: int = 0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(DRIVER), str(act)],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def play(self, act: int = 0) -> subprocess.CompletedProcess[str]:
        process = self.start(act)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def assert_whole(self, out: str) -> None:
        """One accepted row a step, one job a step that has one, and every job settled once."""
        ended = json.loads(out.splitlines()[-2])
        assert (ended["reason"], ended["conforms"], ended["missing"]) == ("completed", True, [])
        (task,) = journal.tasks(str(self.root))
        events = Counter((row["event"], row.get("step")) for row in journal.rows(str(self.root), task))
        wanted = [("started", None), *(("accepted", step.name) for step in steps.STEPS)]
        assert events == Counter([*wanted, ("finalized", "final_verification")])
        rows = list(ledger.rows(str(self.root)))
        released = {row["job"] for row in rows if row["event"] == "released"}
        kept = [row["job"] for row in rows if row["event"] == "reserved" and row["job"] not in released]
        assert len(kept) == 4
        assert sorted(row["job"] for row in rows if row["event"] == "settled") == sorted(kept)
        assert [row["stage"] for row in rows if row["event"] == "settled"] == ["COMPLETED"] * 4


MakePlayed = Callable[[], Played]


@pytest.fixture
def make_played(tmp_path: Path, papers: PapersServer, monkeypatch: pytest.MonkeyPatch) -> MakePlayed:
    """Another project; this process sees the store of the last one."""
    made: list[Played] = []

    def make() -> Played:
        made.append(Played(tmp_path / f"task-{len(made)}", papers))
        monkeypatch.setenv("HOME", str(made[-1].top))
        monkeypatch.setenv("XDG_DATA_HOME", made[-1].environment["XDG_DATA_HOME"])
        return made[-1]

    return make


def count_acts(make_played: MakePlayed) -> int:
    played = make_played()
    done = played.play()
    assert done.returncode == 0, done.stderr
    played.assert_whole(done.stdout)
    return int(done.stdout.split()[-1])


def is_survived(make_played: MakePlayed, act: int) -> bool:
    """Whether the death came at all: the number of acts differs a little from run to run."""
    played = make_played()
    dead = played.play(act)
    assert dead.returncode in (0, DIED), f"act {act}: {dead.stderr}"
    done = played.play()
    assert done.returncode == 0, f"after act {act}: {done.stderr}"
    played.assert_whole(done.stdout)
    return dead.returncode == DIED


def test_a_death_at_any_of_some_acts_loses_no_step_and_pays_no_job_twice(make_played: MakePlayed) -> None:
    acts = count_acts(make_played)
    assert acts > 200
    points = [1 + number * (acts - 1) // POINTS for number in range(POINTS)]
    died = [is_survived(make_played, act) for act in points]
    assert sum(died) >= POINTS - 1


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_death_after_every_act_loses_no_step_and_pays_no_job_twice(shard: int, make_played: MakePlayed) -> None:
    acts = count_acts(make_played)
    points = range(1 + shard, acts + 1, SHARDS)
    died = [is_survived(make_played, act) for act in points]
    assert sum(died) > 0.8 * len(points)


@pytest.mark.parametrize("seed", range(2))
def test_kill_9_at_random_moments_loses_no_step_and_pays_no_job_twice(make_played: MakePlayed, seed: int) -> None:
    played, draw = make_played(), random.Random(seed)
    for _ in range(KILLS):
        process = played.start()
        time.sleep(draw.uniform(0.3, 3.0))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    done = played.play()
    assert done.returncode == 0, done.stderr
    played.assert_whole(done.stdout)
