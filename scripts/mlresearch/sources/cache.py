"""Answers kept on disk, each with its age; refuses to hand out one that is too old, damaged or from the future.

A key is made of what was asked, never of a token. A file is replaced whole, so that processes may write at once; the
oldest files go when the folder grows past its bound. What can not be read or written is a miss: a cache is no record.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass

from mlresearch import store
from mlresearch.errors import SealError

MOST_BYTES = 256 * 1024 * 1024
MOST_FILES = 5000


@dataclass(frozen=True)
class Kept:
    body: bytes
    kind: str
    url: str
    age_s: float


def key(*parts: object) -> str:
    """The name of an answer to this question."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def get(name: str, ttl_s: float) -> Kept | None:
    """The kept answer when it is not older than `ttl_s` seconds."""
    try:
        value = store.get(_path(name))
    except SealError:
        return None
    if not isinstance(value, dict) or ttl_s <= 0:
        return None
    try:
        age_s = time.time() - float(value["at"])
        body = base64.b64decode(value["body"], validate=True)
        kept = Kept(body, str(value["kind"]), str(value["url"]), age_s)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    return kept if 0 <= age_s <= ttl_s else None


def put(name: str, body: bytes, kind: str, url: str) -> None:
    """Keep an answer; a full disk or a read-only home only means that it is not kept."""
    value = {"at": time.time(), "body": base64.b64encode(body).decode("ascii"), "kind": kind, "url": url}
    with suppress(OSError):
        store.put(_path(name), value, is_synced=False)
        _prune(os.path.dirname(_path(name)))


def told(age_s: float) -> str:
    """An age as an answer shows it, such as "cached 3 h ago"; empty for an answer of this moment."""
    if age_s <= 0:
        return ""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= seconds:
            return f"cached {age_s / seconds:.0f} {unit} ago"
    return f"cached {age_s:.0f} s ago"


def _path(name: str) -> str:
    return f"{store.base()}/cache/web/{name}.json"


def _prune(folder: str) -> None:
    """Remove the oldest files until the folder is within its bounds; another process may do the same."""
    held = []
    for entry in os.scandir(folder):
        with suppress(FileNotFoundError):
            state = entry.stat()
            held.append((state.st_mtime, state.st_size, entry.path))
    size, count = sum(each[1] for each in held), len(held)
    for _, bytes_, path in sorted(held):
        if size <= MOST_BYTES and count <= MOST_FILES:
            return
        with suppress(FileNotFoundError):
            os.unlink(path)
        size, count = size - bytes_, count - 1
