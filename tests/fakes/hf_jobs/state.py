"""Jobs of the service. A planned job is a function of the clock: nothing runs, and an hour can pass at once."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.hf_jobs import prices
from fakes.hf_jobs.clock import Clock
from fakes.hf_jobs.execution import Execution

DEFAULT_TIMEOUT_S = 1800
OVER = ("COMPLETED", "CANCELED", "ERROR", "DELETED")


@dataclass(frozen=True)
class Plan:
    """The course of a job: it waits, starts (from here on it is billed), runs and says its lines evenly."""

    queue_s: float = 0.0
    start_s: float = 0.0
    run_s: float = 0.0
    lines: tuple[str, ...] = ()
    exit_code: int = 0
    message: str | None = None


class Job:
    """One job. With `execution` it follows a real process, else its plan."""

    def __init__(self, namespace: str, body: Mapping[str, Any], plan: Plan, clock: Clock) -> None:
        self.id = secrets.token_hex(12)
        self.namespace, self.body, self.plan, self.clock = namespace, body, plan, clock
        self.created = clock.now()
        self.limit_s = float(body.get("timeoutSeconds") or DEFAULT_TIMEOUT_S)
        self.execution: Execution | None = None
        self._canceled: float | None = None

    def execute(self, folder: Path, variables: Mapping[str, str]) -> None:
        body = {**self.body, "timeoutSeconds": self.limit_s}
        self.execution = Execution(body, folder / self.id, self.clock.now, variables)

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.body.get("labels") or {})

    @property
    def starting(self) -> float:
        return self.created + self.plan.queue_s

    @property
    def running(self) -> float:
        """When it began, or would have."""
        return self.starting + self.plan.start_s

    def finished(self) -> float | None:
        """When it ended; None while it has not."""
        ends = [self._own_end(), self._canceled]
        past = [end for end in ends if end is not None and end <= self.clock.now()]
        return min(past) if past else None

    def _own_end(self) -> float | None:
        if self.execution is not None:
            return self.execution.ended
        return self.running + min(self.plan.run_s, self.limit_s)

    def started(self) -> float | None:
        until = self.finished() or self.clock.now()
        return self.running if self.running <= until else None

    def cancel(self) -> None:
        if self.finished() is None:
            self._canceled = self.clock.now()
            if self.execution is not None:
                self.execution.stop()

    def outcome(self) -> tuple[str, str | None]:
        """Stage and message, in the service's words."""
        finished = self.finished()
        if finished is None:
            return ("SCHEDULING", None) if self.started() is None else ("RUNNING", None)
        if finished == self._canceled:
            return "CANCELED", None
        if self._timed_out():
            return "ERROR", self.plan.message or "Job timeout"
        code = self.plan.exit_code if self.execution is None else self.execution.exit_code
        return ("COMPLETED", None) if code == 0 else ("ERROR", self.plan.message or f"Exit code: {code}")

    def _timed_out(self) -> bool:
        return self.execution.timed_out if self.execution is not None else self.plan.run_s > self.limit_s

    def lines(self) -> list[tuple[float, str]]:
        """What it has said so far, with the moments."""
        if self.execution is not None:
            return list(self.execution.lines)
        until, count = self.finished() or self.clock.now(), len(self.plan.lines)
        timed = ((self.running + self.plan.run_s * place / count, line) for place, line in enumerate(self.plan.lines))
        return [(when, line) for when, line in timed if when <= until]

    def durations(self) -> dict[str, int | None]:
        started, until = self.started(), self.finished() or self.clock.now()
        return {
            "schedulingSecs": None if started is None else int(started - self.created),
            "runningSecs": None if started is None else int(until - started),
            "totalSecs": int(until - self.created),
        }

    def bill_micro(self) -> int:
        """What the account pays: every begun minute of starting and running."""
        until = self.finished() or self.clock.now()
        minutes = math.ceil(max(0.0, until - self.starting) / 60)
        return minutes * prices.micro_per_minute(self.body["flavor"])
