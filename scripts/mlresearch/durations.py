"""One spelling of time: `90s`, `30m`, `1.5h`, `1h30m`, `2d`, bare seconds. What can not be read has no default."""

from __future__ import annotations

from mlresearch.errors import UsageError, shown

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_S = 366 * 86400
ALLOWED = "90s, 30m, 1.5h, 1h30m, 2d or whole seconds, above zero and at most 366d"


def parse(text: object, name: str = "timeout") -> int:
    """Whole seconds, rounded up; raises UsageError for zero, negative, NaN, empty, or units out of order."""
    seconds = _seconds(text)
    if seconds is None or not 0 < seconds <= LONGEST_S:
        raise UsageError(f"{name} {shown(text)} is not a duration", ALLOWED)
    return -int(-seconds // 1)


def _seconds(text: object) -> float | None:
    if isinstance(text, bool):
        return None
    if isinstance(text, int):
        return text
    if not isinstance(text, str):
        return None
    if is_decimal(text, 9, 0):
        return int(text)
    parts = _parts(text)
    sizes = [UNITS[unit] for _, unit in parts]
    if not parts or sizes != sorted(set(sizes), reverse=True):
        return None
    # millionths as integers: 0.1 has no exact float, and a limit must not drift
    return sum(millionths(number) * UNITS[unit] for number, unit in parts) / 1_000_000


def _parts(text: str) -> list[tuple[str, str]]:
    """`1h30m` as numbers with their unit; [] when it is not made of those. By hand: compiling a pattern takes 3 ms."""
    parts, number = [], ""
    for letter in text:
        if letter not in UNITS:
            number += letter
        elif is_decimal(number, 9, 6):
            parts.append((number, letter))
            number = ""
        else:
            return []
    return [] if number else parts


def is_decimal(text: str, digits: int, decimals: int) -> bool:
    """Whether text is a plain number of at most so many digits before and after the point: no sign, no exponent."""
    whole, point, fraction = text.partition(".")
    plain = text.isascii() and whole.isdigit() and len(whole) <= digits
    return plain and (not point or (fraction.isdigit() and len(fraction) <= decimals))


def millionths(number: str) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))


def show(seconds: int) -> str:
    """`5400` reads `1h30m`; the text parses back to the same number."""
    if seconds <= 0:
        return f"{seconds}s"
    out = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, UNITS[unit])
        if count:
            out.append(f"{count}{unit}")
    return "".join(out)
