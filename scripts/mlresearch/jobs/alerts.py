"""A job's alerts outside its log: Trackio's folder on this machine, or a Trackio server or Space.

Owns where they are looked for, and the cursor that says which ones a caller has been told. Local folders are read as
the SQLite files that they are: measured of Trackio 0.43.0, importing it takes 1.3 s and its command 1.5 s, this read
1 ms, and nothing here needs Trackio installed beside our own commands. A source that can not be read raises
Unavailable: silence must not pass for health.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from mlresearch.errors import Unavailable, UsageError, shown
from mlresearch.jobs import readings
from mlresearch.jobs.readings import Alert

SERVER_WAIT_S = 20.0
_BUSY_S = 2.0
_SPACE = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?]|$)")
_QUERY = "SELECT timestamp, run_name, title, text, level, step FROM alerts ORDER BY timestamp"
_LEVELS = ("info", "warn", "error")


class Source(Protocol):
    name: str

    @property
    def is_there(self) -> bool:
        """False for a folder that nobody has written to so far; it tells no alerts then."""

    def read(self, since: str | None) -> list[Alert]:
        """Oldest first. `since` is a timestamp that this source gave, never another spelling: it is compared as text.

        A source may return older ones too. Raises Unavailable when it can not be read.
        """


@dataclass(frozen=True)
class Cursor:
    """What a caller has been told of one job: so many lines of its log, and alerts up to a timestamp of Trackio's."""

    job: str
    lines: int = 0
    timestamp: str | None = None

    def __str__(self) -> str:
        return f"{self.job}:{self.lines}:{self.timestamp or ''}"


def cursor(text: str | None, job: str) -> Cursor:
    """The cursor that an earlier call gave; raises UsageError for any other text, and for another job's."""
    if text is None:
        return Cursor(job)
    found = re.fullmatch(r"([^:]*):(\d{1,15}):(\d{4}-\d\d-\d\dT[\d:.]+\+00:00)?", text, re.ASCII)
    if found is None or found[1] != job:
        raise UsageError(f"--since {shown(text)} is no cursor of {job}", "the cursor of an earlier answer, verbatim")
    return Cursor(job, int(found[2]), found[3])


class Folder:
    """A Trackio folder; `job` picks its own runs, by their name, from one that several jobs share."""

    def __init__(self, path: Path, job: str | None) -> None:
        self.name, self._path, self._job = f"trackio {path}", path, job

    @property
    def is_there(self) -> bool:
        return self._path.is_dir()

    def read(self, since: str | None) -> list[Alert]:
        return [found for base in sorted(self._path.glob("*.db")) for found in self._of_project(base)]

    def _of_project(self, base: Path) -> list[Alert]:
        try:
            with closing(sqlite3.connect(f"file:{quote(str(base))}?mode=ro", uri=True, timeout=_BUSY_S)) as project:
                rows = project.execute(_QUERY).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(f"{base} can not be read as Trackio's: {error}", next_step="read the log") from None
        return [
            _alert(level, title, text, step, timestamp)
            for timestamp, run, title, text, level, step in rows
            if self._job is None or self._job in str(run).split("/")
        ]


class Server:
    """A self-hosted Trackio or a Space. Only a Space is shown the token, see `token_for`.

    An address is this machine's, or the one in TRACKIO_SERVER_URL: whoever words a command sends nothing elsewhere.
    """

    def __init__(self, place: str, project: str, run: str | None = None, token: str | None = None) -> None:
        self.name, self._project, self._run = f"trackio {place}", project, run
        is_space = bool(_SPACE.fullmatch(place))
        if not is_space and not _is_own(place):
            allowed = "owner/name, an address of this machine, or the one in TRACKIO_SERVER_URL"
            raise UsageError(f"--space {shown(place)} is no place of a dashboard", allowed)
        self._url = _address(place) if is_space else place.partition("?")[0].rstrip("/")
        self._headers = {"content-type": "application/json"}
        if is_space and token:
            self._headers["authorization"] = f"Bearer {token}"

    is_there = True

    def read(self, since: str | None) -> list[Alert]:
        asked = {"project": self._project, "run": self._run, "since": since}
        body = json.dumps({"args": [], "kwargs": asked}).encode()
        request = urllib.request.Request(f"{self._url}/api/get_alerts", body, self._headers)
        try:
            with urllib.request.urlopen(request, timeout=SERVER_WAIT_S) as answer:
                rows = json.load(answer)["data"]
            found = [_alert(row["level"], row["title"], row["text"], row["step"], row["timestamp"]) for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self.name} does not tell its alerts: {error}", next_step="read the log") from None
        return found[::-1]


def _is_own(address: str) -> bool:
    known = os.environ.get("TRACKIO_SERVER_URL", "").partition("?")[0]
    is_known = address.partition("?")[0] == known and address.startswith(("http://", "https://"))
    return is_known or bool(_LOOPBACK.match(address))


def _address(space: str) -> str:
    return f"https://{re.sub(r'[/_.]', '-', space.lower())}.hf.space"


def _alert(level: Any, title: Any, text: Any, step: Any, timestamp: Any) -> Alert:
    known = str(level) if level in _LEVELS else "error"  # of an unknown level: better looked at than lost
    return readings.alert(
        known, str(title or ""), str(text or ""), step if isinstance(step, int) else None, str(timestamp)
    )


def token_for(place: str) -> str | None:
    """The Hub's token for a Space of the token's owner or of their organizations: another owner could keep it."""
    from mlresearch.backends.hf_hub import Hub, Patience

    hub = Hub(None, Patience())
    token = hub.token if _SPACE.fullmatch(place) else None
    if token is None:
        return None
    owners = [hub.account["name"], *(organization["name"] for organization in hub.account.get("orgs", ()))]
    return token if place.partition("/")[0] in owners else None


def of_local(root: str, job: str) -> list[Source]:
    """The Trackio folders that a job of this machine may write to: its own, and the campaign's."""
    runs = Path(os.path.realpath(root)) / "runs"
    return [Folder(runs / "jobs" / job / "out" / "trackio", None), Folder(runs / "trackio", job)]


def news(logged: Iterable[Alert], stored: Iterable[Alert], known: Cursor) -> list[Alert]:
    """Every alert that the cursor's owner does not know, once: one in both places is taken as Trackio has it."""
    waiting: dict[Any, list[Alert]] = defaultdict(list)
    for found in stored:
        waiting[found.key].append(found)
    merged = [_joined(found, waiting[found.key]) for found in logged]
    merged += [found for rest in waiting.values() for found in rest]
    return sorted((found for found in merged if not _is_known(found, known)), key=_place)


def _joined(logged: Alert, stored: list[Alert]) -> Alert:
    return replace(stored.pop(0), line=logged.line) if stored else logged


def _is_known(found: Alert, known: Cursor) -> bool:
    by_line = found.line is not None and found.line <= known.lines
    by_time = found.timestamp is not None and known.timestamp is not None and found.timestamp <= known.timestamp
    return by_line or by_time


def _place(found: Alert) -> tuple[bool, int, str]:
    return found.line is None, found.line or 0, found.timestamp or ""


def latest(told: Iterable[Alert], known: Cursor, lines: int) -> Cursor:
    """The cursor after `lines` of the log and these alerts."""
    stamps = [found.timestamp for found in told if found.timestamp is not None]
    newest = max([*stamps, *([known.timestamp] if known.timestamp else [])], default=None)
    return Cursor(known.job, max(lines, known.lines), newest)
