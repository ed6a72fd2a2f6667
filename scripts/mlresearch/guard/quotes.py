"""Reads quotes and finds closing brackets: the part of the reader that words and expansions share."""

from __future__ import annotations

from mlresearch.guard.words import Part, ReadError

OPENING = {")": "(", "]": "["}


class Quotes:
    """A position in a text, and the readers of everything quoted; expansions are left to the subclass.

    A reader that takes a word's parts appends to them, moves the position on and answers whether the word ends.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.end = len(text)

    def dollar(self, parts: list[Part], quoted: bool) -> None:
        """Read the expansion that starts with the ``$`` at the position."""
        raise NotImplementedError

    def backtick(self, parts: list[Part], quoted: bool) -> None:
        """Read the backtick substitution at the position."""
        raise NotImplementedError

    def backslash(self, parts: list[Part]) -> bool:
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following == "":
            self.at = self.end
            parts.append(Part("text", "\\", True))
        elif following != "\n":
            parts.append(Part("text", following, True))
        return False

    def single(self, parts: list[Part]) -> bool:
        close = self.text.find("'", self.at + 1)
        if close < 0:
            raise ReadError("single quote is not closed")
        parts.append(Part("text", self.text[self.at + 1 : close], True))
        self.at = close + 1
        return False

    def double(self, parts: list[Part]) -> bool:
        parts.append(Part("text", "", True))
        self.at += 1
        self.quoted(parts, '"')
        return False

    def quoted(self, parts: list[Part], close: str) -> None:
        """Read up to the closing quote, or up to the end of the text when close is empty (a here-document)."""
        text, end = self.text, self.end
        stop = '$`\\"' if close else "$`\\"
        while True:
            start = at = self.at
            while at < end and text[at] not in stop:
                at += 1
            if at > start:
                parts.append(Part("text", text[start:at], True))
            self.at = at
            if at >= end:
                break
            if text[at] == '"':
                self.at = at + 1
                return
            self.quoted_special(parts, stop)
        if close:
            raise ReadError("double quote is not closed")

    def quoted_special(self, parts: list[Part], stop: str) -> None:
        char = self.text[self.at]
        if char == "$":
            self.dollar(parts, True)
        elif char == "`":
            self.backtick(parts, True)
        else:
            following = self.text[self.at + 1 : self.at + 2]
            self.at += 2 if following and (following in stop or following == "\n") else 1
            if following != "\n":
                parts.append(Part("text", following if following and following in stop else "\\", True))

    def dollar_unquoted(self, parts: list[Part]) -> bool:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "'":
            from mlresearch.guard.escapes import ansi_c

            value, after = ansi_c(self.text, self.at + 2)
            if after < 0:
                raise ReadError("$' is not closed")
            parts.append(Part("text", value, True))
            self.at = after
        elif following == '"':
            self.at += 1
            self.double(parts)
        else:
            self.dollar(parts, False)
        return False

    def matching(self, at: int, close: str) -> int:
        """Index of the bracket that closes the one before ``at``, quotes and backslashes respected; -1: none."""
        text, opening, depth = self.text, OPENING[close], 0
        while at < self.end:
            char = text[at]
            if char == close:
                if depth == 0:
                    return at
                depth -= 1
            elif char == opening:
                depth += 1
            elif char in "\\'\"":
                at = self.quote_end(at)
                continue
            at += 1
        return -1

    def quote_end(self, at: int) -> int:
        """Index after the quoted stretch that starts at ``at`` (a quote or a backslash)."""
        char = self.text[at]
        if char == "\\":
            return at + 2
        at += 1
        while at < self.end and self.text[at] != char:
            at += 2 if char == '"' and self.text[at] == "\\" else 1
        return at + 1
