"""Waiting that costs nothing: one process a root that settles jobs as they end and writes down what happens.

It does what `jobs.py reconcile` does, again and again, and so may be killed at any moment and started again. It ends by
itself once no job was open for a while. It submits, cancels and decides nothing, and it holds no state: what it has
told stands in the events, where jobs are stands in the ledger.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlresearch import backends, durations, ledger, seal, store
from mlresearch.errors import LedgerError, ResearchError, Unavailable
from mlresearch.jobs import events, notices
from mlresearch.jobs.monitor import Monitor
from mlresearch.jobs.settling import survey
from mlresearch.jobs.submitting import note_denial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlresearch.backends import Backend

IDLE_S = 1800
# a campaign takes a moment between two jobs; only a longer pause is worth telling a person
IDLE_TOLD_S = 60.0
# a source that does not answer once or twice is no news
PATIENT_LOOKS = 3
# ledger rows that are events, and what of each is told
_ROWS = {
    "settled": ("job", "stage", "exit_code", "billed_s", "billed_micro"),
    "adopted": ("job", "job_id"),
    "released": ("job", "why"),
    "stopped": ("reason", "message"),
    "finalized": ("campaign",),
    "closed": ("task", "reason"),
}
_START_S = 60.0
_LOCK_S = 2.0  # somebody who only looks whether a watcher lives holds the lock for a moment


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks: `first_s` after something happened, more and more up to `longest_s`."""

    first_s: float
    longest_s: float


LOCAL, REMOTE = Pace(1.0, 5.0), Pace(15.0, 60.0)


@dataclass(frozen=True)
class Started:
    """`pid` is None when another watcher was there and has not written its own yet."""

    pid: int | None
    already: bool


def log_path(root: str) -> str:
    return os.path.join(root, "runs", "watcher.log")


def _pid_path(root: str) -> str:
    return store.root_dir(root) + "/watcher.json"


def pid_of(root: str) -> int | None:
    """The process of the last watcher; whether it lives, `is_watching` knows."""
    try:
        stored = store.get(_pid_path(root))
    except ResearchError:
        return None
    return stored["pid"] if isinstance(stored, dict) and type(stored.get("pid")) is int else None


def is_watching(root: str) -> bool:
    """Whether a watcher of this root lives: its lock says so, since process ids are used again."""
    try:
        handle = os.open(store.root_dir(root) + "/watcher.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


@contextmanager
def place(root: str) -> Iterator[bool]:
    """Be the one watcher of this root; False when there is one."""
    lock = store.locked(root, "watcher", wait_s=_LOCK_S)
    try:
        lock.__enter__()
    except LedgerError:
        yield False
        return
    try:
        store.put(_pid_path(root), {"pid": os.getpid()})
        yield True
    finally:
        lock.__exit__()


def start(root: str, command: Sequence[str]) -> Started:
    """Run `command`, which takes the place, in a session of its own; returns once it has, or another had it before."""
    if is_watching(root):
        return Started(pid_of(root), True)
    os.makedirs(os.path.dirname(log_path(root)), exist_ok=True)
    with open(log_path(root), "ab") as log:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    give_up = time.monotonic() + _START_S
    while pid_of(root) != process.pid:
        if process.poll() is not None:
            if process.returncode:
                raise ResearchError("the watcher did not start", next_step=f"read {log_path(root)}")
            return Started(pid_of(root), True)
        if time.monotonic() > give_up:
            process.kill()
            raise ResearchError(f"the watcher did not start in {_START_S:.0f}s", next_step=f"read {log_path(root)}")
        time.sleep(0.05)
    return Started(process.pid, False)


class Watcher:
    """One root's watcher; `run` must be called inside `place`. `say` takes lines for its log."""

    def __init__(
        self,
        root: str,
        idle_s: float = IDLE_S,
        pace: Pace | None = None,
        notify: str = "",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.stop = threading.Event()
        self._root, self._idle_s, self._pace, self._notify, self._say = root, idle_s, pace, notify, say
        self._seq = 0
        self._failures: dict[str, int] = {}
        self._troubled: set[str] = set()
        self._is_told_idle = True
        self._monitor = Monitor(root)

    def run(self) -> str:
        """Look until told to stop, or no job was open for `idle_s`; returns why it ended."""
        before = events.read(self._root)[0]
        self._seq, self._monitor = self._told_up_to(before), Monitor(self._root, before)
        self._tell("watching", pid=os.getpid())
        why = "it failed"
        try:
            why = self._loop()
        except Exception as error:
            why = f"it failed: {error.__class__.__name__}: {error}"
            raise
        finally:
            self._tell("unwatched", why=why)
        return why

    def _told_up_to(self, before: Sequence[Mapping[str, Any]]) -> int:
        """The ledger row that a watcher before this one has told; what is older than the first watcher is no news."""
        try:
            return int(before[-1]["seq"]) if before else ledger.standing(self._root).seq
        except ResearchError:
            return 0

    def _loop(self) -> str:
        open_at, pause = time.monotonic(), 0.0
        while not self.stop.wait(pause):
            if not os.path.isdir(self._root):
                return "its folder is gone"
            before, is_open, pace = self._seq, self._look(), self._pace or self._pace_of_jobs()
            idle_s = time.monotonic() - open_at
            if is_open or self._seq != before:
                open_at, self._is_told_idle = time.monotonic(), False
            elif not self._is_told_idle and idle_s >= min(IDLE_TOLD_S, self._idle_s):
                self._is_told_idle = True
                self._tell("idle", why=f"no job was open for {durations.show(int(idle_s))}")
            elif idle_s >= self._idle_s:
                return f"no job was open for {durations.show(int(idle_s))}"
            is_new = self._seq != before or not pause
            pause = pace.first_s if is_new else min(max(pause, pace.first_s) * 1.3, pace.longest_s)
        return "it was told to stop"

    def _pace_of_jobs(self) -> Pace:
        try:
            names = {held["backend"] for held in ledger.standing(self._root).open.values()}
        except (ResearchError, OSError):
            return REMOTE
        return LOCAL if names <= {"local"} else REMOTE

    def _look(self) -> bool:
        """Settle what has ended and tell it; whether a job is open, as far as that can be known."""
        troubles: dict[str, Exception] = {}
        try:
            approved = seal.load(self._root)
            if approved is not None:
                note_denial(self._root, approved)
            engines = self._engines(troubles)
            self._monitor.follow(ledger.standing(self._root).open, engines)
            troubles |= survey(self._root, engines).troubles
            held = ledger.standing(self._root).open
            is_open = bool(held)
            for event, fields in self._monitor.look(held):
                self._tell(event, **fields)
            self._tell_rows()
        except (ResearchError, OSError) as error:
            troubles["ledger"] = error
            is_open = False
        self._tell_troubles(troubles)
        return is_open

    def _engines(self, troubles: dict[str, Exception]) -> dict[str, Backend]:
        """Made anew for each look, so that a login since then counts."""
        found = {}
        for name in {held["backend"] for held in ledger.standing(self._root).open.values()}:
            try:
                found[name] = backends.get(name, self._root)
            except ResearchError as error:
                troubles[name] = error
        return found

    def _tell_rows(self) -> None:
        """The ledger's rows since the last look, whoever wrote them: each once, as the events say how far it is."""
        seq = ledger.standing(self._root).seq
        if seq == self._seq:
            return
        self._seq = 0 if seq < self._seq else self._seq
        values: dict[str, Any] = {}
        for row in ledger.rows(self._root):
            if row["event"] == "measured":
                values[row["job"]] = row["value"]
            if row["seq"] <= self._seq or row["event"] not in _ROWS:
                continue
            value = {"value": values.get(row["job"])} if row["event"] == "settled" else {}
            if not self._tell(row["event"], row["seq"], **{key: row.get(key) for key in _ROWS[row["event"]]}, **value):
                return
            self._seq = row["seq"]
        self._seq = seq

    def _tell_troubles(self, troubles: Mapping[str, Exception]) -> None:
        """A source that is away for a while is told once, a refusal at once; and when it is over."""
        self._failures = {place: self._failures.get(place, 0) + 1 for place in troubles}
        for place, error in troubles.items():
            patient = isinstance(error, Unavailable | LedgerError | OSError)
            if place in self._troubled or (patient and self._failures[place] < PATIENT_LOOKS):
                continue
            self._troubled.add(place)
            next_step = getattr(error, "next_step", "") or "jobs.py reconcile"
            self._tell("trouble", place=place, why=getattr(error, "wrong", str(error)), next=next_step)
        for place in sorted(self._troubled - set(troubles)):
            self._troubled.remove(place)
            self._tell("recovered", place=place)

    def _tell(self, event: str, seq: int | None = None, **fields: Any) -> bool:
        """One event to the file, and to a person where it is one for them. A full disk stops no settling."""
        try:
            told = events.append(self._root, event, self._seq if seq is None else seq, **fields)
        except OSError as error:
            self._say(f"{event} was not written: {error.strerror}")
            return False
        if self._notify and notices.wanted(told):
            fault = notices.send(self._notify, told)
            if fault:
                self._say(fault)
        return True
