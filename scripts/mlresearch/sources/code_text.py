"""Files as they are shown: lines by number, a notebook as its cells with outputs cut short. Pure.

Refuses to show bytes that are no text as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlresearch.errors import UsageError, shown

DEFAULT_LINES = 400
MOST_LINES = 2000
MOST_LETTERS = 60_000
MOST_OUTPUT = 600
LONGEST_LINE = 2000
_RANGE = re.compile(r"(\d{1,7})(?:(-)(\d{1,7})?)?")


@dataclass(frozen=True)
class Lines:
    """Lines `first` to `last` of `total`, counted from 1; `is_cut` when less is shown than was asked for."""

    first: int
    last: int
    total: int
    lines: tuple[str, ...]
    is_cut: bool

    def data(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "last": self.last,
            "lines": self.total,
            "truncated": self.is_cut,
            "text": "\n".join(self.lines),
        }

    def numbered(self) -> str:
        width = len(str(self.last))
        shown_ = [f"{place:>{width}}  {line}" for place, line in enumerate(self.lines, self.first)]
        more = [f"… {self.total - self.last} more lines; --lines {self.last + 1}-"] if self.last < self.total else []
        return "\n".join([*shown_, *more])


def span(given: str | None) -> tuple[int, int | None] | None:
    """First and last line of `A-B`, `A-` or `A`; None for no range; raises UsageError for anything else."""
    if given is None:
        return None
    found = _RANGE.fullmatch(given)
    first = int(found[1]) if found else 0
    last = (int(found[3]) if found[3] else None if found[2] else first) if found else 0
    if first < 1 or (last is not None and last < first):
        raise UsageError(f"--lines is {shown(given)}", "A-B, A- or A, from line 1")
    return first, last


def lines(text: str, asked: tuple[int, int | None] | None) -> Lines:
    """The lines asked for, within bounds; raises UsageError when the file ends before them."""
    every = re.split(r"\r\n|\n|\r", text)
    if every[-1] == "":
        every.pop()
    first, last = asked or (1, DEFAULT_LINES)
    if first > max(1, len(every)):
        raise UsageError(f"--lines begins at {first}", f"lines 1 to {len(every)}")
    wanted = every[first - 1 : min(last or len(every), first - 1 + MOST_LINES)]
    kept: list[str] = []
    letters = 0
    for line in wanted:
        short = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}… ({len(line)} letters)"
        letters += len(short) + 1
        if letters > MOST_LETTERS and kept:
            break
        kept.append(short)
    end = first - 1 + len(kept)
    return Lines(first, end, len(every), tuple(kept), end < min(last or len(every), len(every)))


def decoded(body: bytes) -> str | None:
    """The text; None for bytes that are none. A character cut off at the end of a part is left out."""
    if b"\0" in body[:8192]:
        return None
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return body[: error.start].decode("utf-8-sig") if error.start > 0 and error.start >= len(body) - 3 else None


def readable(path: str, body: bytes) -> str | None:
    """A file's text as it is shown, a notebook rendered; None for bytes that are no text."""
    text = decoded(body)
    if text is None or not path.casefold().endswith(".ipynb"):
        return text
    try:
        return "\n".join(_cells(json.loads(text)))
    except (ValueError, RecursionError, TypeError, AttributeError):
        return text


def _cells(notebook: dict[str, Any]) -> Iterator[str]:
    """Cells in their order under `# %%` marks, as editors write notebooks as scripts."""
    for place, cell in enumerate(notebook["cells"] if isinstance(notebook.get("cells"), list) else _none(), 1):
        yield f"# %% [{cell.get('cell_type', 'unknown')}] cell {place}"
        yield from _joined(cell.get("source")).splitlines()
        for output in cell.get("outputs") or ():
            yield from (f"# > {line}" for line in _output(output).splitlines())
        yield ""


def _none() -> list[Any]:
    raise ValueError("no cells")


def _output(output: dict[str, Any]) -> str:
    """An output's text cut short; pictures and the like by their kind alone."""
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"[:MOST_OUTPUT]
    data = output.get("data") or {}
    text = _joined(output.get("text") or data.get("text/plain"))
    kinds = ", ".join(kind for kind in data if kind != "text/plain")
    cut = text if len(text) <= MOST_OUTPUT else f"{text[:MOST_OUTPUT]}… ({len(text)} letters)"
    return "\n".join(filter(None, (cut, f"[{kinds}]" if kinds else "")))


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
