"""Backslash escapes as ``$'...'``, ``echo -e`` and ``printf`` read them."""

from __future__ import annotations

SINGLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\033", "E": "\033", "f": "\f", "v": "\v",
          "\\": "\\", "'": "'", '"': '"', "?": "?"}  # fmt: skip
WIDTH = {"x": 2, "u": 4, "U": 8}
OCTAL = "01234567"
HEXADECIMAL = "0123456789abcdefABCDEF"


def escape(text: str, at: int) -> tuple[str, int]:
    """The character written by the escape whose letter stands at ``at``, and the index after it.

    An escape no shell knows stays as it is, backslash included.
    """
    letter = text[at : at + 1]
    if letter in SINGLE and letter:
        return SINGLE[letter], at + 1
    if letter and letter in OCTAL:
        stop = _run(text, at, 4 if letter == "0" else 3, OCTAL)
        return chr(int(text[at:stop], 8) & 255), stop
    if letter in WIDTH and letter:
        return _hexadecimal(text, at)
    if letter == "c" and at + 1 < len(text):
        return chr(ord(text[at + 1]) & 31), at + 2
    return "\\" + letter, at + 1


def _hexadecimal(text: str, at: int) -> tuple[str, int]:
    braced = text.startswith("x{", at)  # bash alone reads $'\x{68}' so
    start = at + (2 if braced else 1)
    stop = _run(text, start, WIDTH[text[at]], HEXADECIMAL)
    if stop == start:
        return "\\" + text[at], at + 1
    code = int(text[start:stop], 16)
    if braced and text.startswith("}", stop):
        stop += 1
    return (chr(code) if code < 0x110000 else "\ufffd"), stop


def _run(text: str, start: int, width: int, allowed: str) -> int:
    stop = start
    while stop < min(start + width, len(text)) and text[stop] in allowed:
        stop += 1
    return stop


def ansi_c(text: str, at: int) -> tuple[str, int]:
    """The value of a ``$'...'`` whose body starts at ``at``, and the index after its closing quote (-1: none).

    A NUL ends the value, as it does in bash.
    """
    value: list[str] = []
    while at < len(text) and text[at] != "'":
        if text[at] == "\\":
            char, at = escape(text, at + 1)
            value.append(char)
        else:
            value.append(text[at])
            at += 1
    return "".join(value).split("\0", 1)[0], at + 1 if at < len(text) else -1


def unescape(text: str) -> str:
    """The text as ``printf`` or ``echo -e`` would write it."""
    if "\\" not in text:
        return text
    value: list[str] = []
    at = 0
    while at < len(text):
        char, at = escape(text, at + 1) if text[at] == "\\" else (text[at], at + 1)
        value.append(char)
    return "".join(value)
