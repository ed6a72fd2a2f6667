"""Parquet and Arrow files as tables. Parquet is read page by page, so that a row group need not fit in memory.

Parquet tells its rows in the footer: the count is exact without reading them. When the row groups hold more bytes than
the budget, some are drawn by the seed, and the rows uniformly inside those; the answer says so.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mlresearch.errors import ResearchError, Unavailable
from mlresearch.inspection import features
from mlresearch.inspection.features import Feature
from mlresearch.inspection.tables import MIB, Reading, Row, Wanted, draw, told_draw

BATCH_BYTES = 8 * MIB
MOST_IN_BATCH = 4096
BUFFER_BYTES = MIB

S = TypeVar("S")


@dataclass(frozen=True)
class File:
    """`open` gives a new binary file, local or read by range. `rows` may be known beforehand."""

    name: str
    size: int
    open: Callable[[], Any]


@dataclass(frozen=True)
class _Group:
    file: File
    place: int
    rows: int
    size: int
    metadata: Any


class ParquetTable:
    """`rows` is what a listing says of the split, exact or not; then `most_files` footers are read at most."""

    format = "parquet"

    def __init__(
        self, files: Sequence[File], rows: int | None = None, is_exact: bool = True, most_files: int | None = None
    ) -> None:
        self._files, self._rows, self._is_exact, self._most_files = list(files), rows, is_exact, most_files
        self.size: int | None = sum(file.size for file in files)

    def features(self) -> dict[str, Feature] | None:
        return _first_readable(self._files, lambda file: features.from_arrow(_parquet(file).schema_arrow))

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        files, opened = self._chosen_files(wanted, reading), _Opened()
        groups = [group for file in files for group in _groups(file, opened, reading)]
        counted = sum(group.rows for group in groups)
        reading.rows = counted if self._rows is None else self._rows
        reading.is_exact = reading.is_exact and (self._rows is None or self._is_exact)
        groups = _within(groups, wanted, reading)
        total = sum(group.rows for group in groups)
        reading.how = told_draw(wanted.rows, total, wanted.seed, _where(len(groups), counted, total, reading))
        places, begin = draw(total, wanted.rows, wanted.seed), 0
        for group in groups:
            end = begin + group.rows
            inside = [place - begin for place in places[bisect_left(places, begin) : bisect_left(places, end)]]
            begin = end
            yield from _rows_of(group, inside, opened, reading)

    def _chosen_files(self, wanted: Wanted, reading: Reading) -> list[File]:
        if self._most_files is None or len(self._files) <= self._most_files:
            return self._files
        if self._rows is None:
            reading.is_exact = False
        chosen = draw(len(self._files), self._most_files, wanted.seed)
        reading.unseen.append(f"{len(self._files) - len(chosen)} of {len(self._files)} files (drawn by the seed)")
        return [self._files[place] for place in chosen]


def _first_readable(sources: Sequence[S], schema: Callable[[S], dict[str, Feature]]) -> dict[str, Feature]:
    """The schema in the first source that can be read; raises ResearchError when none can."""
    fault: ResearchError | None = None
    for source in sources:
        try:
            return schema(source)
        except Unavailable:
            raise
        except ResearchError as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return {}


def _where(groups: int, counted: int, total: int, reading: Reading) -> str:
    return "all rows" if counted == total and not reading.unseen else f"{groups} row groups"


def _parquet(file: File, metadata: Any = None) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file.open(), metadata=metadata, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(file, error) from None


def _damaged(file: File, error: Exception) -> ResearchError:
    return ResearchError(
        f"{file.name} can not be read: {str(error).splitlines()[0][:200]}",
        "a whole parquet or Arrow file",
        "fetch or write the file anew, or inspect another split",
    )


class _Opened:
    """The file that was opened last: its row groups share what was fetched of it."""

    def __init__(self) -> None:
        self._file: File | None = None
        self._parquet: Any = None

    def get(self, file: File, metadata: Any = None) -> Any:
        if self._file is not file:
            self._parquet, self._file = _parquet(file, metadata), file
        return self._parquet


def _groups(file: File, opened: _Opened, reading: Reading) -> list[_Group]:
    if isinstance(reading.error, Unavailable):  # the service is down: the other files would each wait in vain
        reading.unseen.append(file.name)
        return []
    try:
        told = opened.get(file).metadata
    except ResearchError as error:
        reading.fails(error)
        reading.unseen.append(file.name)
        reading.is_exact = False
        return []
    parts = [told.row_group(place) for place in range(told.num_row_groups)]
    return [_Group(file, place, part.num_rows, part.total_byte_size, told) for place, part in enumerate(parts)]


def _within(groups: list[_Group], wanted: Wanted, reading: Reading) -> list[_Group]:
    """All groups when their bytes are in the budget, else as many as are, drawn by the seed; one at least."""
    groups = [group for group in groups if group.rows]
    if sum(group.size for group in groups) <= wanted.most_bytes:
        return groups
    order, left, kept = list(range(len(groups))), wanted.most_bytes, list[int]()
    random.Random(wanted.seed).shuffle(order)
    for place in order:
        if not kept or groups[place].size <= left:
            kept.append(place)
            left -= groups[place].size
    if len(kept) < len(groups):
        reading.unseen.append(f"{len(groups) - len(kept)} of {len(groups)} row groups (drawn by the seed)")
    return [_cut(groups[place], wanted, reading) for place in sorted(kept)]


def _cut(group: _Group, wanted: Wanted, reading: Reading) -> _Group:
    """Of a row group that alone passes the budget only the leading rows."""
    if group.size <= wanted.most_bytes:
        return group
    rows = max(1, group.rows * wanted.most_bytes // group.size)
    reading.unseen.append(f"all but the first {rows} rows of row group {group.place} of {group.file.name}")
    return replace(group, rows=rows, size=wanted.most_bytes)


def _rows_of(group: _Group, inside: list[int], opened: _Opened, reading: Reading) -> Iterator[Row]:
    """The rows at the ordered places `inside` of one row group."""
    if not inside:
        return
    import pyarrow

    per_row = max(1, group.size // max(1, group.rows))
    batch_rows = max(1, min(MOST_IN_BATCH, BATCH_BYTES // per_row))
    try:
        source = opened.get(group.file, group.metadata)
        yield from _taken(source.iter_batches(batch_size=batch_rows, row_groups=[group.place]), inside, reading)
    except (pyarrow.ArrowException, OSError, ValueError, ResearchError) as error:
        reading.fails(error if isinstance(error, ResearchError) else _damaged(group.file, error))
        reading.unseen.append(f"the rest of row group {group.place} of {group.file.name}")


def _taken(batches: Iterator[Any], inside: Sequence[int], reading: Reading) -> Iterator[Row]:
    begin, done = 0, 0
    for batch in batches:
        end, here = begin + batch.num_rows, []
        while done < len(inside) and inside[done] < end:
            here.append(inside[done] - begin)
            done += 1
        if here:
            whole = len(here) == batch.num_rows
            for row in _in_microseconds(batch if whole else batch.take(here)).to_pylist():
                reading.taken += 1
                yield row
        if done == len(inside):
            return
        begin = end


def _in_microseconds(batch: Any) -> Any:
    """Python has no nanoseconds, and the library refuses to drop them by itself."""
    import pyarrow

    def kind(old: Any) -> Any:
        if getattr(old, "unit", "") != "ns":
            return old
        if pyarrow.types.is_timestamp(old):
            return pyarrow.timestamp("us", old.tz)
        return pyarrow.duration("us") if pyarrow.types.is_duration(old) else pyarrow.time64("us")

    fields = [field.with_type(kind(field.type)) for field in batch.schema]
    if all(old.type == new.type for old, new in zip(batch.schema, fields, strict=True)):
        return batch
    columns = [column.cast(field.type, safe=False) for column, field in zip(batch.columns, fields, strict=True)]
    return pyarrow.record_batch(columns, schema=pyarrow.schema(fields))


class ArrowTable:
    """Arrow files (random access or stream), mapped into memory: a row that is not drawn is not touched."""

    format = "arrow"

    def __init__(self, paths: Sequence[str], sizes: Sequence[int]) -> None:
        self._paths = list(paths)
        self.size: int | None = sum(sizes)

    def features(self) -> dict[str, Feature] | None:
        return _first_readable(self._paths, lambda path: features.from_arrow(_arrow_reader(path).schema))

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        total = sum(batch.num_rows for batch in self._batches(reading))
        reading.rows, reading.how = total, told_draw(wanted.rows, total, wanted.seed)
        yield from _taken(self._batches(Reading()), draw(total, wanted.rows, wanted.seed), reading)

    def _batches(self, reading: Reading) -> Iterator[Any]:
        import pyarrow

        for path in self._paths:
            try:
                reader = _arrow_reader(path)
                count = getattr(reader, "num_record_batches", None)
                yield from reader if count is None else (reader.get_batch(place) for place in range(count))
            except (pyarrow.ArrowException, OSError, ValueError, ResearchError) as error:
                reading.fails(error if isinstance(error, ResearchError) else _damaged(File(path, 0, str), error))
                reading.unseen.append(f"the rest of {path}")


def _arrow_reader(path: str) -> Any:
    import pyarrow

    try:
        mapped = pyarrow.memory_map(path)
        try:
            return pyarrow.ipc.open_file(mapped)
        except pyarrow.ArrowInvalid:
            mapped.seek(0)
            return pyarrow.ipc.open_stream(mapped)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(File(path, 0, str), error) from None
