"""What a report tells of a campaign: the shape of it, not its words. Filled by `fold`.

Every score, gain and decision is as its row has it; what no row says yet is None.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlresearch import stats

BASELINE = "baseline"


@dataclass(frozen=True)
class Run:
    job: str
    seed: int | None
    purpose: str
    value: float | None
    log_sha256: str


@dataclass(frozen=True)
class Experiment:
    """One planned change. `state` is open until a row decides it; a candidate still waits for fresh runs.

    `best` is the incumbent's score after the decision, `decided` the seq of its row.
    """

    name: str
    seq: int
    hypothesis: str
    lever: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    state: str = "open"
    gain: float | None = None
    gain_sigma: float | None = None
    interval: tuple[float, float] | None = None
    best: float | None = None
    decided: int | None = None
    runs: tuple[Run, ...] = ()
    jobs: int = 0
    seconds: int = 0
    micro: int = 0

    def values(self, purpose: str) -> list[float]:
        return [run.value for run in self.runs if run.purpose == purpose and run.value is not None]

    @property
    def shown(self) -> float | None:
        """Where a plot puts it: the mean of its fresh runs, else its screening run."""
        values = self.values("confirm") or self.values("screen")
        return stats.mean(values) if values else None

    @property
    def log_sha256(self) -> str:
        return next((run.log_sha256 for run in self.runs if run.log_sha256), "")


@dataclass(frozen=True)
class Baseline:
    values: tuple[float, ...]
    seeds: tuple[int | None, ...]
    mean: float
    sigma: float


@dataclass(frozen=True)
class Finalist:
    experiment: str
    search: float | None
    sealed: tuple[float | None, ...]
    seeds: tuple[int | None, ...] = ()
    trained: tuple[str, ...] = ()  # where the final models are: folders, or repositories of the Hub
    examples: int | None = None  # of the sealed data; None where no log tells, or they differ
    stderrs: tuple[float, ...] = ()  # of the sealed scores over the examples

    @property
    def score(self) -> float | None:
        values = [value for value in self.sealed if value is not None]
        return stats.mean(values) if values else None

    @property
    def stderr(self) -> float | None:
        """Of `score`; None where neither a log nor a second seed tells.

        Every seed is scored on the same examples, so the error over examples does not shrink with more seeds; the
        scatter of the seeds does.
        """
        values = [value for value in self.sealed if value is not None]
        over_seeds = statistics.variance(values) / len(values) if len(values) > 1 else 0.0
        if not self.stderrs and len(values) < 2:
            return None
        return math.hypot(stats.mean(self.stderrs) if self.stderrs else 0.0, math.sqrt(over_seeds))


@dataclass(frozen=True)
class Final:
    baseline: Finalist
    incumbent: Finalist
    gap: float | None


@dataclass(frozen=True)
class Limits:
    """None: the rows and the program do not say."""

    jobs: int | None = None
    seconds: int | None = None
    micro: int | None = None


@dataclass(frozen=True)
class Spend:
    """Totals after one bill."""

    ts: float
    seconds: int
    micro: int


@dataclass(frozen=True)
class Story:
    metric: str
    direction: str
    target: float | None
    campaign: str
    limits: Limits
    baseline: Baseline | None
    incumbent: tuple[str, float] | None
    experiments: tuple[Experiment, ...]
    jobs: int
    open_jobs: int
    spend: tuple[Spend, ...]
    began: float | None
    ended: float | None
    rows: int
    stopped: tuple[str, str] | None
    final: Final | None
    revoked: bool
    backend: str | None = None  # None: the program does not say
    space: str | None = None  # owner/name of the Trackio Space that the program chose

    @property
    def seconds(self) -> int:
        return self.spend[-1].seconds if self.spend else 0

    @property
    def micro(self) -> int:
        return self.spend[-1].micro if self.spend else 0

    def in_order(self) -> list[Experiment]:
        """By decision: not the order of planning where experiments ran side by side; open ones last."""
        return sorted(self.experiments, key=lambda told: (told.decided or math.inf, told.seq))

    def having(self, *states: str) -> list[Experiment]:
        return [experiment for experiment in self.experiments if experiment.state in states]
