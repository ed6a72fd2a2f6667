"""The health of every open job for the watcher: alerts, NaN, divergence, a stall, each told once.

What was told stands in the events, with the cursor it was told up to, so that the next watcher repeats nothing. It
sees what a job says while it is open. It refuses to judge or to cancel: it tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from mlresearch.backends import Backend, JobRef
from mlresearch.errors import Unavailable, UsageError
from mlresearch.jobs import alerts, settling
from mlresearch.jobs.alerts import Cursor
from mlresearch.jobs.following import Follower
from mlresearch.jobs.health import DIVERGED, HEALTHY, NAN, STALLED, Health
from mlresearch.jobs.readings import Alert

ALERT = "alert"
TOLD_LEVELS = ("warn", "error")
_LAST_LINES_S = 20.0

# an event's name and its fields
Sign = tuple[str, dict[str, Any]]


class Monitor:
    def __init__(self, root: str, before: Iterable[Mapping[str, Any]] = ()) -> None:
        """`before` are the events of earlier watchers."""
        self._root = root
        self._cursors: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        self._eyes: dict[str, _Eye | None] = {}  # None for a job that is no longer looked at
        for event in before:
            job = str(event.get("job"))
            self._told.add((job, event["event"]))
            if event["event"] == ALERT:
                self._cursors[job] = str(event.get("cursor"))

    def follow(self, held: Mapping[str, Mapping[str, Any]], backends: Mapping[str, Backend]) -> None:
        """Follow every job that is open by the ledger; call it before settling, which closes those that have ended."""
        for job, one in held.items():
            backend = backends.get(one["backend"])
            if job not in self._eyes and one["job_id"] is not None and backend is not None:
                pattern = settling.metric_pattern(self._root, dict(one))
                self._eyes[job] = _Eye(self._root, job, one["job_id"], backend, pattern, self._cursors.get(job))

    def look(self, held: Mapping[str, Mapping[str, Any]]) -> Iterator[Sign]:
        """What is new of the jobs that are open, and at last of those that no longer are."""
        for job, eye in list(self._eyes.items()):
            if eye is None:
                continue
            if job not in held:
                eye.follower.wait_for_end(_LAST_LINES_S)
            try:
                yield from self._signs(job, eye)
            except Exception as error:  # whatever is wrong with one log, the watcher goes on settling
                eye.follower.stop()
                self._eyes[job] = None
                yield "trouble", {"place": job, "why": f"its log can not be followed: {error}", "next": "jobs.py logs"}
            if job not in held:
                eye.follower.stop()
                self._eyes[job] = None

    def _signs(self, job: str, eye: _Eye) -> Iterator[Sign]:
        yield from eye.new_alerts()
        state = eye.health.state(time.monotonic(), [])
        if state.verdict == STALLED and eye.follower.trouble is not None:
            return  # a log that can not be read says nothing of the job
        if state.verdict == HEALTHY:
            self._told.discard((job, STALLED))
        if state.verdict in (NAN, DIVERGED, STALLED) and (job, state.verdict) not in self._told:
            self._told.add((job, state.verdict))
            yield state.verdict, {"job": job, "step": state.step, "why": state.why}


class _Eye:
    """One job's log and alerts, and up to where they were told."""

    def __init__(
        self, root: str, job: str, job_id: str, backend: Backend, pattern: str | None, told: str | None
    ) -> None:
        place = JobRef(backend.name, job_id, None)
        self.health = Health(pattern)
        self.follower = Follower(lambda: backend.logs(place, follow=True))
        self._root, self._job, self._is_here = root, job, backend.name == "local"
        self._known = Cursor(job)
        with suppress(UsageError):  # a damaged line tells an alert again, which is better than losing it
            self._known = alerts.cursor(told, job)

    def new_alerts(self) -> Iterator[Sign]:
        for line, at in self.follower.taken():
            self.health.feed(line, at)
        for found in alerts.news(self.health.alerts, self._stored(), self._known):
            self._known = alerts.latest([found], self._known, found.line or 0)
            if found.level in TOLD_LEVELS:
                told = {"job": self._job, "level": found.level, "why": found.said, "step": found.step}
                yield ALERT, {**told, "cursor": str(self._known)}

    def _stored(self) -> list[Alert]:
        found: list[Alert] = []
        for source in alerts.of_local(self._root, self._job) if self._is_here else ():
            with suppress(Unavailable):  # its file is being written; the log holds the same
                found += source.read(self._known.timestamp)
        return found
