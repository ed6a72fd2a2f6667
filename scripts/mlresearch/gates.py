"""Gates are programs: each re-opens the file it is told about, reads, hashes and compares. They decide nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlresearch.errors import GateError, shown

LARGEST_ANCHOR = 20_000_000
SHORTEST_QUOTE = 3


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(root: str, name: str) -> Path:
    """The file a name stands for; raises GateError when it leads out of the project, links included."""
    path = Path(root, name)
    if not _can_name_a_file(path) or not os.path.realpath(path).startswith(os.path.realpath(root) + os.sep):
        raise GateError(f"{shown(name)} leads out of the project", "a path inside it")
    return path


def _can_name_a_file(path: Path) -> bool:
    """False for what the system refuses as a name: too long, a NUL, half a surrogate pair."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return True


def hashes(root: str, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 by name; raises GateError listing every file that is missing."""
    paths = {name: inside(root, name) for name in names}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise GateError(
            f"missing: {', '.join(missing)}", "files that program.md names", "write them, or edit program.md"
        )
    return {name: sha256(path) for name, path in paths.items()}


def unchanged(root: str, recorded: Mapping[str, str]) -> None:
    """Sealed files must be to the byte what they were when the campaign started."""
    now = {name: sha256(Path(root, name)) if Path(root, name).is_file() else "missing" for name in recorded}
    changed = [name for name, digest in recorded.items() if now[name] != digest]
    if changed:
        raise GateError(
            f"sealed files differ from the start of the campaign: {', '.join(changed)}",
            "the bytes that were sealed",
            "restore them; a new evaluation needs a new campaign",
        )


def anchored(root: str, file: str, quote: str) -> None:
    """The anchor's file exists and holds the quoted text to the letter."""
    path = inside(root, file)
    if not path.is_file() or not path.stat().st_size:
        raise GateError(
            f"the anchor's file {file} is missing or empty", "a file under runs/ or work/ that holds evidence"
        )
    if path.stat().st_size > LARGEST_ANCHOR:
        raise GateError(f"the anchor's file {file} is too large", f"at most {LARGEST_ANCHOR} bytes")
    quoted = " ".join(quote.split())
    if len(quoted) < SHORTEST_QUOTE:
        raise GateError(f"the quote {quote!r} says nothing", f"at least {SHORTEST_QUOTE} characters of the file")
    if quoted not in " ".join(path.read_text(encoding="utf-8", errors="replace").split()):
        raise GateError(
            f"{file} does not hold {quote[:80]!r}", "text that stands in the file", "quote it to the letter"
        )


def written(root: str, names: Iterable[str], newer_than: float) -> dict[str, str]:
    """Every planned file exists, is not empty and was written after the plan; returns its hash by name."""
    faults, found = [], {}
    for name in names:
        path = inside(root, name)
        if not path.is_file():
            faults.append(f"{name} does not exist")
        elif not path.stat().st_size:
            faults.append(f"{name} is empty")
        elif path.stat().st_mtime < newer_than:
            faults.append(f"{name} is older than the plan")
        else:
            found[name] = sha256(path)
    if faults:
        raise GateError(
            "; ".join(faults), "every planned file, written after the plan", "write them, then analyse again"
        )
    return found
