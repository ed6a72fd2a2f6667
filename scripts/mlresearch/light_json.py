"""JSON without the `json` package, whose import (with `re` and `enum`) takes 7 of the 24 ms of a hook call.

Uses the C scanner behind `json.loads` directly and gives way to the package where there is none. Same grammar, same
errors (`ValueError`), and a key that comes twice is refused.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Rules:
    """The settings that the C scanner reads."""

    strict = True
    object_hook = None
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner only looks for the name

    @staticmethod
    def parse_float(text: str) -> float:
        value = float(text)
        if value - value != 0:  # 1e999 reads as infinity
            raise ValueError(f"{text[:20]} is too large a number")
        return value

    @staticmethod
    def object_pairs_hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key comes twice")
        return found

    @staticmethod
    def parse_constant(name: str) -> None:
        raise ValueError(f"{name} is no number")


def loads(text: str) -> Any:
    """The value of a JSON text; raises ValueError (or RecursionError) when it is none."""
    try:
        from _json import make_scanner
    except ImportError:
        import json

        rules = {name: getattr(_Rules, name) for name in ("object_pairs_hook", "parse_constant", "parse_float")}
        return json.loads(text, **rules)
    begin = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = make_scanner(_Rules)(text, begin)  # type: ignore[arg-type]
    except (StopIteration, SystemError):  # 3.10 and 3.11 can not name the fault before `json.decoder` is loaded
        raise ValueError("no JSON value") from None
    if text[end:].strip(" \t\r\n"):
        raise ValueError("text behind the JSON value")
    return value


def quoted(text: str) -> str:
    """A text as an ASCII JSON string."""
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        import json

        return json.dumps(text)
    encoded: str = encode_basestring_ascii(text)
    return encoded
