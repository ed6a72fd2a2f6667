"""A JSON array read item by item, in a buffer that grows only to its longest item."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from typing import Any

from mlresearch.inspection.tables import MIB

# an item longer than this is a fault of the file, not a row
LONGEST_ITEM = 64 * MIB
PIECE = 256 * 1024

Read = Callable[[int], bytes]


def array(read: Read, begin: bytes) -> Iterator[Any]:
    """The items of an array, one at a time, from a buffer that grows only to the longest item."""
    decoder, held = json.JSONDecoder(), _Buffer(read, begin.removeprefix(b"\xef\xbb\xbf"))
    held.skip("[")
    while held.peek() not in ("]", ""):
        value, end = held.decode(decoder)
        held.advance(end)
        yield value
        if held.peek() == ",":
            held.skip(",")
    if not held.peek():
        raise ValueError("the array does not end")


class _Buffer:
    def __init__(self, read: Read, begin: bytes) -> None:
        self._read, self._decode = read, codecs.getincrementaldecoder("utf-8")("replace")
        self._text, self._at = self._decode.decode(begin), 0

    def peek(self) -> str:
        """The next sign that is no blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self, sign: str) -> None:
        if self.peek() != sign:
            raise ValueError(f"{sign} is missing")
        self._at += 1

    def advance(self, end: int) -> None:
        self._at = end

    def decode(self, decoder: json.JSONDecoder) -> tuple[Any, int]:
        self.peek()
        size = PIECE
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
                # a number at the end of the buffer may go on in the next piece
                if end < len(self._text) or not self._more():
                    return value, end
            except json.JSONDecodeError as error:
                # twice as much each time, so that a long item is not parsed anew for every piece
                if len(self._text) - self._at > LONGEST_ITEM or not self._more(size):
                    raise ValueError(f"broken JSON: {error.msg}") from None
                size *= 2

    def _more(self, size: int = PIECE) -> bool:
        """Take in the next piece, and drop what is decoded; False, and nothing moved, at the end of the file."""
        piece = self._read(size)
        if piece:
            self._text, self._at = self._text[self._at :] + self._decode.decode(piece), 0
        return bool(piece)
