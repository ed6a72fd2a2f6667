"""Brace expansion and the pattern characters of a word, on its parts (quotes already read)."""

from __future__ import annotations

from mlresearch.guard.words import Part

MOST_GROUPS = 12  # groups multiply: a longer word stays unexpanded, hence dynamic
MOST_WORDS = 256


def settle(parts: list[Part]) -> None:
    """Turn pattern and brace characters that cannot act as such into plain text, in place."""
    closed = False
    for part in reversed(parts):
        if part.kind == "glob" and part.text == "[" and not closed:
            part.kind = "text"
        elif part.kind == "text" and not part.quoted and "]" in part.text:
            closed = True
    if any(part.kind == "brace" for part in parts) and not _has_group(parts):
        plain(parts, ("brace",))


def plain(parts: list[Part], kinds: tuple[str, ...] = ("brace", "glob")) -> None:
    """Turn parts of these kinds into plain text, in place: where the shell expands none (assignments)."""
    for part in parts:
        if part.kind in kinds:
            part.kind = "text"


def _has_group(parts: list[Part]) -> bool:
    """True when some ``{...}`` is balanced and holds a comma or a ``..``."""
    lists: list[bool] = []
    for part in parts:
        if part.kind != "brace":
            if lists and part.kind == "text" and ".." in part.text:
                lists[-1] = True
        elif part.text == "{":
            lists.append(False)
        elif part.text == "," and lists:
            lists[-1] = True
        elif part.text == "}" and lists and lists.pop():
            return True
    return False


def expand(parts: list[Part]) -> list[list[Part]] | None:
    """The words a brace expansion makes of one, each as its parts; None when there are too many to list."""
    if sum(part.kind == "brace" and part.text == "{" for part in parts) > MOST_GROUPS:
        return None
    return _expand(parts)


def _expand(parts: list[Part]) -> list[list[Part]] | None:
    for start, part in enumerate(parts):
        if part.kind == "brace" and part.text == "{":
            group = _group(parts, start)
            if group is not None:
                stop, items = group
                return _combine(parts[:start], items, parts[stop + 1 :])
    return [_literal(parts)]


def _literal(parts: list[Part]) -> list[Part]:
    return [Part("text", part.text) if part.kind == "brace" else part for part in parts]


def _combine(head: list[Part], items: list[list[Part]], tail: list[Part]) -> list[list[Part]] | None:
    tails = _expand(tail)
    if tails is None:
        return None
    found: list[list[Part]] = []
    for item in items:
        middles = _expand(item)
        if middles is None or len(found) + len(middles) * len(tails) > MOST_WORDS:
            return None
        found += [_literal(head) + middle + end for middle in middles for end in tails]
    return found


def _group(parts: list[Part], start: int) -> tuple[int, list[list[Part]]] | None:
    """Index of the brace that closes the one at start, and the items between; None when it is no expansion."""
    depth = 0
    items: list[list[Part]] = [[]]
    for index in range(start + 1, len(parts)):
        part = parts[index]
        if part.kind == "brace" and depth == 0 and part.text == "}":
            found = items if len(items) > 1 else _sequence(items[0])
            return None if found is None else (index, found)
        if part.kind == "brace" and depth == 0 and part.text == ",":
            items.append([])
            continue
        if part.kind == "brace":
            depth += {"{": 1, "}": -1}.get(part.text, 0)
        items[-1].append(part)
    return None


def _sequence(parts: list[Part]) -> list[list[Part]] | None:
    """The items of ``1..5``, ``a..e`` or ``1..9..2``; None when the text is no sequence, or one too long."""
    if not all(part.kind == "text" and not part.quoted for part in parts):
        return None
    bounds = "".join([part.text for part in parts]).split("..")
    if len(bounds) not in (2, 3):
        return None
    step = _integer(bounds[2]) if len(bounds) == 3 else 1
    first, last = _integer(bounds[0]), _integer(bounds[1])
    if first is not None and last is not None and step is not None:
        return [[Part("text", _padded(value, bounds))] for value in _count(first, last, step)]
    if len(bounds[0]) == 1 and len(bounds[1]) == 1 and step is not None:
        return [[Part("text", chr(value))] for value in _count(ord(bounds[0]), ord(bounds[1]), step)]
    return None


def _integer(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _count(first: int, last: int, step: int) -> list[int]:
    step = max(abs(step), 1)
    values = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    return list(values[: MOST_WORDS + 1])


def _padded(value: int, bounds: list[str]) -> str:
    width = max(len(bound) for bound in bounds[:2])
    padded = any(bound.lstrip("-").startswith("0") and len(bound.lstrip("-")) > 1 for bound in bounds[:2])
    return str(value).zfill(width) if padded else str(value)
