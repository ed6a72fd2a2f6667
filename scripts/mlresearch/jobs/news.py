"""What has changed since the last look: jobs that ended, alerts, troubles, and how long to sleep until the next one.

Owns the cursor (a ledger row and a byte of the events file), where each session's last one is kept, and how long a
job of a kind is expected to take. The ledger is the truth about jobs; only what it does not hold comes from events.
A cursor is remembered after the answer was printed: who dies in between reads the same news again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from mlresearch import ledger, store
from mlresearch.errors import SealError, UsageError, shown
from mlresearch.jobs import events
from mlresearch.jobs.watcher import is_watching

Row = dict[str, Any]

# a screenful: the newest of each kind; how many were left out is told
MOST_ENDED, MOST_TOLD, MOST_OPEN = 12, 8, 6
SHORTEST_SLEEP_S, LONGEST_SLEEP_S = 5, 3600
# what the ledger tells better is not taken from the events
_FROM_LEDGER = ("adopted", "released", "stopped", "finalized", "closed")
_NOT_NEWS = (*_FROM_LEDGER, "settled", "watching")


@dataclass(frozen=True)
class Cursor:
    """Up to which ledger row and which byte of the events a reader has seen; written `12.345`."""

    seq: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.seq}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises UsageError for what no news printed."""
        parts = text.split(".")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts):
            raise UsageError(f"cursor {shown(text)} is none", "the cursor that the last jobs.py news printed, or 0.0")
        return cls(int(parts[0]), int(parts[1]))


@dataclass(frozen=True)
class News:
    """`ended` and `told` hold the newest; `left_out` counts the older ones. `open` is by expected end."""

    since: str
    cursor: str
    ended: list[Row]
    told: list[Row]
    left_out: int
    open: list[Row]
    open_count: int
    sleep_s: int | None
    watching: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def since(root: str, cursor: Cursor) -> News:
    """All that happened after `cursor`; changes nothing. Raises LedgerError for a ledger that can not be trusted."""
    rows = list(ledger.rows(root))
    seq = rows[-1]["seq"] if rows else 0
    if cursor.seq > seq:  # another ledger than the one that was read last
        cursor = Cursor(0, cursor.offset)
    seen, offset = events.read(root, cursor.offset)
    jobs = _jobs(rows)
    new = [row for row in rows if row["seq"] > cursor.seq]
    ended = [_ended(jobs[row["job"]]) for row in new if row["event"] == "settled"]
    told = [_told(row) for row in new if row["event"] in _FROM_LEDGER]
    told += [_told(event) for event in seen if event["event"] not in _NOT_NEWS]
    told.sort(key=lambda one: float(one["ts"]))
    waiting = _open(jobs.values(), time.time())
    return News(
        since=str(cursor),
        cursor=str(Cursor(seq, offset)),
        ended=ended[-MOST_ENDED:],
        told=told[-MOST_TOLD:],
        left_out=max(0, len(ended) - MOST_ENDED) + max(0, len(told) - MOST_TOLD),
        open=waiting[:MOST_OPEN],
        open_count=len(waiting),
        sleep_s=_sleep_s(waiting),
        watching=is_watching(root),
    )


def sleep_s(root: str, job: str | None = None) -> int | None:
    """Seconds until the next open job, or this one, is expected to end; None when there is none."""
    waiting = _open(_jobs(ledger.rows(root)).values(), time.time())
    return _sleep_s([one for one in waiting if job in (None, one["job"])])


def _jobs(rows: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    """Each job of the ledger with its reservation, its measurement and its end in one."""
    jobs: dict[str, Row] = {}
    for row in rows:
        if row["event"] == "reserved":
            keys = ("job", "backend", "flavor", "purpose", "experiment", "timeout_s", "reserved_s", "ts")
            jobs[row["job"]] = {**{key: row[key] for key in keys}, "value": None, "why": "", "stage": None}
        elif row["event"] == "measured":
            jobs[row["job"]] |= {key: row[key] for key in ("value", "why")}
        elif row["event"] == "settled":
            jobs[row["job"]] |= {key: row.get(key) for key in ("stage", "billed_s", "billed_micro", "ended_at")}
        elif row["event"] == "released":
            jobs[row["job"]]["stage"] = "RELEASED"
    return jobs


def _ended(job: Mapping[str, Any]) -> Row:
    keys = ("job", "stage", "experiment", "purpose", "value", "why", "billed_s", "billed_micro")
    return {key: job[key] for key in keys}


def _told(row: Mapping[str, Any]) -> Row:
    return {key: value for key, value in row.items() if key not in ("prev", "seq", "url")}


def _open(jobs: Iterable[Row], now: float) -> list[Row]:
    """Open jobs with the seconds until each is expected to end."""
    known = list(jobs)
    waiting = []
    for job in known:
        if job["stage"] is None:
            left = _left_s(job, [other for other in known if _is_like(job, other)], now)
            keys = ("job", "experiment", "purpose", "backend", "flavor")
            waiting.append({**{key: job[key] for key in keys}, "left_s": left})
    return sorted(waiting, key=lambda one: int(one["left_s"]))


def _is_like(job: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether another job's duration says something about this one's: it completed, and ran the same kind of thing."""
    is_score = [one["purpose"] == "final_score" for one in (job, other)]
    same = all(job[key] == other[key] for key in ("backend", "flavor", "timeout_s")) and is_score[0] == is_score[1]
    return same and other["stage"] == "COMPLETED"


def _left_s(job: Mapping[str, Any], like: list[Row], now: float) -> int:
    """By the median of like jobs, else by the timeout. One that is overdue gets a quarter more, up to its timeout."""
    expected = median(_took_s(other) for other in like) if like else float(job["timeout_s"])
    passed = max(0.0, now - job["ts"])
    latest = max(0.0, job["reserved_s"] - passed)
    left = expected - passed
    return int(left if left > 0 else min(expected / 4, latest)) + 1


def _took_s(job: Mapping[str, Any]) -> float:
    """From the reservation to the end, so with its time in the queue; a provider's clock may differ from ours."""
    billed, ended_at = float(job["billed_s"]), job["ended_at"]
    return billed if ended_at is None else min(max(float(ended_at) - job["ts"], billed), billed + LONGEST_SLEEP_S)


def _sleep_s(waiting: list[Row]) -> int | None:
    if not waiting:
        return None
    return min(max(int(waiting[0]["left_s"]), SHORTEST_SLEEP_S), LONGEST_SLEEP_S)


def _path(root: str, session: str) -> str:
    plain = session and len(session) <= 128 and all(letter.isalnum() or letter in "-_" for letter in session)
    return os.path.join(store.root_dir(root), "news", (session if plain else "terminal") + ".json")


def remembered(root: str, session: str) -> Cursor:
    """Where this session's last look ended; the beginning for a session that has not looked here."""
    try:
        stored = store.get(_path(root, session))
        return Cursor.parse(str(stored["cursor"])) if isinstance(stored, dict) else Cursor()
    except (KeyError, SealError, UsageError):
        return Cursor()


def remember(root: str, session: str, cursor: Cursor) -> None:
    """Call it once the answer is out: a cursor that was kept before would lose what a reader never saw."""
    store.put(_path(root, session), {"cursor": str(cursor)}, is_synced=False)
