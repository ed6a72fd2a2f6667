"""Where a model's files lie. Lists files, reads one in whole or in part, and never weights in whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from mlresearch.errors import NotFound, ResearchError, UsageError

MOST_WHOLE = 64 * 1024 * 1024
MOST_FILES = 10_000


class Place(Protocol):
    """`about` tells page or path, revision, licence and access; `files` are sizes in bytes by path."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> Mapping[str, Any]: ...

    @property
    def files(self) -> Mapping[str, int | None]: ...

    def read(self, path: str) -> bytes:
        """A small file in whole; raises NotFound, Unavailable or ResearchError."""

    def part(self, path: str, begin: int, end: int) -> bytes:
        """Bytes from `begin` to before `end`, or to the file's end."""


class Folder:
    """A folder on this machine. Hidden folders are left out; a link counts as the file it leads to."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise NotFound(f"there is no {path}", "a folder that holds a model, or an id on the Hub", "check the path")
        if not path.is_dir():
            raise UsageError(f"{path} is a file", "the folder that holds config.json", f"--model {path.parent}")
        self._root, self.name = path, str(path)
        self.files: dict[str, int | None] = dict(_listed(path))
        self.about: dict[str, Any] = {"path": str(path.resolve())}

    def read(self, path: str) -> bytes:
        if (self.files.get(path) or 0) > MOST_WHOLE:
            raise ResearchError(f"{path} has more than {MOST_WHOLE // 2**20} MiB", next_step="check what the file is")
        return self.part(path, 0, MOST_WHOLE)

    def part(self, path: str, begin: int, end: int) -> bytes:
        try:
            with open(self._root / path, "rb") as file:
                file.seek(begin)
                return file.read(end - begin)
        except OSError as error:
            raise ResearchError(f"{self._root / path}: {error.strerror}", next_step="mend that, call again") from None


def _listed(root: Path) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and len(found) < MOST_FILES:
                found.append((path.relative_to(root).as_posix(), path.stat().st_size))
    return found


def json_of(place: Place, path: str) -> Any:
    """A JSON file's value, or an empty table when there is none; raises ResearchError when it is broken."""
    if path not in place.files:
        return {}
    try:
        return json.loads(place.read(path))
    except (ValueError, RecursionError):
        raise ResearchError(
            f"{path} of {place.name} is no JSON", "a whole file", "load the model's files anew"
        ) from None


def table_of(place: Place, path: str) -> dict[str, Any]:
    """As `json_of`, for a file that must hold a table."""
    found = json_of(place, path)
    if not isinstance(found, dict):
        raise ResearchError(f"{path} of {place.name} holds no table", "a JSON object", "load the model's files anew")
    return found
