"""A text cut into numbered sections at its Markdown headings, and one of them chosen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlresearch.errors import NotFound, shown

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_NUMBER = re.compile(r"^(?:section\s+|appendix\s+)?((?:\d+|[A-Z])(?:\.\d+)*)(?:[.:)]?\s+)(?=\S)", re.IGNORECASE)


@dataclass(frozen=True)
class Section:
    """`number` is the paper's own where it has one (`3.1`, `A.2`), else the place in the list; text without heading."""

    number: str
    title: str
    level: int
    text: str

    def head(self) -> dict[str, Any]:
        return {"number": self.number, "title": self.title, "level": self.level, "letters": len(self.text)}


def from_markdown(text: str) -> list[Section]:
    """Sections by headings; headings inside code fences do not count. What stands before the first is `(front)`."""
    parts: list[tuple[str, int, list[str]]] = [("(front)", 1, [])]
    is_code = False
    for line in text.splitlines():
        is_code ^= bool(_FENCE.match(line))
        found = None if is_code else _HEADING.match(line)
        if found:
            parts.append((found[2].strip("*_ "), len(found[1]), []))
        else:
            parts[-1][2].append(line)
    return numbered((title, level, "\n".join(lines).strip()) for title, level, lines in parts)


def numbered(parts: Iterable[tuple[str, int, str]]) -> list[Section]:
    """Give each section a number: its own where its title begins with one."""
    kept = [(title, level, text) for title, level, text in parts if title != "(front)" or text]
    found = []
    for place, (title, level, text) in enumerate(kept):
        own = _NUMBER.match(title)
        is_own = own is not None and (own[1][0].isdigit() or "." in own[0] or title.lower().startswith("appendix"))
        number = own[1] if own is not None and is_own else f"#{place}"
        found.append(Section(number, title[own.end() :] if own is not None and is_own else title, level, text))
    return found


def choose(sections: list[Section], wanted: str) -> list[Section]:
    """The section that a number, place or part of a title names, with its subsections; raises NotFound."""
    key = wanted.strip().casefold().removeprefix("section ").rstrip(".")
    tests = (
        lambda each: each.number.casefold() == key,
        lambda each: each.number == f"#{key}",
        lambda each: each.title.casefold() == key,
        lambda each: bool(key) and key in each.title.casefold(),
    )
    for test in tests:
        place = next((place for place, each in enumerate(sections) if test(each)), None)
        if place is not None:
            return _with_children(sections, place)
    raise NotFound(
        f"the paper has no section {shown(wanted)}",
        ", ".join(f"{each.number} {each.title}" for each in sections[:40]),
        "papers.py read ID shows them all",
    )


def _with_children(sections: list[Section], place: int) -> list[Section]:
    """Children are deeper, or carry a longer number: the Hub's Markdown has all headings on one level at times."""
    first, found = sections[place], [sections[place]]
    for each in sections[place + 1 :]:
        is_part = each.number.startswith(first.number + ".")
        if not is_part and (each.level <= first.level or not each.number.startswith("#")):
            break
        found.append(each)
    return found
