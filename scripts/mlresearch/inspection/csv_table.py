"""csv as a table: the separator is read off the head, and a column's type off all its cells.

A column is a number or true/false only when every filled cell spells one; a code such as 007 is text. A record of
another width than the head is a fault: it is told, never shifted.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlresearch.inspection.tables import Row
from mlresearch.inspection.text_tables import LONGEST_RECORD, Stream, Streamed

_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d{0,17})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NUMBER, FLAG, TEXT = "number", "flag", "text"

Record = tuple[list[str], list[str]]


def csv_table(paths: Sequence[Path]) -> Streamed:
    types = Types()
    return Streamed("csv", paths, _records, types.row, types.observe)


class Types:
    """What each column holds so far: nothing, numbers, flags, or text for good."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def observe(self, record: Record) -> None:
        names, cells = record
        for name, cell in zip(names, cells, strict=False):
            held = self._held.get(name, "")
            if held != TEXT and cell:
                kind = _kind(cell)
                self._held[name] = kind if held in ("", kind) else TEXT

    def row(self, record: Record) -> Row:
        names, cells = record
        if len(cells) != len(names):
            raise ValueError(f"{len(cells)} cells where the head names {len(names)}")
        return {name: self._typed(name, cell) for name, cell in zip(names, cells, strict=True)}

    def _typed(self, name: str, cell: str) -> Any:
        """An empty cell is null; else what the column holds."""
        if not cell:
            return None
        held = self._held.get(name)
        if held == NUMBER:
            return int(cell) if cell.lstrip("+-").isdigit() else float(cell)
        return _FLAGS[cell] if held == FLAG else cell


def _kind(cell: str) -> str:
    return NUMBER if _NUMBER.fullmatch(cell) else FLAG if cell in _FLAGS else TEXT


def _records(stream: Stream) -> Iterator[Record]:
    """(names, cells) of each record; the separator is the one the head uses most."""
    csv.field_size_limit(LONGEST_RECORD)
    lines = stream.text_lines()
    head = next(lines, "")
    rows = csv.reader(_again(head, lines), delimiter=max(",\t;|", key=head.count))
    names = next(rows, [])
    for cells in rows:
        if cells:
            yield names, cells


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
