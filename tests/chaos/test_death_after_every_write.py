"""A campaign dies right after each write, fsync, rename, lock and submit; a clean process takes it to the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.conftest import MakeToy
from chaos.die_at import DIED
from fakes.toy_project import SCRIPTS, Blocks, Toy, assert_books_match

DRIVER = Path(__file__).with_name("die_at.py")
# three baseline runs, one experiment, the final evaluation: every kind of row, few of each
SHORT: Blocks = {"Keep or discard": {"max_experiments": 1}}
DEFAULT_POINTS, SHARDS, TRIES = 14, 12, 8


def die_at(toy: Toy, act: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DRIVER), str(act), "campaign.py", "run", "--quiet"],
        cwd=toy.root,
        env=toy.environment() | {"PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def count_acts(make_toy: MakeToy) -> int:
    toy = make_toy(SHORT)
    done = die_at(toy, 0)
    assert done.returncode == 0, done.stderr
    assert_complete(toy)
    return int(done.stdout.split()[-1])


def assert_complete(toy: Toy) -> None:
    assert_books_match(toy)
    for event in ("started", "baseline", "planned", "opened", "finalized"):
        assert len(toy.rows(event)) == 1, event
    assert (toy.root / "data" / "test.txt").read_text() == "0.003"
    beside = {path.name for path in toy.root.rglob("*") if path.relative_to(toy.root).parts[0] != "runs"}
    assert beside == {"program.md", "train.py", "evaluate.py", "data", "test.txt", "starts.txt"}


def is_survived(make_toy: MakeToy, act: int) -> bool:
    """Whether the death came at all: the number of acts differs a little from run to run."""
    toy = make_toy(SHORT)
    dead = die_at(toy, act)
    assert dead.returncode in (0, DIED), f"act {act}: {dead.stderr}"
    done = toy.run("campaign.py", "run", "--quiet")
    assert done.returncode == 0, f"after act {act}: {done.stderr}"
    assert_complete(toy)
    return dead.returncode == DIED


def test_a_death_at_any_of_some_acts_loses_and_doubles_nothing(make_toy: MakeToy) -> None:
    acts = count_acts(make_toy)
    assert acts > 200
    points = [1 + number * (acts - 1) // DEFAULT_POINTS for number in range(DEFAULT_POINTS)]
    # a campaign whose seeds make no candidate is shorter and ends before the late points: then another one is tried
    died = [any(is_survived(make_toy, act) for _ in range(TRIES)) for act in points]
    assert sum(died) >= DEFAULT_POINTS - 1


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_death_after_every_act_loses_and_doubles_nothing(shard: int, make_toy: MakeToy) -> None:
    acts = count_acts(make_toy)
    points = range(1 + shard, acts + 1, SHARDS)
    died = [is_survived(make_toy, act) for act in points]
    assert sum(died) > 0.8 * len(points)
