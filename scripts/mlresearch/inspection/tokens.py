"""Token lengths of sampled rows, with a tokenizer.json; without one only characters are known, and the answer says so.

Counts the text itself. The marks that a chat template adds around turns are not counted: it would need the template.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlresearch.errors import NotFound, ResearchError
from mlresearch.inspection.chat import spelling, text_of
from mlresearch.inspection.spread import spread

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# rows are counted in groups, since the library works on many texts at once
GROUP = 64
MOST_ROWS = 5000
LONGEST_TEXT = 1_000_000


class TokenCounter:
    """A watcher of the sampled rows: counts every text and conversation, up to MOST_ROWS rows of a split."""

    def __init__(self, tokenizer: Tokenizer, name: str) -> None:
        self.name, self._tokenizer = name, tokenizer
        self._held: list[tuple[str, str]] = []
        self.lengths: dict[str, array[int]] = {}
        self.rows = self.cut = 0

    def add(self, row: Mapping[str, Any], place: int) -> None:
        if self.rows >= MOST_ROWS:
            return
        self.rows += 1
        for name, value in row.items():
            text = _text(value)
            if text:
                self.cut += len(text) > LONGEST_TEXT
                self._held.append((name, text[:LONGEST_TEXT]))
        if len(self._held) >= GROUP:
            self._count()

    def _count(self) -> None:
        found = self._tokenizer.encode_batch_fast([text for _, text in self._held], add_special_tokens=False)
        for (name, _), encoded in zip(self._held, found, strict=True):
            self.lengths.setdefault(name, array("q")).append(len(encoded))
        self._held.clear()

    def as_data(self) -> dict[str, Any]:
        if self._held:
            self._count()
        told: dict[str, Any] = {
            "tokenizer": self.name,
            "rows": self.rows,
            "columns": {name: spread(lengths) for name, lengths in self.lengths.items()},
            "note": "without the marks of a chat template",
        }
        return told | ({"texts_cut": self.cut} if self.cut else {})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if spelling(value):
        return "\n".join(text_of(turn.get("content", turn.get("value"))) for turn in value)
    return ""


def from_json(data: bytes, name: str) -> Tokenizer:
    """The tokenizer in a tokenizer.json; raises ResearchError when it is none."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(data.decode())
    except Exception as error:  # the library raises plain Exception
        raise ResearchError(
            f"{name} is no tokenizer: {str(error)[:160]}", "a tokenizer.json", "leave --tokenizer away"
        ) from None


def from_path(path: Path) -> Tokenizer:
    """From a tokenizer.json, or a folder that holds one."""
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise NotFound(f"there is no {file}", "a tokenizer.json, its folder, or a model on the Hub", "check the path")
    return from_json(file.read_bytes(), str(file))
