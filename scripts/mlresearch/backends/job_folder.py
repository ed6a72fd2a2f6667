"""The folder of one local job: its lock, its records, its log.

Holds the two rules that make the rest certain: a job is alive while `lock` is held, and it has started once
`started.json` exists, which only a holder of the lock writes. Each look asks for the lock first and reads the
records after it. It refuses to guess: a record that can not be read is an error.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from mlresearch.errors import BackendError, Unavailable

# A submit holds the lock for about 0.1 s; one that takes longer than this is stuck, and a person should know.
LOCK_WAIT_S = 10.0
POLL_S = 0.05
CHUNK = 1 << 16


class JobFolder:
    def __init__(self, path: str) -> None:
        self.path = path

    def held(self) -> bool:
        """True while a submitter or a runner lives."""
        try:
            lock = os.open(self.path + "/lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return not _lock(lock, fcntl.LOCK_SH)  # shared: two who look do not take each other for a job
        finally:
            os.close(lock)

    def has_started(self) -> bool:
        return os.path.exists(self.path + "/started.json")

    def known(self) -> bool:
        """True when a job has started here, or is being submitted."""
        return self.held() or self.has_started()

    def read(self, name: str) -> dict[str, Any] | None:
        """One record, None when it is not written yet; raises BackendError when somebody damaged it."""
        path = f"{self.path}/{name}.json"
        try:
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        raise BackendError(f"{path} can not be read: it was changed by hand", next_step="restore that file")

    def claim(self, label: str) -> int | None:
        """The lock's file descriptor, or None when the label's job has started here.

        Waits for another submitter: Unavailable if that one is stuck. BackendError in another label's folder.
        """
        lock = os.open(self.path + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCK_WAIT_S
        try:
            while True:
                mine = _lock(lock, fcntl.LOCK_EX)
                self._refuse_other(label)
                if self.has_started():
                    os.close(lock)
                    return None
                if mine:
                    return lock
                self._wait(deadline)
        except BaseException:
            os.close(lock)
            raise

    def started_as(self, label: str) -> bool:
        """True when the label's job started here; awaits a submit under way, Unavailable if it is stuck."""
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            held, started = self.held(), self.has_started()
            spec = self.read("spec")
            if spec is not None and (started or spec["label"] != label):
                return bool(spec["label"] == label)
            if not held:
                return False
            self._wait(deadline)

    def log_lines(self, follow: bool) -> Iterator[str]:
        """Lines without their ends; a carriage return ends one too, bytes that are not UTF-8 are replaced."""
        rest = b""
        for chunk in self._log_chunks(follow):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield from _decoded(line)
        if rest:
            yield from _decoded(rest)

    def _log_chunks(self, follow: bool) -> Iterator[bytes]:
        if follow:
            self._await_log()
        try:
            log = open(self.path + "/log.txt", "rb")  # noqa: SIM115
        except FileNotFoundError:
            return
        with log:
            while True:
                over = not follow or not self.held()  # before the read: after the end nothing more is written
                chunk = log.read(CHUNK)
                if chunk:
                    yield chunk
                elif over:
                    return
                else:
                    time.sleep(POLL_S)

    def _await_log(self) -> None:
        while self.held() and not os.path.exists(self.path + "/log.txt"):
            time.sleep(POLL_S)

    def _refuse_other(self, label: str) -> None:
        spec = self.read("spec")
        if spec is not None and spec["label"] != label:
            raise BackendError(
                f"{self.path} belongs to the job with label {spec['label']!r}, not {label!r}",
                next_step="submit under another job name",
            )

    def _wait(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"a submit into {self.path} has not ended in {LOCK_WAIT_S:.0f}s",
                next_step="look for a stuck process, then try again",
            )
        time.sleep(POLL_S / 5)


def _lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _decoded(line: bytes) -> Iterator[str]:
    for part in line.rstrip(b"\r").split(b"\r"):
        yield part.decode("utf-8", "replace")
