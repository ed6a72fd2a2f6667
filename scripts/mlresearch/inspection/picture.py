"""Distributions of a data set as one PNG: rows per split, classes, lengths, turns, tokens, numbers.

Drawn with Pillow, which the inspection needs anyway to read picture headers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlresearch import store
from mlresearch.inspection.audit import SplitSeen
from mlresearch.inspection.columns import ColumnSeen
from mlresearch.inspection.spread import bars
from mlresearch.inspection.tokens import TokenCounter

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

WIDTH, HEIGHT, COLUMNS = 520, 260, 2
LEFT, TOP, BOTTOM = 16, 36, 28
MOST_PANELS, MOST_BARS = 16, 12
INK, FAINT, FILL, PAPER = "#1f2430", "#6b7280", "#3b6ea5", "#ffffff"


@dataclass(frozen=True)
class Panel:
    """`bars` are (label, count). Labels stand beside bars that lie, else only the first and last stand below."""

    title: str
    bars: tuple[tuple[str, int], ...]
    lies: bool = False


def panels(splits: Sequence[SplitSeen], tokens: TokenCounter | None) -> list[Panel]:
    """What there is to draw of the first split, and the rows of all."""
    sizes = tuple((split.name, split.reading.rows or 0) for split in splits[:MOST_BARS])
    found = [Panel("rows per split", sizes, lies=True)]
    for name, seen in splits[0].columns.items():
        found += _column(f"{splits[0].name}: {name}", seen)
    for name, lengths in (tokens.lengths if tokens else {}).items():
        found.append(_histogram(f"{splits[0].name}: {name}, tokens", lengths))
    return found[:MOST_PANELS]


def _column(title: str, seen: ColumnSeen) -> Iterator[Panel]:
    repeated = seen.classes and not seen.is_open and len(seen.classes) * 2 <= seen.filled
    if repeated:
        top = seen.classes.most_common(MOST_BARS)
        told = f", {MOST_BARS} of {len(seen.classes)}" if len(seen.classes) > MOST_BARS else ""
        yield Panel(f"{title}, classes{told}", tuple((str(value), count) for value, count in top), lies=True)
    elif seen.numbers:
        yield _histogram(title, seen.numbers)
    for what, values in (
        ("characters", () if repeated else seen.characters),
        ("turns", seen.chat.turns),
        ("characters a conversation", seen.chat.characters),
        ("bytes", seen.sizes),
        ("seconds", seen.seconds),
    ):
        if values:
            yield _histogram(f"{title}, {what}", values)


def _histogram(title: str, values: Sequence[float]) -> Panel:
    found = bars(values)
    return Panel(title, tuple((f"{low:.6g} – {high:.6g}", count) for low, high, count in found))


def draw(path: Path, shown: Sequence[Panel]) -> None:
    """Write the panels, two in a row; raises OSError when the file can not be written."""
    from PIL import Image, ImageDraw

    lines = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (WIDTH * COLUMNS, HEIGHT * lines), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, panel in enumerate(shown):
        _panel(pen, panel, place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT)
    held = io.BytesIO()
    sheet.save(held, "PNG", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    store.put_bytes(str(path), held.getvalue())


def _panel(pen: ImageDraw.ImageDraw, panel: Panel, x: int, y: int) -> None:
    from PIL.ImageFont import load_default

    font, small = load_default(15), load_default(12)
    pen.text((x + LEFT, y + 10), _cut(panel.title, 60), INK, font)
    most = max((count for _, count in panel.bars), default=0) or 1
    box = (x + LEFT, y + TOP, x + WIDTH - LEFT, y + HEIGHT - BOTTOM)
    if panel.lies:
        _lying(pen, panel, box, most, small)
    else:
        _standing(pen, panel, box, most, small)


def _lying(pen: ImageDraw.ImageDraw, panel: Panel, box: tuple[int, int, int, int], most: int, font: Font) -> None:
    left, top, right, bottom = box
    step, begin = min(28, (bottom - top) // max(1, len(panel.bars))), left + 150
    for place, (label, count) in enumerate(panel.bars):
        y = top + place * step
        pen.text((left, y), _cut(label, 22), INK, font)
        end = begin + (right - begin - 70) * count // most
        pen.rectangle((begin, y + 2, max(begin + 1, end), y + step - 5), FILL)
        pen.text((end + 6, y), f"{count:,}", FAINT, font)


def _standing(pen: ImageDraw.ImageDraw, panel: Panel, box: tuple[int, int, int, int], most: int, font: Font) -> None:
    left, top, right, bottom = box
    step = (right - left) / max(1, len(panel.bars))
    for place, (_, count) in enumerate(panel.bars):
        x = left + place * step
        pen.rectangle((x, bottom - (bottom - top - 14) * count / most, x + step - 2, bottom), FILL)
    pen.line((left, bottom, right, bottom), FAINT)
    pen.text((left, top), f"{most:,}", FAINT, font)
    first, last = panel.bars[0][0], panel.bars[-1][0]
    pen.text((left, bottom + 5), first.split(" – ")[0], FAINT, font)
    pen.text((right, bottom + 5), last.split(" – ")[-1], FAINT, font, anchor="ra")


def _cut(text: str, most: int) -> str:
    """Short, and of letters that the font has: others as escapes, since empty boxes would all look alike."""
    text = "".join(sign if ord(sign) < 0x250 or sign in "–…" else f"\\u{ord(sign):04x}" for sign in text)
    return text if len(text) <= most else text[: most - 1] + "…"
