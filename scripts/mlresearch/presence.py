"""Whether a broker serves a project, and whether this shell is one that may only ask a broker.

Loaded by the hook at a session's start, so standard library only. A broker holds a lock on its sign for as long as it
lives: no process id, no heartbeat, and what a killed one leaves behind says nothing. Refuses to trust the sign for more
than that: it lies where the model can write.
"""

from __future__ import annotations

import fcntl
import os

from mlresearch import store

QUEUE = ("work", "queue")
SIGN = "broker"
BROKERED = "ML_RESEARCH_BROKERED"  # set for what the broker itself starts


def queue_of(root: str) -> str:
    return os.path.join(root, *QUEUE)


def served_root(path: str) -> str | None:
    """The nearest folder from `path` upwards that a living broker serves."""
    here = os.path.realpath(path)
    while not is_served(here):
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above
    return here


def is_served(root: str) -> bool:
    return is_held(os.path.join(queue_of(root), SIGN))


def is_held(path: str) -> bool:
    """Whether some process holds the exclusive lock of a file; false for no file. Needs no right to write it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(handle)


def is_confined() -> bool:
    """Whether the store can not be written from here, or an empty mount hides it: this shell is in a sandbox."""
    base = store.base()
    if os.path.ismount(base) and not os.listdir(base):
        return True
    while not os.path.lexists(base):
        base = os.path.dirname(base)
    return not os.access(base, os.W_OK)
