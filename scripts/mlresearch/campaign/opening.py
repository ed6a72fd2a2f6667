"""Opens a campaign: puts the sealed data out of reach, hashes what must not change, lists the baseline's files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlresearch import gates, ledger, seal, store
from mlresearch.campaign import snapshots
from mlresearch.errors import GateError, UsageError
from mlresearch.seal import Seal

PARTIAL = ".partial-copy"


def sealed_folder(root: str) -> Path:
    return Path(store.root_dir(root)) / "sealed"


def start(root: str) -> dict[str, Any]:
    """Write `started`; safe to repeat after a kill. Raises GateError when a file that program.md names is missing."""
    with store.locked(root, "campaign"):
        approved = seal.require(root, time.time())
        standing = ledger.standing(root)
        if standing.campaign != approved.campaign:
            raise UsageError("the ledger has no approval row of this campaign", next_step="program.py approve")
        if standing.started:
            raise UsageError("the campaign is already started", next_step="campaign.py next")
        scope = approved.program["scope"]
        return ledger.append(
            root,
            "started",
            campaign=approved.campaign,
            sealed=gates.hashes(root, scope["sealed_files"]),
            files=snapshots.take(root, editable(approved)),
            data=put_away(root, scope["sealed_data"]),
            config={},
            by="program",
            hypothesis="the unmodified code",
            lever=None,
            parent=None,
        )


def editable(approved: Seal) -> list[str]:
    """The files whose bytes make a run: the script and whatever may be edited beside it."""
    return sorted({approved.program["run"]["script"], *approved.program["scope"]["editable_files"]})


def sealed_data(root: str, campaign: str) -> dict[str, str]:
    """The hashes of a campaign's sealed data as they were at its start."""
    started = (row for row in ledger.rows(root) if row["event"] == "started" and row["campaign"] == campaign)
    return dict(next(started)["data"])


def put_away(root: str, names: Iterable[str]) -> dict[str, str]:
    """Move sealed data into the store; returns its hashes. A kill loses nothing: copy, sync, then unlink."""
    return {name: _put_away(gates.inside(root, name), sealed_folder(root) / name, name) for name in names}


def _put_away(source: Path, target: Path, name: str) -> str:
    if not source.is_file() and not target.is_file():
        raise GateError(f"sealed data {name} does not exist", "files that Scope.sealed_data names")
    if source.is_file() and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(source, target)
    digest = gates.sha256(target)
    if source.is_file():
        if gates.sha256(source) != digest:
            raise GateError(
                f"{name} differs from the data that was sealed under this name",
                "one file of that name",
                "program.py revoke brings the sealed one back beside it",
            )
        source.unlink()
    return digest


def bring_back(root: str) -> list[str]:
    """Return sealed data to its place; beside a file that stands there meanwhile and differs, as NAME.sealed."""
    folder, names = sealed_folder(root), []
    for stored in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != PARTIAL):
        name = str(stored.relative_to(folder))
        target = Path(root) / name
        if target.is_file() and gates.sha256(target) != gates.sha256(stored):
            target = target.with_name(target.name + ".sealed")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(stored, target)
        if gates.sha256(target) == gates.sha256(stored):
            stored.unlink()
            names.append(name)
    if not any(path.is_file() and path.suffix != PARTIAL for path in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)
    return names


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all, and durable with the folders that were made for it."""
    temporary = target.with_name(target.name + PARTIAL)
    shutil.copyfile(source, temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, target)
    for folder in list(target.parents)[:3]:
        store.sync_folder(str(folder))
