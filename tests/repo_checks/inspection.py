"""What every check shares: the files it may look at, and the count of what it looked at.

A check that looked at nothing is a fault, so that a moved folder can not turn a promise off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Made by tools or by running the plugin here; never part of the repository.
_NOT_OURS = re.compile(r"\.git|\.uv|\.venv|\..*_cache|\.hypothesis|__pycache__|runs|work")


@dataclass
class Inspection:
    """One check at work on one checkout."""

    root: Path
    seen: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, good: bool, fault: str) -> None:
        """Count one thing looked at; note `fault` unless it is good."""
        self.seen += 1
        if not good:
            self.faults.append(fault)

    def files(self, *folders: str, suffix: str = "") -> list[Path]:
        """The files below the folders (the whole checkout without any) whose names end in `suffix`."""
        tops = [self.root / folder for folder in folders] or [self.root]
        return sorted(p for top in tops for p in _walk(top, self.root) if p.name.endswith(suffix))

    def name(self, path: Path) -> str:
        """How a fault names a file."""
        return path.relative_to(self.root).as_posix()


Check = Callable[[Inspection], None]


def inspect(check: Check, root: Path) -> list[str]:
    """All faults one check finds in a checkout."""
    look = Inspection(root)
    check(look)
    return look.faults if look.seen else [*look.faults, f"{check.__name__} inspected nothing"]


def _walk(top: Path, root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, below, names in os.walk(top):
        at_root = Path(folder) == root
        below[:] = [b for b in below if not _NOT_OURS.fullmatch(b) or (b in ("runs", "work") and not at_root)]
        found += [Path(folder) / name for name in names]
    return found
