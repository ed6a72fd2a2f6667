"""What a wrapper program runs, as the unwrappers hand it back."""

from __future__ import annotations

from mlresearch.guard.words import Part, Word, static

PLACE = "__filled_at_run_time__"  # a variable no text sets: stands for what a nested text gets at run time


class Inner:
    """One thing a wrapper runs: either words executed as they are, or a text that a shell reads.

    A text whose value is unknown is a word with ``text`` None. same: read by the shell that runs the wrapper
    (eval, trap), so that its functions and variables count. lenient: an unreadable text is taken as unknown.
    fed: the text itself came from the wrapper's input, so what it runs does not read that input.
    """

    __slots__ = ("argv", "assigns", "fed", "label", "lenient", "positional", "same", "text")

    def __init__(self, label: str, argv: list[Word] | None = None, text: Word | None = None) -> None:
        self.label = label
        self.argv = argv
        self.text = text
        self.assigns: list[tuple[str, Word]] = []
        self.positional: list[Word] | None = None
        self.same = False
        self.lenient = False
        self.fed = False


def joined(words: list[Word]) -> Word:
    """The words with blanks between, as one text for a shell to read again."""
    parts: list[Part] = []
    for index, word in enumerate(words):
        if index:
            parts.append(Part("text", " ", True))
        parts += word.parts
    return Word(" ".join([word.raw for word in words]), parts)


def readable(word: Word) -> str:
    """The text of a word with each unknown part replaced by a variable that nothing sets."""
    return "".join([part.text if part.kind in ("text", "glob", "brace") else f"${{{PLACE}}}" for part in word.parts])


def filled(word: Word, mark: str, kind: str = "input") -> Word:
    """The word with every occurrence of the mark (``{}``) made unknown."""
    if word.text is None or not mark or mark not in word.text:
        return word
    parts: list[Part] = []
    for index, chunk in enumerate(word.text.split(mark)):
        if index:
            parts.append(Part(kind, mark, True))
        if chunk:
            parts.append(Part("text", chunk, True))
    return Word(word.raw, parts)


def texts(label: str, found: list[str] | None) -> list[Inner]:
    """The texts a shell reads from its input, one Inner each; an unknown one when nothing is known of them."""
    words = [Word("", [Part("input", "")])] if found is None else [static(text) for text in found]
    items = [Inner(label, text=word) for word in words]
    for item in items:
        item.fed = True
    return items
