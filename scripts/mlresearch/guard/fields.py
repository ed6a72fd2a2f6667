"""Expands a word into the fields a program would get: braces, literal values, word splitting.

A word can have several readings (a variable with two possible values); each is a list of fields. Parts that stay
unknown are kept as parts, so that the field's text is None.
"""

from __future__ import annotations

from mlresearch.guard import braces
from mlresearch.guard.words import Part, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.scope import Piece, Scope

MOST_READINGS = 32
FORMS = {"variable": "${{}}", "command": "$({})", "arithmetic": "$(({}))", "process": "<({})"}


def expand(word: Word, scope: Scope) -> list[list[Word]]:
    """Every reading of the word, each as its fields."""
    if word.text is not None:
        return [[word]]
    lists = braces.expand(word.parts) if any(part.kind == "brace" for part in word.parts) else [word.parts]
    readings: list[list[Word]] = [[]]
    for parts in lists if lists is not None else [word.parts]:
        found = _readings(parts, scope)
        if len(found) * len(readings) > MOST_READINGS:
            found = [[Word(word.raw, parts)]]
        readings = extended(readings, found)
    return readings


def extended(readings: list[list[Word]], found: list[list[Word]]) -> list[list[Word]]:
    """Every reading followed by every one found; in place where there is one, so that long lists stay linear."""
    if len(found) != 1:
        return [head + tail for head in readings for tail in found]
    for head in readings:
        head += found[0]
    return readings


def scalar(word: Word, scope: Scope) -> list[str] | None:
    """Every text the word can stand for where no splitting happens (an assignment), None when unknown."""
    if word.text is not None:
        return [word.text]
    texts = [""]
    for part in word.parts:
        found = [part.text] if part.kind in ("text", "glob", "brace") else _texts(part, scope)
        if found is None or len(found) * len(texts) > MOST_READINGS:
            return None
        texts = [head + tail for head in texts for tail in found]
    return texts


def _texts(part: Part, scope: Scope) -> list[str] | None:
    """The values of one part as single texts; an array joins with blanks."""
    pieces = _pieces(part, scope)
    if pieces is None:
        return None
    texts: list[str] = []
    for piece in pieces:
        words = [] if isinstance(piece, str) else [word.text for word in piece]
        if None in words:
            return None
        texts.append(piece if isinstance(piece, str) else " ".join([text for text in words if text is not None]))
    return texts


def _pieces(part: Part, scope: Scope) -> list[Piece] | None:
    if part.kind == "variable":
        return scope.parameter(part.text)
    if part.kind == "command":
        return scope.output(part.text)
    return None


def _readings(parts: list[Part], scope: Scope) -> list[list[Word]]:
    """Every reading of one word whose braces are expanded."""
    choices: list[list[tuple[Part, Piece | None]]] = [[]]
    for part in parts:
        pieces = _pieces(part, scope)
        known: list[Piece | None] = [None] if not pieces else list(pieces)
        if len(known) * len(choices) > MOST_READINGS:
            known = [None]
        if len(known) > 1:
            choices = [[*head, (part, piece)] for head in choices for piece in known]
        else:
            for head in choices:
                head.append((part, known[0]))
    if len(choices) == 1 and all(piece is None for _, piece in choices[0]):
        return [[Word(_written(parts), parts)]]
    return [_Fields(scope.blanks()).build(choice) for choice in choices]


def _written(parts: list[Part]) -> str:
    """The parts as one would write them, quotes left out."""
    return "".join([FORMS.get(part.kind, "{}").replace("{}", part.text) for part in parts])


class _Fields:
    """The fields of one word under construction."""

    def __init__(self, blanks: str) -> None:
        self.blanks = blanks
        self.done: list[Word] = []
        self.parts: list[Part] | None = None
        self.vanishes = False  # "$@" without arguments makes no field, though it is quoted

    def build(self, pieces: list[tuple[Part, Piece | None]]) -> list[Word]:
        for part, piece in pieces:
            if piece is None:
                self.add(part)
            elif isinstance(piece, str):
                self.text(piece, part.quoted)
            else:
                self.array(piece, part.quoted)
        if self.vanishes and self.parts is not None and not any(part.text for part in self.parts):
            self.parts = None
        self.close()
        return self.done

    def add(self, part: Part) -> None:
        if self.parts is None:
            self.parts = []
        self.parts.append(part)

    def close(self) -> None:
        if self.parts is not None:
            self.done.append(Word(_written(self.parts), self.parts))
        self.parts = None

    def text(self, value: str, quoted: bool) -> None:
        if quoted:
            self.add(Part("text", value, True))
            return
        for blank in self.blanks:
            value = value.replace(blank, " ")
        for index, chunk in enumerate(value.split(" ")):
            if index:
                self.close()
            if chunk:
                self.add(Part("glob" if any(char in chunk for char in "*?[") else "text", chunk))

    def array(self, words: list[Word], quoted: bool) -> None:
        self.vanishes = self.vanishes or not words
        for index, word in enumerate(words):
            if index:
                self.close()
            if word.text is not None:
                self.text(word.text, quoted)
            else:
                for part in word.parts:
                    self.add(part)
