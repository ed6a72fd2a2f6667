"""A lock for each job that is being submitted: it tells a live submitter from a dead one. Decides nothing else."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlresearch import store


def _path(root: str, job: str) -> Path:
    return Path(store.root_dir(root)) / "intents" / f"{job}.lock"


@contextmanager
def held(root: str, job: str) -> Iterator[None]:
    """Hold a job's intent. A job's id is given out once, so nobody else takes the same one."""
    path = _path(root, job)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def is_alive(root: str, job: str) -> bool:
    """Whether the submitter of a reserved job still lives; once False, it stays False."""
    try:
        handle = os.open(_path(root, job), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # shared: two who look do not take each other for the submitter
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def forget(root: str, job: str) -> None:
    """Remove what a dead submitter left behind."""
    _path(root, job).unlink(missing_ok=True)
