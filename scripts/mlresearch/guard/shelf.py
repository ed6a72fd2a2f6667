"""Reads files for one call, each once, up to bounds that keep the hook's time small.

Knows what the same call writes before it runs it. Judges nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE = 256 * 1024
LARGEST_TOTAL = 768 * 1024
MOST_FILES = 30


class Source:
    """A text that a command runs. `language` is python, shell, strings (any other: only its strings are read) or
    unknown (it can not be read). `inline` means that it stands in the call itself."""

    __slots__ = ("folder", "inline", "language", "name", "text")

    def __init__(self, language: str, text: str, name: str, inline: bool = False, folder: str = "") -> None:
        self.language, self.text, self.name, self.inline, self.folder = language, text, name, inline, folder


class Shelf:
    """Reads files for one call, each once, up to the bounds; `written` holds what the same call writes first."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self.seen: set[str] = set()
        self.left = LARGEST_TOTAL
        self.written: dict[str, str | None] = {}
        self.full = False

    def text(self, path: str) -> str | None:
        """The text of a file, None when there is none. Sets `full` when a bound is passed."""
        if path in self.written:
            return self.written[path]
        raw = self._read(path)
        if raw is None:
            return None
        self.seen.add(path)
        self.left -= len(raw)
        if len(raw) > LARGEST_FILE or self.left < 0 or len(self.seen) > MOST_FILES:
            self.full = True
            return None
        return raw.decode("utf-8", "replace")
