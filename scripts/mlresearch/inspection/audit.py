"""One pass over the sampled rows of a split: every column, exact duplicates, rows to show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from mlresearch.inspection import features, media
from mlresearch.inspection.columns import ColumnSeen, shortened
from mlresearch.inspection.features import NULL, Feature
from mlresearch.inspection.tables import Reading, Row, Table, Wanted

SHOWN = 5
# types of columns without a schema are taken from this many sampled rows
TYPED_ROWS = 2000


@dataclass
class SplitSeen:
    """What the sample of one split showed. `digests` hold one number per distinct sampled row."""

    name: str
    reading: Reading = field(default_factory=Reading)
    features: dict[str, Feature] = field(default_factory=dict)
    columns: dict[str, ColumnSeen] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    duplicates: int = 0
    digests: set[int] = field(default_factory=set)
    format: str = ""
    size: int | None = None

    @property
    def rows(self) -> int:
        return self.reading.taken

    def add(self, row: Row, shown: bool) -> None:
        place = self.rows - 1
        for name, value in row.items():
            if name not in self.columns:
                self.columns[name] = ColumnSeen()
            self.columns[name].add(value, place)
        digest = digest_of(row)
        self.duplicates += digest in self.digests
        self.digests.add(digest)
        if shown:
            self.samples.append({str(name): shortened(value) for name, value in row.items()})


def look(name: str, table: Table, wanted: Wanted, watch: Iterable[Any] = ()) -> SplitSeen:
    """Sample the table once. `watch` are objects with `add(row, place)` that see the same rows."""
    seen = SplitSeen(name, format=table.format, size=table.size)
    known = table.features()
    watchers = list(watch)
    for row in table.sample(wanted, seen.reading):
        place = seen.rows - 1
        try:
            seen.add(row, len(seen.samples) < SHOWN)
        except RecursionError:
            seen.reading.fault(f"sampled row {place}: nested too deep to be compared")
            continue
        if known is None and place < TYPED_ROWS:
            for key, value in row.items():
                seen.features[key] = features.merged(seen.features.get(key, NULL), features.of_value(value))
        for watcher in watchers:
            watcher.add(row, place)
    if known is not None:
        seen.features = known
    for column in seen.features:
        seen.columns.setdefault(column, ColumnSeen())
    return seen


def digest_of(row: Row) -> int:
    """64 bits that equal rows share: media by their bytes, whatever they are called."""
    plain = {str(name): _plain(media.content(value) or value) for name, value in row.items()}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, default=_plain)
    data = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(data, "big")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=16).hexdigest()
    if isinstance(value, str | int | float | list | dict) or value is None:
        return value
    return str(value)


def duplicates(splits: Iterable[SplitSeen]) -> dict[str, Any]:
    """Rows that occur again in the same split, and distinct rows that two splits share; by what was sampled."""
    seen = list(splits)
    within = {split.name: split.duplicates for split in seen}
    across = [
        {"splits": [one.name, other.name], "rows": len(one.digests & other.digests)}
        for one, other in combinations(seen, 2)
        if one.digests and other.digests
    ]
    whole = all(split.reading.is_whole for split in seen)
    scope = "all rows" if whole else "the sampled rows only: the true numbers are at least these"
    return {"scope": scope, "within": within, "across": across}
