"""Files that tell their row count only when they are read: lines of text or JSON, JSON arrays; `csv_table` has csv.

Two passes: the first counts records, the second takes the drawn ones, so that memory holds one record at a time. Past
the budget of bytes only the beginning of the files is read, and the count is an estimate from what was read.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlresearch.inspection import json_stream
from mlresearch.inspection.features import Feature
from mlresearch.inspection.tables import MIB, Reading, Row, Wanted, draw, pick, told_draw

LONGEST_RECORD = json_stream.LONGEST_ITEM
WHOLE_JSON = 64 * MIB

Records = Callable[["Stream"], Iterator[Any]]
Parse = Callable[[Any], Row]
Observe = Callable[[Any], None]


class Stream:
    """Bytes of one file in order; `done` counts those handed out. A .gz file is unpacked on the way."""

    def __init__(self, path: Path) -> None:
        self.path, self.done = path, 0
        self._file: Any = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")  # noqa: SIM115

    def line(self) -> bytes:
        found: bytes = self._file.readline(LONGEST_RECORD)
        self.done += len(found)
        return found

    def read(self, size: int) -> bytes:
        found: bytes = self._file.read(size)
        self.done += len(found)
        return found

    def text_lines(self) -> Iterator[str]:
        first = True
        while line := self.line():
            text = line.decode("utf-8", "replace")
            yield text.removeprefix("\ufeff") if first else text
            first = False

    def close(self) -> None:
        self._file.close()


class Streamed:
    """A table over any files whose records come one after the other. `parse` raises ValueError for a broken record.

    `observe` sees every record of the first pass.
    """

    def __init__(
        self, format: str, paths: Sequence[Path], records: Records, parse: Parse, observe: Observe | None = None
    ) -> None:
        self.format, self._paths, self._records, self._parse = format, list(paths), records, parse
        self._observe = observe
        self.size: int | None = sum(path.stat().st_size for path in paths)

    def features(self) -> dict[str, Feature] | None:
        return None

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        seen = self._count(wanted, reading)
        reading.how = told_draw(
            wanted.rows, seen, wanted.seed, "all rows" if reading.is_exact else f"the first {seen} rows"
        )
        for place, record in pick(self._all(Reading(), None), draw(seen, wanted.rows, wanted.seed)):
            try:
                row = self._parse(record)
            except (ValueError, RecursionError) as error:
                reading.fault(f"record {place + 1}: {str(error)[:160]}")
                continue
            reading.taken += 1
            yield row

    def _count(self, wanted: Wanted, reading: Reading) -> int:
        """How many records the budget reaches; sets the count of all, exact or estimated."""
        progress, seen = _Progress(wanted.most_bytes), 0
        for record in self._all(reading, progress):
            seen += 1
            if self._observe is not None:
                self._observe(record)
        reading.rows = seen
        if progress.is_spent:
            reading.is_exact = False
            # of packed files the size on disk says little; then the count stays unknown
            packed = any(path.suffix == ".gz" for path in self._paths)
            reading.rows = None if packed else round(seen * (self.size or 0) / max(1, progress.done))
            reading.unseen.append(f"what follows the first {progress.done // MIB} MiB")
        return seen

    def _all(self, reading: Reading, progress: _Progress | None) -> Iterator[Any]:
        for path in self._paths:
            stream = Stream(path)
            try:
                for record in self._records(stream):
                    yield record
                    if progress is not None and progress.passes(stream.done):
                        return
            except (ValueError, OSError, EOFError, csv.Error, RecursionError) as error:
                reading.fault(f"{path.name}: {str(error)[:160]}")
                reading.unseen.append(f"what follows the fault in {path.name}")
            finally:
                stream.close()
            if progress is not None:
                progress.file_ends(stream.done)


class _Progress:
    """Bytes read so far, over all files, against the budget."""

    def __init__(self, most: int) -> None:
        self.most, self.done, self._before, self.is_spent = most, 0, 0, False

    def passes(self, in_file: int) -> bool:
        self.done = self._before + in_file
        self.is_spent = self.done > self.most
        return self.is_spent

    def file_ends(self, in_file: int) -> None:
        self._before += in_file
        self.done = self._before


def lines_table(paths: Sequence[Path]) -> Streamed:
    return Streamed("jsonl", paths, _lines, _parse_object)


def text_table(paths: Sequence[Path]) -> Streamed:
    return Streamed("text", paths, _lines, lambda line: {"text": line.decode("utf-8", "replace").rstrip("\r\n")})


def json_table(paths: Sequence[Path]) -> Streamed:
    """A .json file may be an array, an object around one, or lines."""
    return Streamed("json", paths, _json_records, _json_row)


def _lines(stream: Stream) -> Iterator[bytes]:
    while line := stream.line():
        if line.strip():
            yield line


def _parse_object(line: bytes) -> Row:
    return _must_be_object(json.loads(line.removeprefix(b"\xef\xbb\xbf")))


def _json_row(record: Any) -> Row:
    return _parse_object(record) if isinstance(record, bytes) else _must_be_object(record)


def _must_be_object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"holds {type(value).__name__}, not an object")
    return value


def _json_records(stream: Stream) -> Iterator[Any]:
    begin = stream.read(json_stream.PIECE)
    opening = begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if opening == b"[":
        yield from json_stream.array(stream.read, begin)
    elif _is_lines(begin):
        yield from _json_lines(stream, begin)
    else:
        yield from _wrapped(begin + stream.read(WHOLE_JSON))


def _is_lines(begin: bytes) -> bool:
    """Whether the first line is an object by itself, and more follows."""
    first, _, rest = begin.lstrip().partition(b"\n")
    try:
        return isinstance(json.loads(first), dict) and rest.lstrip()[:1] == b"{"
    except ValueError:
        return False


def _json_lines(stream: Stream, begin: bytes) -> Iterator[bytes]:
    for line in (begin + stream.line()).splitlines():
        if line.strip():
            yield line
    yield from _lines(stream)


def _wrapped(data: bytes) -> Iterator[Any]:
    """The rows in an object: its longest list of objects, or its columns, or the object itself as the only row."""
    if len(data) > WHOLE_JSON:
        raise ValueError("one object of more than 64 MiB; write it as lines of JSON")
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("neither an array nor an object")
    lists = [each for each in value.values() if isinstance(each, list)]
    rows = max((each for each in lists if each and isinstance(each[0], dict)), key=len, default=None)
    if rows is not None:
        return iter(rows)
    if lists and len(lists) == len(value) and len({len(each) for each in lists}) == 1:
        return (dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True))
    return iter([value])
