"""Runs one of our commands and dies right after the N-th act that a disk or another process could see.

    die_at.py N SCRIPT WORD...

An act is a lock taken, a file opened or closed that says who is alive, half a write, a whole write, a cut, an fsync, a
rename, an unlink, a process started, a message to one. With N = 0 nothing dies. Their number goes to stdout at the
end. Only functions of the standard library are wrapped, in this process alone, for files below $HOME.
"""

from __future__ import annotations

import builtins
import fcntl
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

HOME = os.environ["HOME"]
DIED = 137


class Deaths:
    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def act(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os._exit(DIED)

    def after(self, module: Any, name: str, counts: Callable[..., bool]) -> None:
        """Wrap a function so that each call that counts is an act."""
        real = getattr(module, name)

        def call(*args: Any, **named: Any) -> Any:
            result = real(*args, **named)
            if counts(result, *args):
                self.act()
            return result

        setattr(module, name, call)


class Written:
    """An open file whose writes are acts: each half of the bytes one, on its way to the disk at once."""

    def __init__(self, file: Any, deaths: Deaths) -> None:
        self.file, self.deaths = file, deaths

    def write(self, content: Any) -> int:
        middle = len(content) // 2
        for part in (content[:middle], content[middle:]):
            self.file.write(part)
            self.file.flush()
            self.deaths.act()
        return len(content)

    def truncate(self, size: int) -> int:
        result: int = self.file.truncate(size)
        self.deaths.act()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


def is_ours(path: object) -> bool:
    return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(HOME)


def wrap_open(deaths: Deaths) -> None:
    real = io.open

    def opened(path: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        file = real(path, mode, *args, **named)
        return Written(file, deaths) if is_ours(path) and set("wax+") & set(mode) else file

    for module in (builtins, io):
        setattr(module, "open", opened)  # noqa: B010 - mypy refuses the plain assignment


def wrap_intents(deaths: Deaths) -> None:
    """Files that say who is alive, by their descriptors."""
    held: set[int] = set()

    def opens(handle: int, path: object, *_: object) -> bool:
        if is_ours(path) and "/intents/" in str(path):
            held.add(handle)
        return handle in held

    def closes(_: None, handle: int) -> bool:
        found = handle in held
        held.discard(handle)
        return found

    deaths.after(os, "open", opens)
    deaths.after(os, "close", closes)


def wrap_processes(deaths: Deaths) -> None:
    class Process(subprocess.Popen[Any]):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            deaths.act()

        def communicate(self, *args: Any, **named: Any) -> Any:
            said = super().communicate(*args, **named)
            deaths.act()
            return said

    setattr(subprocess, "Popen", Process)  # noqa: B010


def wrap(deaths: Deaths) -> None:
    """From here on, every act of this process counts."""
    for name in ("fsync", "pwrite", "ftruncate"):
        deaths.after(os, name, lambda *_: True)
    for name in ("replace", "unlink", "mkdir"):
        deaths.after(os, name, lambda _, path, *more: is_ours(path))
    # only locks that are taken for good: looking at a lock changes nothing
    deaths.after(fcntl, "flock", lambda _, handle, kind: bool(kind & fcntl.LOCK_EX))
    wrap_open(deaths)
    wrap_intents(deaths)
    wrap_processes(deaths)


def main(at: int, script: str, words: list[str]) -> int:
    command = importlib.import_module(f"mlresearch.cli.{script.removesuffix('.py')}")
    deaths = Deaths(at)
    wrap(deaths)
    code = int(command.run(words))
    sys.stdout.write(f"\n{deaths.seen}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
