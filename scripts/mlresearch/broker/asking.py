"""The side of the model's shell: hands a command to the broker of its project and waits for the answer.

Needs no right but to write ROOT/work/queue. A request is locked by its asker while it waits; one whose asker has died
is not begun, and the same command takes up one that was begun, so that nothing is submitted twice. Refuses to run a
command itself where the shell is confined: it could neither reserve nor record.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mlresearch import options, presence
from mlresearch.broker.reply import Reply, load
from mlresearch.errors import BackendError, Refused
from mlresearch.options import Verb
from mlresearch.surface import BROKERED, SURFACE

TAKEN_UP_S = 900  # after that the same words mean a new request
_PAUSE_S = 0.05
_LOOK_S = 1.0
_START = "a person runs, in {root}: uv run PLUGIN/scripts/broker.py run; then call the same command again"


def ask(script: str, words: Sequence[str]) -> Reply | None:
    """The broker's answer; None where the command runs by itself: no session, no broker, or a person's own act."""
    session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
    verb = SURFACE.get(script, {}).get(words[0])
    if not session or presence.BROKERED in os.environ or script not in BROKERED or verb is None:
        return None
    if verb.access == "approve" or words[1:2] in (["--help"], ["-h"]):
        return None
    options.parse(verb, words[1:])
    here = os.path.realpath(os.getcwd())
    root = presence.served_root(here)
    if root is None:
        _must_be_free(verb, here)
        return None
    request = {"script": script, "argv": [*words], "cwd": here, "session": session}
    return Errand(root, request, verb.access in ("spend", "write")).run()


def _must_be_free(verb: Verb, here: str) -> None:
    if presence.is_confined():
        told = f"this shell is in a sandbox that closes the store, and no broker serves {here}"
        raise Refused(told, "commands through a broker, which holds the token", _START.format(root=here))


class Errand:
    """One request under way. `is_unique` says that it must not be done twice."""

    def __init__(self, root: str, request: dict[str, Any], is_unique: bool) -> None:
        self.root, self.request, self.is_unique = root, request, is_unique
        self.folder = presence.queue_of(root)
        self.path, self._handle = "", -1

    def run(self) -> Reply:
        """Send or take up the request, and wait; raises BackendError when the broker stops before it answers."""
        try:
            if not (self.is_unique and self._take_up()):
                self._send()
            return self._wait()
        finally:
            if self._handle >= 0:
                os.close(self._handle)

    def _send(self) -> None:
        """The lock is taken before the file has its name, so that the broker never sees one without its asker."""
        self.path = os.path.join(self.folder, secrets.token_hex(16))
        self._handle = os.open(self.path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.fdopen(os.dup(self._handle), "w", encoding="ascii") as file:
            file.write(json.dumps({**self.request, "asked_at": time.time()}))
        os.rename(self.path + ".new", self.path + ".request")

    def _take_up(self) -> bool:
        """Whether the same command was asked lately and its asker is gone; then its answer is waited for."""
        for entry in os.scandir(self.folder):
            if not entry.name.endswith(".request") or not self._is_same(entry.path):
                continue
            with suppress(OSError):
                handle = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                if _is_mine(handle, entry.path):
                    self.path, self._handle = entry.path.removesuffix(".request"), handle
                    return True
                os.close(handle)
        return False

    def _is_same(self, path: str) -> bool:
        with suppress(OSError, ValueError, TypeError, AttributeError):
            if time.time() - os.stat(path).st_mtime > TAKEN_UP_S:
                return False
            with open(path, encoding="ascii") as file:
                found = json.load(file)
            return {key: found.get(key) for key in self.request} == self.request
        return False

    def _wait(self) -> Reply:
        look_at = time.monotonic() + _LOOK_S
        while True:
            with suppress(FileNotFoundError), open(self.path + ".answer", "rb") as file:
                reply = load(file.read())
                self._clear("answer", "taken", "request")
                return reply
            if time.monotonic() > look_at:
                self._must_be_served()
                look_at = time.monotonic() + _LOOK_S
            time.sleep(_PAUSE_S)

    def _must_be_served(self) -> None:
        if presence.is_served(self.root) or os.path.exists(self.path + ".answer"):
            return
        again = _START.format(root=self.root)
        if os.path.exists(self.path + ".taken"):
            told = f"the broker of {self.root} stopped while it did this; nobody knows how far it came"
            raise BackendError(told, "jobs.py reconcile, once it runs again", again)
        self._clear("request")
        raise BackendError(f"the broker of {self.root} has stopped; nothing was done", "", again)

    def _clear(self, *kinds: str) -> None:
        for kind in kinds:
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}.{kind}")


def _is_mine(handle: int, path: str) -> bool:
    """Whether nobody waits for the request any more, and the broker has not removed it just now."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.path.exists(path)
