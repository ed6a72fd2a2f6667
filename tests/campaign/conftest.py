"""A toy project in a fresh folder with a store of its own, approved or already past its baseline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.toy_project import Approve, Blocks, Toy


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    """Written and not approved."""
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.write()
    yield made
    made.end_jobs()


@pytest.fixture
def approved(toy: Toy) -> Approve:
    """Approve the toy, its program.md changed by heading."""

    def approve(changes: Blocks | None = None) -> Toy:
        toy.rewrite(changes)
        toy.approve()
        return toy

    return approve


@pytest.fixture
def measured(approved: Approve) -> Approve:
    """Approved, started, and with a decided baseline."""

    def measure(changes: Blocks | None = None) -> Toy:
        toy = approved(changes)
        toy.baseline()
        return toy

    return measure
