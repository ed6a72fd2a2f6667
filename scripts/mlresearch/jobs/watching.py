"""Waits for one job and says why it stopped waiting: it is healthy, something is wrong with it, it has ended.

Books only what settling books. It refuses to act on what it sees: who cancels a job decides that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlresearch import ledger
from mlresearch.backends import Backend, JobRef
from mlresearch.errors import BackendError, ResearchError, Unavailable
from mlresearch.jobs import alerts, settling
from mlresearch.jobs.alerts import Cursor, Source
from mlresearch.jobs.following import Follower
from mlresearch.jobs.health import ALERT, HEALTHY, SIGNS, STALL_FLOOR_S, STALLED, WAITING, Health, State
from mlresearch.jobs.patience import Patience, Tell, silent
from mlresearch.jobs.readings import Alert

ENDED = "ended"
VERDICTS = (HEALTHY, *SIGNS, ENDED, WAITING)

LOOK_S = 0.2  # between two looks at the lines that came
ASK_S = {"local": 0.2}  # between two questions to the backend, and ASK_ELSE_S of any other
ASK_ELSE_S = 5.0
ALERTS_S = {"local": 1.0}
LAST_LINES_S = 45.0  # how long the last lines of an ended job may take to come


@dataclass(frozen=True)
class Terms:
    """When to stop waiting: at the first sign of life (`is_enough` HEALTHY) or the end, by `until` in any case.

    `until` is on the wall clock. What `known` covers is no reason to stop, and is not told again.
    """

    is_enough: str
    until: float
    known: Cursor
    stall_after_s: float = STALL_FLOOR_S


@dataclass(frozen=True)
class Sight:
    """What was seen. `stage` is the backend's, or RESERVED, SUBMITTED or RELEASED where only the ledger tells.

    `blind` says what could not be read, and why: an empty list of alerts means that there are none only without it.
    """

    verdict: str
    why: str
    stage: str
    state: State
    alerts: list[Alert]
    cursor: Cursor
    sources: list[str]
    blind: list[str]


def watch(
    root: str, place: JobRef, terms: Terms, backend: Backend, sources: Iterable[Source] = (), tell: Tell = silent
) -> Sight:
    """Wait for the job of the cursor. Raises BackendError for what waiting does not mend, Unavailable at last."""
    watcher = _Watcher(root, place, terms, backend, sources, tell)
    try:
        return watcher.wait()
    finally:
        watcher.follower.stop()


class _Watcher:
    def __init__(
        self, root: str, place: JobRef, terms: Terms, backend: Backend, sources: Iterable[Source], tell: Tell
    ) -> None:
        self.root, self.job, self.place, self.terms, self.backend = root, terms.known.job, place, terms, backend
        self.health = Health(_pattern(root, self.job), terms.stall_after_s)
        self.follower = Follower(lambda: backend.logs(place, follow=True))
        self.patience = Patience(terms.until, tell)
        self.sources = [_Read(source, ALERTS_S.get(backend.name, ASK_ELSE_S)) for source in sources]
        self.ask_at, self.late = 0.0, ""
        self.troubles: Mapping[str, ResearchError] = {}

    def wait(self) -> Sight:
        while True:
            is_over = self._ask()
            self._look(is_over)
            state = self._state()
            if is_over:
                return self._sight(ENDED, state)
            if state.verdict in SIGNS or state.verdict == HEALTHY == self.terms.is_enough:
                return self._sight(state.verdict, state)
            left_s = self.terms.until - time.time()
            if left_s <= 0:
                self.patience.bear(self.troubles)  # a wait that saw nothing of its job has failed
                return self._sight(state.verdict, state)
            time.sleep(min(LOOK_S, left_s))

    def _ask(self) -> bool:
        """Whether the job is over and settled; asks the backend when it is time to."""
        now = time.monotonic()
        if now >= self.ask_at:
            done = settling.survey(self.root, {self.backend.name: self.backend}, self.job)
            self.troubles = done.troubles
            pause = self.patience.bear(done.troubles)
            self.ask_at = time.monotonic() + max(pause, ASK_S.get(self.backend.name, ASK_ELSE_S))
        return self.job not in ledger.standing(self.root).open

    def _look(self, is_over: bool) -> None:
        if is_over and not self.follower.wait_for_end(LAST_LINES_S):
            self.late = "its last lines did not come"
        for line, at in self.follower.taken():
            self.health.feed(line, at)
            if self.health.lines == self.terms.known.lines:
                self.health.acknowledge()
        for source in self.sources:
            source.look(self.terms.known, is_over)

    def _state(self) -> State:
        """Before the log has been read up to the cursor, only an alert is news: the caller knows the rest.

        Nor is it the job's silence when its log can not be read.
        """
        news = self._news()
        state = self.health.state(time.monotonic(), news)
        if state.verdict == STALLED and self.follower.trouble is not None:
            return replace(state, verdict=WAITING, why="its log can not be read, so that silence says nothing")
        if self.health.lines >= self.terms.known.lines or state.verdict == ALERT:
            return state
        return replace(state, verdict=WAITING, why="the log is being read up to the cursor")

    def _news(self) -> list[Alert]:
        stored = [alert for source in self.sources for alert in source.found]
        return alerts.news(self.health.alerts, stored, self.terms.known)

    def _sight(self, verdict: str, state: State) -> Sight:
        news = self._news()
        there = [one for one in self.sources if one.source.is_there]
        log = self.late if self.follower.trouble is None else self.follower.trouble.wrong
        readers = [("log", log), *((one.source.name, one.trouble and one.trouble.wrong) for one in there)]
        stage, why = _stage(self.root, self.job, self.place, self.backend)
        return Sight(
            verdict=verdict,
            why=why if verdict == ENDED else state.why,
            stage=stage,
            state=state,
            alerts=news,
            cursor=alerts.latest(news, self.terms.known, self.health.lines),
            sources=[name for name, trouble in readers if not trouble],
            blind=[f"{name}: {trouble}" for name, trouble in readers if trouble],
        )


class _Read:
    """One source of alerts, asked no more often than it should be."""

    def __init__(self, source: Source, pause_s: float) -> None:
        self.source = source
        self.found: list[Alert] = []
        self.trouble: ResearchError | None = None
        self._pause_s, self._at = pause_s, 0.0

    def look(self, known: Cursor, at_once: bool) -> None:
        if time.monotonic() < self._at and not at_once:
            return
        try:
            self.found, self.trouble = self.source.read(known.timestamp), None
        except (Unavailable, BackendError) as error:
            self.trouble = error
        self._at = time.monotonic() + self._pause_s


def _pattern(root: str, job: str) -> str | None:
    held = ledger.standing(root).open.get(job)
    return None if held is None else settling.metric_pattern(root, held)


def _stage(root: str, job: str, place: JobRef, backend: Backend) -> tuple[str, str]:
    """The stage, and of an ended job why."""
    rows = [row for row in ledger.rows(root) if row.get("job") == job and row["event"] in ("settled", "released")]
    if rows:
        return _end(rows[-1])
    try:
        return backend.inspect(place).stage, ""
    except (Unavailable, BackendError):
        return "SUBMITTED", ""


def _end(row: dict[str, Any]) -> tuple[str, str]:
    if row["event"] == "released":
        return "RELEASED", str(row["why"])
    code = row["exit_code"]
    return str(row["stage"]), f"it ended {row['stage']}" + ("" if code is None else f", exit code {code}")
