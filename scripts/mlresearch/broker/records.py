"""What became of each request, kept in the store: claimed before it is executed, answered after.

Owns exactly-once: a claim is made once, and is on disk before anything is executed. A request that was claimed and has
no answer was under way when the broker died; it is never begun again.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from mlresearch import store
from mlresearch.broker.reply import Reply, load

KEPT_S = 48 * 3600
UNKNOWN = Reply(
    1, "", "error: the broker died while it did this; nobody knows how far it came; next: jobs.py reconcile\n"
)


def _path(root: str, request: str) -> str:
    return f"{store.root_dir(root)}/broker/{request}.json"


def claim(root: str, request: str) -> bool:
    """True once for a request; on disk when it returns."""
    path = _path(root, request)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    store.sync_folder(os.path.dirname(path))
    return True


def answer(root: str, request: str, reply: Reply) -> None:
    store.put_bytes(_path(root, request), reply.dump())


def found(root: str, request: str) -> Reply | None:
    """The answer of a claimed request, UNKNOWN when it has none; None for one that nobody claimed."""
    try:
        with open(_path(root, request), "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return None
    return load(raw) if raw else UNKNOWN


def prune(root: str) -> None:
    """Forget what is older than any request that would still be taken."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(os.path.dirname(_path(root, ""))):
            if time.time() - entry.stat().st_mtime > KEPT_S:
                os.unlink(entry.path)
