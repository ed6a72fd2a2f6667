"""Keeps the bytes of editable files by hash, so that every run can be made again and a discarded change undone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlresearch import gates, store
from mlresearch.backends import SourceFile
from mlresearch.errors import GateError

LARGEST = 10_000_000


def _folder(root: str) -> Path:
    return Path(root) / "runs" / "files"


def take(root: str, names: Iterable[str]) -> dict[str, str]:
    """Store each file's bytes; returns hash by name. Raises GateError for a missing or very large file."""
    names = list(names)
    gates.hashes(root, names)
    return {name: _keep(root, name) for name in names}


def _keep(root: str, name: str) -> str:
    content = (Path(root) / name).read_bytes()
    if len(content) > LARGEST:
        raise GateError(f"{name} has {len(content)} bytes", f"editable files of at most {LARGEST} bytes")
    digest = hashlib.sha256(content).hexdigest()
    kept = _folder(root) / digest
    if not kept.is_file():
        _folder(root).mkdir(parents=True, exist_ok=True)
        store.put_bytes(str(kept), content)
    return digest


def sources(root: str, files: Mapping[str, str]) -> tuple[SourceFile, ...]:
    """The stored bytes as files of a job."""
    return tuple(SourceFile(name, read(root, name, digest)) for name, digest in sorted(files.items()))


def read(root: str, name: str, digest: str) -> bytes:
    path = _folder(root) / digest
    if not path.is_file() or gates.sha256(path) != digest:
        raise GateError(
            f"the stored bytes of {name} ({digest[:12]}) are missing or damaged", next_step="campaign.py verify"
        )
    return path.read_bytes()


def put_back(root: str, files: Mapping[str, str]) -> list[str]:
    """Write the stored bytes over the working copies; returns the names that differed, whose bytes are kept by hash."""
    changed = []
    for name, digest in files.items():
        path = Path(root) / name
        if path.is_file() and _keep(root, name) == digest:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        store.put_bytes(str(path), read(root, name, digest))
        changed.append(name)
    return changed


def lines(root: str, files: Mapping[str, str]) -> int:
    """Lines that are not blank, over all files: what `prefer_simpler` compares."""
    return sum(
        sum(1 for line in read(root, name, digest).splitlines() if line.strip()) for name, digest in files.items()
    )
