"""Toy projects in fresh folders, each with a store of its own; no process of theirs outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.toy_project import Blocks, Toy

MakeToy = Callable[[Blocks], Toy]


@pytest.fixture
def make_toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeToy]:
    """Write and approve another toy; this process sees the store of the last one."""
    made: list[Toy] = []

    def make(changes: Blocks) -> Toy:
        toy = Toy(tmp_path / f"toy-{len(made)}")
        toy.use(monkeypatch)
        toy.write(changes)
        toy.approve()
        made.append(toy)
        return toy

    yield make
    for toy in made:
        toy.use(monkeypatch)
        toy.end_jobs()
