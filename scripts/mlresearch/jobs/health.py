"""How a job's training goes, from the lines of its log as they come: steps, losses, alerts, silence.

Owns what healthy, nan, diverged and stalled mean. Reads no clock, no file and no backend: lines and times are handed
in. It refuses to call a job stalled before its first step, because loading may take any time: there the job's own
timeout is the limit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median

from mlresearch.jobs.readings import Alert, Reading, plain, read

WAITING, HEALTHY, ALERT, NAN, DIVERGED, STALLED = "waiting", "healthy", "alert", "nan", "diverged", "stalled"
SIGNS = (ALERT, NAN, DIVERGED, STALLED)  # what a person or a model should look at, most telling first

# no new step for this many times the usual pause between two, and twice the longest pause so far
STALL_MULTIPLE = 10
LONGEST_MULTIPLE = 2
# and in no case sooner: an evaluation or a checkpoint takes a while
STALL_FLOOR_S = 600.0
# a loss this many times its first value, and larger by one, in so many reports in a row, does not come back
DIVERGED_AT = 10.0
DIVERGED_REPORTS = 3
KEPT_PAUSES = 50
BURST_S = 0.05  # lines closer than this came at once


@dataclass(frozen=True)
class State:
    """`verdict` is one of SIGNS, HEALTHY or WAITING; `step_s` seconds a step, None until two are seen apart."""

    verdict: str
    why: str
    step: int | None
    total: int | None
    step_s: float | None
    metrics: dict[str, float] = field(default_factory=dict)


class Health:
    """Feed it every line of one job's log in order; ask `state` whenever.

    `metric_pattern` is the campaign's, whose first group is the metric. `stall_after_s` is the shortest silence that
    counts as a stall. `at` and `now` are seconds of any one clock that does not run back.
    """

    def __init__(self, metric_pattern: str | None = None, stall_after_s: float = STALL_FLOOR_S) -> None:
        self.alerts: list[Alert] = []  # those of the log
        self.lines = 0
        self._search: Callable[[str], re.Match[str] | None] | None = None
        if metric_pattern is not None:
            self._search = re.compile(metric_pattern).search
        self._stall_after_s = stall_after_s
        self._told = 0
        self._signs: dict[str, str] = {}
        self._known: set[str] = set()
        self._metrics: dict[str, float] = {}
        self._curves: dict[str, _Curve] = {}
        self._pace = _Pace()
        self._started = False

    def feed(self, line: str, at: float) -> None:
        """One line as the log has it, seen at `at`."""
        self.lines += 1
        # a bar is drawn over with carriage returns: each state of it may hold a step
        for part in line.split("\r"):
            self._take(read(part), at)
            self._match(plain(part))

    def acknowledge(self) -> None:
        """What stands in the lines so far is known to the caller: it is no news, and another alert will be."""
        self._known |= {*self._signs}
        self._told = len(self.alerts)

    def state(self, now: float, alerts: Iterable[Alert] | None = None) -> State:
        """How it goes; `alerts` are the news where they are not those of the log since `acknowledge`."""
        verdict, why = self._judge(now, self.alerts[self._told :] if alerts is None else alerts)
        pace = self._pace
        return State(verdict, why, pace.step, pace.total, pace.step_s, dict(self._metrics))

    def verdict(self, now: float) -> str:
        return self.state(now).verdict

    def _judge(self, now: float, alerts: Iterable[Alert]) -> tuple[str, str]:
        error = next((alert for alert in alerts if alert.level == "error"), None)
        if error is not None:
            return ALERT, error.said
        for sign in (NAN, DIVERGED):
            if sign in self._signs and sign not in self._known:
                return sign, self._signs[sign]
        if not self._started:
            return WAITING, "no step and no metric so far"
        silent_s, limit_s = self._pace.silence(now), self.stall_limit_s
        if silent_s is not None and silent_s > limit_s:
            return STALLED, f"no new step for {silent_s:.0f}s, where {limit_s:.0f}s were allowed"
        return HEALTHY, "training goes on"

    @property
    def stall_limit_s(self) -> float:
        """How long no new step may come."""
        return max(self._stall_after_s, STALL_MULTIPLE * self._pace.usual_s, LONGEST_MULTIPLE * self._pace.longest_s)

    def _take(self, reading: Reading, at: float) -> None:
        if reading.alert is not None:
            self.alerts.append(replace(reading.alert, line=self.lines))
        self._started = self._started or reading.is_training
        self._pace.take(reading, at)
        self._metrics |= {name: value for name, value in reading.metrics.items() if math.isfinite(value)}
        for name, value in reading.losses.items():
            self._loss(name, value, reading)

    def _match(self, text: str) -> None:
        found = self._search(text[:10_000]) if self._search is not None else None
        try:
            value = float(found[1]) if found is not None else None
        except (IndexError, TypeError, ValueError):
            return
        if value is None:
            return
        self._started = True
        if math.isfinite(value):
            self._metrics["metric"] = value
        else:
            self._sign(NAN, f"the metric is {value}")

    def _loss(self, name: str, value: float, reading: Reading) -> None:
        place = "" if reading.step is None else f" at step {reading.step}"
        # the Transformers Trainer logs 0 for a loss that is NaN, and its gradient's norm as it is
        hidden = value == 0 and not math.isfinite(reading.metrics.get("grad_norm", 0.0))
        if hidden or not math.isfinite(value):
            self._sign(NAN, f"{name} is {value:g}{' with a NaN gradient' if hidden else ''}{place}")
        elif self._curves.setdefault(name, _Curve(value)).is_lost(value):
            self._sign(DIVERGED, f"{name} was {self._curves[name].first:g} and is {value:g}{place}")

    def _sign(self, sign: str, why: str) -> None:
        self._signs[sign] = self._signs.get(sign) or why


class _Curve:
    """One loss: its first value, and how many reports in a row lie far above it."""

    def __init__(self, first: float) -> None:
        self.first, self._above = first, 0

    def is_lost(self, value: float) -> bool:
        limit = max(DIVERGED_AT * self.first, self.first + 1)
        self._above = self._above + 1 if value > limit else 0
        return self._above >= DIVERGED_REPORTS


class _Pace:
    """Steps and the pauses between them. A count that stands still, however often it is said, is no progress."""

    def __init__(self) -> None:
        self.step: int | None = None
        self.total: int | None = None
        self.longest_s = 0.0
        self._counts: dict[str, int] = {}
        self._main = ""
        self._moved_at: float | None = None
        self._pauses: list[float] = []
        self._rate = _Rate()
        self._is_over = False

    @property
    def usual_s(self) -> float:
        """Seconds between two signs of progress, 0 until two are seen apart."""
        return median(self._pauses) if self._pauses else 0.0

    @property
    def step_s(self) -> float | None:
        return self._rate.step_s

    def silence(self, now: float) -> float | None:
        """Seconds since the last progress; None once the last step is done: what follows has no steps."""
        if self._moved_at is None or self._is_over:
            return None
        return now - self._moved_at

    def take(self, reading: Reading, at: float) -> None:
        self._is_over = self._is_over or reading.is_over
        if not self._has_moved(reading):
            return
        pause_s = 0.0 if self._moved_at is None else at - self._moved_at
        if pause_s >= BURST_S:
            self._pauses = [*self._pauses[1 - KEPT_PAUSES :], pause_s]
            self.longest_s = max(self.longest_s, pause_s)
        self._moved_at = at
        if reading.is_training and reading.step is not None:
            self._count(reading, reading.step, at)

    def _has_moved(self, reading: Reading) -> bool:
        if not reading.counter:
            return reading.is_training
        count = -1 if reading.step is None else reading.step
        moved = self._counts.get(reading.counter) != count
        self._counts[reading.counter] = count
        return moved

    def _count(self, reading: Reading, step: int, at: float) -> None:
        """The step that is told: of what says `step`, else of a bar."""
        ends = reading.total is not None and step >= reading.total
        if self._main == "step" and reading.counter != "step":
            self._is_over = self._is_over or ends
            return
        if self._main != reading.counter:
            self._main, self._rate, self.total = reading.counter, _Rate(), None
        self.step, self.total = step, reading.total or self.total
        self._is_over = self.total is not None and step >= self.total
        self._rate.take(step, at)


class _Rate:
    """Seconds a step, from the ends of bursts: lines that come at once, such as a log so far, tell no time."""

    def __init__(self) -> None:
        self._end: tuple[float, int] | None = None  # of the last whole burst
        self._last: tuple[float, int] | None = None
        self._rates: list[float] = []

    @property
    def step_s(self) -> float | None:
        if self._rates:
            return median(self._rates)
        return self._between(self._end, self._last)

    def take(self, step: int, at: float) -> None:
        if self._last is not None and step < self._last[1]:  # a new epoch, or a resumed run
            self._end = self._last = None
        if self._last is not None and at - self._last[0] >= BURST_S:
            rate = self._between(self._end, self._last)
            self._rates = [*self._rates[1 - KEPT_PAUSES :], *([] if rate is None else [rate])]
            self._end = self._last
        self._last = (at, step)

    @staticmethod
    def _between(first: tuple[float, int] | None, last: tuple[float, int] | None) -> float | None:
        if first is None or last is None or last[1] <= first[1]:
            return None
        return (last[0] - first[0]) / (last[1] - first[1])
