"""Reads the options of a program the way getopt does, on words of which some are unknown."""

from __future__ import annotations

from mlresearch.guard.words import Part, Word, static


class Options:
    """The options found, as (name, value) pairs, and the operands that follow them."""

    __slots__ = ("found", "operands")

    def __init__(self, found: list[tuple[str, Word | None]], operands: list[Word]) -> None:
        self.found = found
        self.operands = operands

    def has(self, *names: str) -> bool:
        return any(name in names for name, _ in self.found)

    def values(self, *names: str) -> list[Word]:
        return [value for name, value in self.found if name in names and value is not None]


def read(words: list[Word], short: str = "", longs: tuple[str, ...] = (), signs: str = "-") -> Options:
    """Options up to the first operand or ``--``.

    short: letters that take a value; longs: long options that take one (a prefix of one counts, as in getopt), or,
    when the first entry is "!", the only long options that take none.
    """
    found: list[tuple[str, Word | None]] = []
    at = 0
    while at < len(words):
        lead = _lead(words[at])
        if lead[:1] not in signs or len(lead) < 2:
            break
        at += 1
        if lead == "--":
            break
        following = words[at] if at < len(words) else None
        taken = _long(words[at - 1], longs, following, found) if lead[:2] == "--" else (
            _cluster(words[at - 1], lead, short, following, found))  # fmt: skip
        at += taken
    return Options(found, words[at:])


def _lead(word: Word) -> str:
    """The static beginning of a word ("" when it starts with something unknown)."""
    if word.text is not None:
        return word.text
    return word.parts[0].text if word.parts and word.parts[0].kind == "text" else ""


def _long(word: Word, longs: tuple[str, ...], following: Word | None, found: list[tuple[str, Word | None]]) -> int:
    name, equals, _ = _lead(word).partition("=")
    if equals:
        found.append((name, after(word, len(name) + 1)))
        return 0
    listed = any(long.startswith(name[2:]) for long in longs)
    valued = name[2:] not in longs if longs[:1] == ("!",) else listed
    found.append((name, following if valued else None))
    return int(valued)


def _cluster(word: Word, lead: str, short: str, following: Word | None,
             found: list[tuple[str, Word | None]]) -> int:  # fmt: skip
    for index, letter in enumerate(lead[1:], 2):
        name = lead[0] + letter
        if letter not in short:
            found.append((name, None))
        elif index < len(lead) or word.text is None:
            found.append((name, after(word, index)))
            return 0
        else:
            found.append((name, following))
            return 1
    return 0


def after(word: Word, length: int) -> Word:
    """The word without its first characters, which stand in its leading static part."""
    if word.text is not None:
        return static(word.text[length:])
    first = word.parts[0]
    return Word(word.raw[length:], [Part(first.kind, first.text[length:], first.quoted), *word.parts[1:]])
