"""Rows of one split: how many there are, and a sample that a seed fixes, in memory that does not grow with the data.

A sample of n rows is n places drawn uniformly without putting back, as long as the places can be reached within the
budget of bytes; what was left out is told in `Reading`, never hidden.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlresearch.errors import ResearchError
from mlresearch.inspection.features import Feature

Row = Mapping[str, Any]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """`rows` at most, drawn by `seed`, reading about `most_bytes` at most."""

    rows: int
    seed: int
    most_bytes: int


@dataclass
class Reading:
    """What a table learned while it was read. `rows` None: unknown. `faults` are records that could not be read."""

    rows: int | None = None
    is_exact: bool = True
    taken: int = 0
    how: str = ""
    unseen: list[str] = field(default_factory=list)
    broken: int = 0
    faults: list[str] = field(default_factory=list)
    error: ResearchError | None = None

    def fails(self, error: ResearchError) -> None:
        """A whole file, or the rest of one, could not be read."""
        self.error = self.error or error
        self.fault(error.wrong)

    def fault(self, told: str, most: int = 5) -> None:
        self.broken += 1
        if len(self.faults) < most:
            self.faults.append(told)

    def begin_again(self) -> None:
        """Forget what was learned, before another way to the same rows."""
        self.__dict__.update(Reading().__dict__)

    @property
    def is_whole(self) -> bool:
        """Whether every row was read, so that a count over the sample is a count over the split."""
        return self.is_exact and self.rows == self.taken + self.broken and not self.unseen

    def as_data(self) -> dict[str, Any]:
        counted = "unknown" if self.rows is None else "exact" if self.is_exact else "estimated"
        told: dict[str, Any] = {"rows": self.rows, "rows_are": counted, "rows_read": self.taken, "how": self.how}
        if self.unseen:
            told["not_seen"] = self.unseen
        return told | ({"unreadable": self.broken, "unreadable_first": self.faults} if self.broken else {})


class Table(Protocol):
    """One split. `size` is in bytes, None when unknown."""

    format: str
    size: int | None

    def features(self) -> dict[str, Feature] | None:
        """The schema when the data carries one, else None: it then follows from the sampled values."""

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        """The sampled rows in the order of the data; `reading` is complete when the iteration ends."""


def draw(total: int, count: int, seed: int) -> list[int]:
    """`count` places out of `total`, in order; all of them when there are no more."""
    if count >= total:
        return list(range(total))
    return sorted(random.Random(seed).sample(range(total), count))


def pick(records: Iterable[Any], places: Iterable[int]) -> Iterator[tuple[int, Any]]:
    """Those of `records` whose place is in the ordered `places`; ends with the last of them."""
    waiting = iter(places)
    wanted = next(waiting, None)
    if wanted is None:
        return
    for place, record in enumerate(records):
        if place == wanted:
            yield place, record
            wanted = next(waiting, None)
            if wanted is None:
                return


def told_draw(count: int, total: int, seed: int, of_what: str = "all rows") -> str:
    """How a sample was chosen, in words."""
    return "every row" if count >= total else f"{count} rows drawn uniformly from {of_what} (seed {seed})"
