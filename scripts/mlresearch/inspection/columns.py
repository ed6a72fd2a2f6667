"""One pass over the sampled values of a column: nulls, classes, lengths, numbers, JSON text, media, conversations.

Memory is bounded by the sample: one number per value for the spreads, and at most MOST_CLASSES distinct values.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlresearch.inspection import media
from mlresearch.inspection.chat import ChatSeen, spelling
from mlresearch.inspection.features import DEEPEST
from mlresearch.inspection.spread import spread

MOST_CLASSES = 1000
SHOWN_CLASSES = 20
LONGEST_CLASS = 100
# a cell that holds megabytes of JSON is parsed no further than to say that it begins like JSON
LONGEST_JSON = 4 * 1024 * 1024


class JsonSeen:
    """Strings that begin like JSON: how many parse, and where the others break."""

    def __init__(self) -> None:
        self.parsed = self.broken = 0
        self.faults: list[str] = []

    def parse(self, text: str, row: int) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.broken += 1
            if len(self.faults) < 3:
                self.faults.append(f"sampled row {row}: {str(error)[:120]}")
            return None
        self.parsed += 1
        return value

    @property
    def begun(self) -> int:
        return self.parsed + self.broken

    def as_data(self) -> dict[str, Any]:
        return {"parsed": self.parsed, "broken": self.broken} | ({"first_broken": self.faults} if self.faults else {})


class ColumnSeen:
    """Call `add` for each sampled row that has the column; `as_data` at the end."""

    def __init__(self) -> None:
        self.filled = self.blank = self.not_finite = 0
        self.types: Counter[str] = Counter()
        self.classes: Counter[Any] = Counter()
        self.is_open = False
        self.characters, self.items, self.sizes = array("q"), array("q"), array("q")
        self.numbers = array("d")
        self.json, self.chat = JsonSeen(), ChatSeen()
        self.json_chats = 0
        self.media: Counter[str] = Counter()
        self.media_faults = self.media_paths = 0
        self.widths, self.heights, self.seconds = array("q"), array("q"), array("d")
        self.item_types: Counter[str] = Counter()

    def add(self, value: Any, row: int) -> None:
        if value is None:
            return
        self.filled += 1
        self.types[type(value).__name__] += 1
        if isinstance(value, str):
            self._text(value, row)
        elif isinstance(value, bool | int | float):
            self._number(value)
        elif isinstance(value, list):
            self._list(value)
        elif media.content(value) is not None:
            self._media(media.content(value) or b"")

    def _text(self, value: str, row: int) -> None:
        self.characters.append(len(value))
        self.blank += not value.strip()
        self.media_paths += len(value) < 500 and bool(media.kind_of_path(value))
        self._class(value if len(value) <= LONGEST_CLASS else None)
        if value[:1] in ("{", "[") and len(value) <= LONGEST_JSON:
            parsed = self.json.parse(value, row)
            spelled = spelling(parsed)
            if spelled:
                self.json_chats += 1
                self.chat.add(parsed, spelled)

    def _number(self, value: float) -> None:
        if not math.isfinite(value):
            self.not_finite += 1
            return
        self.numbers.append(float(value))
        self._class(value if isinstance(value, int) else None)

    def _class(self, value: Any) -> None:
        """Count a value that could be a class; past MOST_CLASSES distinct ones the column is no class."""
        if self.is_open:
            return
        if value is not None:
            self.classes[value] += 1
        if value is None or len(self.classes) > MOST_CLASSES:
            self.is_open = True
            self.classes.clear()

    def _list(self, value: list[Any]) -> None:
        self.items.append(len(value))
        self.item_types.update({type(item).__name__ for item in value})
        spelled = spelling(value)
        if spelled:
            self.chat.add(value, spelled)

    def _media(self, data: bytes) -> None:
        told = media.describe(data)
        self.sizes.append(len(data))
        self.media[f"{told['media']}/{told['format']}"] += 1
        self.media_faults += "fault" in told
        if "width" in told:
            self.widths.append(told["width"])
            self.heights.append(told["height"])
        if "seconds" in told:
            self.seconds.append(told["seconds"])

    def as_data(self, rows: int) -> dict[str, Any]:
        told: dict[str, Any] = {"nulls": rows - self.filled}
        told |= {"blank": self.blank} if self.blank else {}
        told |= {"not_finite": self.not_finite} if self.not_finite else {}
        told |= {"mixed_types": dict(self.types)} if len(self.types) > 1 else {}
        for name, values in (("characters", self.characters), ("items", self.items), ("numbers", self.numbers)):
            told |= {name: spread(values)} if values else {}
        told |= self._classes_data() | self._media_data()
        told |= {"json_text": self.json.as_data()} if self.json.begun else {}
        return told | ({"chat": self.chat.as_data()} if self.chat.count else {})

    def _classes_data(self) -> dict[str, Any]:
        if self.is_open or not self.classes:
            return {"distinct": f"more than {MOST_CLASSES}, or long values"} if self.is_open else {}
        top = self.classes.most_common(SHOWN_CLASSES)
        return {"distinct": len(self.classes), "classes": [{"value": value, "rows": count} for value, count in top]}

    def _media_data(self) -> dict[str, Any]:
        if not self.media:
            return {}
        told: dict[str, Any] = {"media": dict(self.media), "bytes": spread(self.sizes)}
        told |= {"headers_broken": self.media_faults} if self.media_faults else {}
        for name, values in (("width", self.widths), ("height", self.heights), ("seconds", self.seconds)):
            told |= {name: spread(values)} if values else {}
        return told


def shortened(value: Any, most: int = 200, depth: int = 0) -> Any:
    """A value fit to be shown: long text, lists and depths cut, bytes described, everything JSON can hold."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}… ({len(value)} characters)"
    if isinstance(value, bytes):
        told = media.describe(value)
        extra = f" {told['width']}×{told['height']}" if "width" in told else ""
        return f"<{told['format']}{extra}, {len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(name): shortened(each, most, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        cut = [shortened(each, most, depth + 1) for each in value[:8]]
        return cut + ([f"… ({len(value)} items)"] if len(value) > 8 else [])
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float) or value is None else str(value)
