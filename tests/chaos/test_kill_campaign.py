"""kill -9 of a campaign and of its jobs at random moments: resumed to the end, nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from chaos.conftest import MakeToy
from fakes.toy_project import Blocks, Toy, assert_books_match, process_exists
from mlresearch.backends.job_folder import JobFolder

# a start of the command takes 0.4 s, so these moments lie before, in and between its steps
MOMENTS_S = (0.1, 1.6)
# three jobs run at a time: with this sleep and six experiments for each kill, however fast the machine,
# the last kill (after at most 1.8 s each) comes before the last experiment
EXPERIMENT_S = 0.9


def changes(experiments: int) -> Blocks:
    return {
        "Run": {"args": ["--out", "{out}", "--sleep", str(EXPERIMENT_S)]},
        "Keep or discard": {"max_experiments": experiments, "stop_after_no_gain": 1000},
        "Budget envelope": {"max_jobs": 1000},
    }


def alive(toy: Toy) -> list[tuple[str, int]]:
    """Runs that said they started and have not ended."""
    found = []
    for job, pid in toy.starts():
        folder = JobFolder(str(toy.root / "runs" / "jobs" / job))
        if folder.read("exit") is None and process_exists(pid):
            found.append((job, pid))
    return found


def runners(toy: Toy, job: str) -> list[int]:
    """The two processes that keep a job (Linux: read from /proc)."""
    mark = b"runner.py\0" + str(toy.root / "runs" / "jobs" / job).encode() + b"\0"
    found = []
    for name in os.listdir("/proc") if sys.platform.startswith("linux") else []:
        with suppress(OSError):
            if name.isdigit() and mark in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
    return found


def kill_a_job(toy: Toy, chance: random.Random) -> bool:
    """The job's own process, or one of its keepers."""
    living = alive(toy)
    if not living:
        return False
    job, pid = chance.choice(living)
    victim = chance.choice([pid, *runners(toy, job)])
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return True


def harass(toy: Toy, kills: int, chance: random.Random) -> tuple[int, int]:
    """Start the campaign and kill it, again and again; how many campaigns and jobs died."""
    campaigns = jobs = 0
    while campaigns < kills:
        process = toy.start("campaign.py", "run", "--quiet")
        time.sleep(chance.uniform(*MOMENTS_S))
        jobs += chance.random() < 0.7 and kill_a_job(toy, chance)
        time.sleep(chance.uniform(0, 0.2))
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        jobs += chance.random() < 0.3 and kill_a_job(toy, chance)
        campaigns += 1
    return campaigns, jobs


@pytest.mark.parametrize(
    ("kills", "experiments"), [(7, 42), pytest.param(30, 180, marks=pytest.mark.long)], ids=["7 kills", "30 kills"]
)
def test_a_campaign_killed_at_random_moments_reaches_its_end(kills: int, experiments: int, make_toy: MakeToy) -> None:
    toy = make_toy(changes(experiments))
    campaigns, jobs = harass(toy, kills, random.Random(kills))
    done = toy.run("campaign.py", "run", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    assert campaigns == kills
    assert jobs
    assert_books_match(toy)
    assert len(toy.rows("planned")) == experiments
    for event in ("started", "baseline", "opened", "finalized"):
        assert len(toy.rows(event)) == 1, event
    assert (toy.root / "data" / "test.txt").read_text() == "0.003"
