"""`runs/events.jsonl`: what the watcher saw, one JSON object a line. Derived from ledger and logs; decides nothing.

One process writes: the watcher, under its lock. Anybody reads, from a byte offset. A line that was cut by a kill is
closed by the next write and skipped by readers; an end that is still being written is left for the next look. Secrets
are taken out before a line is written. `seq` is the ledger row up to which the events have told.
"""

from __future__ import annotations

import json
import math
import os
import time
from contextlib import suppress
from typing import Any

from mlresearch import redact

LONGEST_TEXT = 500


def path_of(root: str) -> str:
    return os.path.join(root, "runs", "events.jsonl")


def append(root: str, event: str, seq: int, **fields: Any) -> dict[str, Any]:
    """Write one line and return it as written; raises OSError, and then nothing whole was written."""
    told: dict[str, Any] = _clean({"ts": round(time.time(), 3), "event": event, "seq": seq, **fields})
    line = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(path_of(root)))  # only this one: a project that was removed is not made again
    with open(path_of(root), "a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        if file.write(line) != len(line):
            raise OSError(None, "no room for an event", path_of(root))
    return told


def _clean(value: Any) -> Any:
    """Short texts without secrets, and no number that JSON has no word for."""
    hide = redact.from_environment()

    def cleaned(item: Any) -> Any:
        if isinstance(item, str):
            return hide(item)[:LONGEST_TEXT]
        if isinstance(item, float) and not math.isfinite(item):
            return str(item)
        if isinstance(item, dict):
            return {str(key): cleaned(part) for key, part in item.items()}
        return [cleaned(part) for part in item] if isinstance(item, list | tuple) else item

    return cleaned(value)


def read(root: str, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events after a byte offset, and the offset to go on from. A file that was replaced is read from its start."""
    try:
        with open(path_of(root), "rb") as file:
            if offset > file.seek(0, os.SEEK_END):
                offset = 0
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], 0
    whole = content.rfind(b"\n") + 1
    found = [event for event in map(_parsed, content[:whole].split(b"\n")) if event is not None]
    return found, offset + whole


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    good = isinstance(event, dict) and isinstance(event.get("event"), str) and type(event.get("seq")) is int
    return event if good else None
