"""Server-sent events: a job's log and its load."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping

from fakes.hf_jobs.state import OVER, Job

TICK_S = 0.02


class Streams:
    """`ends` is whether a log's stream ends with its job; else it stays open, with a sign of life every so often."""

    def __init__(self, closing: threading.Event) -> None:
        self.ends, self.keep_alive_s = True, 30.0
        self._closing = closing

    def log(self, job: Job, tail: int | None) -> Iterator[bytes]:
        """From the first line, or the last `tail`, then live."""
        sent, quiet_s = 0 if tail is None else max(0, len(job.lines()) - tail), 0.0
        if job.started() is not None:
            yield _line(job, job.running, "===== Job started =====")
        while not self._closing.is_set():
            over, lines = job.outcome()[0] in OVER, job.lines()
            for when, text in lines[sent:]:
                yield _line(job, when, text)
            quiet_s = quiet_s + TICK_S if len(lines) == sent else 0.0
            sent = len(lines)
            if over and self.ends:
                return
            if quiet_s >= self.keep_alive_s:
                quiet_s = 0.0
                yield b": keep-alive\n\n"
            self._closing.wait(TICK_S)

    def load(self, job: Job) -> Iterator[bytes]:
        """One sample a second while the job runs."""
        while job.outcome()[0] not in OVER and not self._closing.is_set():
            yield _event({"cpu_usage_pct": 3, "memory_used_bytes": 1 << 20, "gpus": {}, "replica": "a"})
            self._closing.wait(1.0)


def _line(job: Job, when: float, text: str) -> bytes:
    return _event({"timestamp": job.clock.stamp(when), "data": text})


def _event(value: Mapping[str, object]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
