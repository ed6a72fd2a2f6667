"""A task's record: runs/TASK/journal.jsonl, one event a line, each with the hash of the line before.

Owns how it is written (append, fsync, under a lock) and checked. A last line that a kill cut short never happened: it
is left out when read and cut off before the next is written. Any other damage is an error that names the line.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlresearch import store
from mlresearch.errors import GateError, NotFound

Row = dict[str, Any]
FIRST = "0" * 64


def folder(root: str, task: str) -> Path:
    return Path(root, "runs", task)


def tasks(root: str) -> list[str]:
    """Every task of this project, the oldest first. One whose first row was cut short never began."""
    found = {path.parent.name: _began(path) for path in Path(root, "runs").glob("*/journal.jsonl")}
    return sorted((name for name, began in found.items() if began is not None), key=lambda name: (found[name], name))


def root_above(here: str) -> str | None:
    """The nearest folder from `here` upwards that holds a task; None when there is none."""
    return next((place for place in (here, *map(str, Path(here).parents)) if tasks(place)), None)


def _began(path: Path) -> float | None:
    with path.open("rb") as file:
        line = file.readline()
    row = _row(line) if line.endswith(b"\n") else None
    began = row.get("ts") if row is not None else 0.0  # a damaged first row must be told, not passed over
    return (began if isinstance(began, float) else 0.0) if line.endswith(b"\n") else None


def rows(root: str, task: str) -> list[Row]:
    """Every row; raises NotFound for no such task, GateError naming a row that was damaged, edited or reordered."""
    try:
        content = (folder(root, task) / "journal.jsonl").read_bytes()
    except FileNotFoundError:
        known = ", ".join(tasks(root)) or "none"
        raise NotFound(f"there is no task {task!r} here", f"tasks: {known}", "pipeline.py start") from None
    found: list[Row] = []
    last = FIRST
    for number, line in enumerate(content.split(b"\n")[:-1]):
        row = _row(line)
        if row is None or row.get("seq") != number or row.get("prev") != last:
            told = f"runs/{task}/journal.jsonl line {number + 1} was damaged, edited or reordered"
            raise GateError(told, "the file as the commands wrote it", "put the file back, or start a new task")
        last = hashlib.sha256(line).hexdigest()
        found.append(row)
    return found


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


@contextmanager
def held(root: str, task: str) -> Iterator[None]:
    """Only one command at a time changes a task."""
    with store.locked(root, f"task-{task}"):
        yield


def append(root: str, name: str, event: str, /, **fields: Any) -> Row:
    """Write one row, durable when this returns. To be called inside `held`."""
    path = folder(root, name) / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "r+b") as file:
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.split(b"\n")[:-1]
        prev = hashlib.sha256(lines[-1]).hexdigest() if lines else FIRST
        row = {"seq": len(lines), "ts": time.time(), "prev": prev, "event": event, **fields}
        file.truncate(len(whole))
        file.seek(len(whole))
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if not lines:
        store.sync_folder(str(path.parent))
    return row
