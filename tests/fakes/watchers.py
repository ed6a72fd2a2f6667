"""Watchers that tests start: found by their lock, awaited with patience, and none of them outlives its test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from mlresearch.jobs import events, watcher

PATIENCE_S = 120.0


def until(is_so: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up, f"in vain: {what}"
        time.sleep(0.05)


def kill(root: str) -> None:
    """End the watcher of this root as a power cut would."""
    pid = watcher.pid_of(root)
    if pid is not None and watcher.is_watching(root):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end(root: str) -> None:
    """Whatever the test did, nobody watches this root any more."""

    def is_over() -> bool:
        kill(root)
        return not watcher.is_watching(root)

    until(is_over, "the watcher's end")


def told(root: str, event: str) -> list[dict[str, object]]:
    return [one for one in events.read(root)[0] if one["event"] == event]
