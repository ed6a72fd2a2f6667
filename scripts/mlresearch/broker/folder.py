"""The broker's hold on ROOT/work/queue: reads and writes there without following any link.

The model can put anything at these names: a link to a person's file, a pipe, a folder. Nothing is opened by a path
that it could redirect, nothing is read that is no plain file of bounded size, and a write only ever replaces a name.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mlresearch.errors import UsageError
from mlresearch.presence import QUEUE, SIGN

LARGEST_REQUEST = 1 << 20
_NAME = re.compile(r"([0-9a-f]{32})\.request")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(root: str) -> Iterator[Folder]:
    """The folder, made when it is missing; raises OSError where a link or a file stands in its way."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in QUEUE:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=handle)
            below = os.open(name, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield Folder(handle)
    finally:
        os.close(handle)


class Folder:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def requests(self) -> list[str]:
        """The ids of the requests, answered ones included."""
        return sorted(found[1] for name in os.listdir(self._handle) if (found := _NAME.fullmatch(name)))

    def has(self, name: str) -> bool:
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=self._handle, follow_symlinks=False)
            return True
        return False

    def read(self, request: str) -> bytes | None:
        """A request's bytes; one whose asker is gone is removed, and gives None.

        Raises UsageError for what is no plain, short file.
        """
        try:
            handle = os.open(f"{request}.request", _READ, dir_fd=self._handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"the request can not be opened: {error.strerror}", "a request of our commands") from None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_REQUEST:
                raise UsageError("the request is no plain file of at most 1 MB", "a request of our commands")
            if not _locks(handle):
                return os.read(handle, LARGEST_REQUEST)
            self.drop(f"{request}.request")  # under the lock, so that nobody takes it up meanwhile
            return None
        finally:
            os.close(handle)

    def put(self, name: str, content: bytes) -> None:
        """Replace a name whole or not at all."""
        new = f"{name}.{os.getpid()}.{time.monotonic_ns()}.new"
        handle = os.open(
            new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._handle
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.rename(new, name, src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def drop(self, *names: str) -> None:
        for name in names:
            with suppress(OSError):
                os.unlink(name, dir_fd=self._handle)

    def age(self, name: str) -> float:
        """Seconds since it was written, 0 when it is gone."""
        with suppress(FileNotFoundError):
            return time.time() - os.stat(name, dir_fd=self._handle, follow_symlinks=False).st_mtime
        return 0.0

    def sign(self, held: int | None) -> int:
        """A handle that holds the sign's lock: `held` while it is still the file of that name, else a new one."""
        with suppress(FileNotFoundError):
            there = os.stat(SIGN, dir_fd=self._handle, follow_symlinks=False)
            if held is not None and os.path.samestat(os.fstat(held), there):
                return held
        self.drop(SIGN)
        handle = os.open(
            SIGN, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._handle
        )
        # a command may look at the very moment, with a shared lock that it holds for no time
        fcntl.flock(handle, fcntl.LOCK_EX)
        if held is not None:
            os.close(held)
        return handle


def _locks(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
