"""What a campaign costs beside its training: seconds of bookkeeping per experiment. By hand, not a test.

    PYTHONPATH=scripts:tests python tests/bench/bench_campaign.py [experiments]

One run at a time, so that wall time less the time of the jobs is what the package adds: proposing, planning,
submitting, settling, deciding, writing. The last ten experiments are told apart, since the history grows. Without uv in
sight: finding an environment is the job's own time. Exit 1 above the goal of 1 s.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pytest

from fakes.toy_project import Toy
from mlresearch.campaign import derived, loop
from mlresearch.campaign.rules import Step
from mlresearch.campaign.state import Campaign

GOAL_S = 1.0
LAST = 10


def silent(step: Step, campaign: Campaign) -> None:
    """Draw nothing."""


def bookkeeping(toy: Toy, since: str, until: str) -> tuple[float, float]:
    """Seconds beside the jobs and in them, per experiment, between the plans of two experiments."""
    begun = {row["experiment"]: row["ts"] for row in toy.rows("planned")}
    span = begun[until] - begun[since]
    inside = [row for row in toy.rows("settled") if begun[since] <= row["started_at"] < begun[until]]
    trained = sum(row["ended_at"] - row["started_at"] for row in inside)
    count = int(until[1:]) - int(since[1:])
    return (span - trained) / count, trained / count


def main() -> int:
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        toy = Toy(Path(name))
        toy.use(patch)
        toy.write({
            "Keep or discard": {"max_experiments": experiments, "stop_after_no_gain": experiments},
            "Budget envelope": {"max_parallel": 1, "max_jobs": 10 * experiments + 100, "max_walltime": "30d"},
        })  # fmt: skip
        toy.approve()
        loop.run(toy.path, silent)
        begun = time.perf_counter()
        derived.write(toy.path)
        reported = time.perf_counter() - begun
        names = [row["experiment"] for row in toy.rows("planned")]
        told = {
            "first 10": bookkeeping(toy, names[0], names[min(LAST, len(names) - 1)]),
            "last 10": bookkeeping(toy, names[-LAST - 1], names[-1]),
            "all": bookkeeping(toy, names[0], names[-1]),
        }
        print(f"{len(names)} experiments, {len(toy.rows('settled'))} jobs, {len(toy.rows())} ledger rows")
    print(f"{'experiments':12} {'bookkeeping':>12} {'training':>10} {'share of goal':>14}")
    for label, (beside, trained) in told.items():
        print(f"{label:12} {beside:11.3f}s {trained:9.3f}s {beside / GOAL_S:13.0%}")
    print(f"reports, once: {reported:.3f}s")
    return 0 if max(beside for beside, _ in told.values()) <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
