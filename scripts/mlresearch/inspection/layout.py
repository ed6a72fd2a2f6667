"""A data set's configs and splits, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlresearch.errors import NotFound
from mlresearch.inspection.tables import Table

FIRST = ("train", "training")


@dataclass(frozen=True)
class Layout:
    """One config of a data set. `statistics`, where a service has them, tells of every row of a split; it may raise
    Unavailable.
    """

    name: str
    source: str
    configs: tuple[str, ...]
    config: str
    splits: Mapping[str, Table]
    about: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    statistics: Callable[[str], dict[str, Any]] | None = None


def choose_config(name: str, configs: Sequence[str], asked: str | None) -> str:
    """The config asked for, else `default`, else the first; raises NotFound naming those that exist."""
    if asked is not None and asked not in configs:
        raise NotFound(f"{name} has no config {asked!r}", listed(configs), "the same command with one of them")
    return asked or ("default" if "default" in configs else configs[0])


def choose_splits(name: str, splits: Sequence[str], asked: str | None, most: int) -> list[str]:
    """The split asked for, else all, training first; at most `most`. Raises NotFound naming those that exist."""
    if asked is not None and asked not in splits:
        raise NotFound(f"{name} has no split {asked!r}", listed(splits), "the same command with one of them")
    return [asked] if asked else ordered(splits)[:most]


def ordered(splits: Sequence[str]) -> list[str]:
    """Training first, else as they come."""
    return sorted(splits, key=lambda split: (split not in FIRST, not split.startswith("train")))


def listed(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
