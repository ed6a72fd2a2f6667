"""Reads one shell word at a time: expansions and patterns (quotes: quotes.py).

Owns what stands inside a word. Lists of commands, nested ones included, are read by scan.Scanner, which extends
this class; the two share one position in the text.
"""

from __future__ import annotations

from mlresearch.guard.braces import settle
from mlresearch.guard.quotes import Quotes
from mlresearch.guard.words import Part, ReadError, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

META = frozenset(" \t\n;&|<>()")
STOP = META | frozenset("\\'\"`$*?[{},\r")
EXTENDED = frozenset("@?*+!")
SPECIAL = frozenset("0123456789@*#?$!-")


class Lexer(Quotes):
    """The readers of everything a word can hold."""

    def nested(self, close: str, label: str) -> None:
        """Read a list of commands up to its closing bracket."""
        raise NotImplementedError

    def inside(self, text: str) -> list[Part]:
        """Read a text in which only expansions count, as within double quotes."""
        raise NotImplementedError

    def source(self, text: str) -> None:
        """Read a text that is a list of commands of its own (a backtick substitution)."""
        raise NotImplementedError

    def word(self) -> Word:
        """The word at the position; advances by at least one character."""
        start = self.at
        if start >= self.end:
            raise ReadError("the text ends where a word must stand")
        parts: list[Part] = []
        while self.at < self.end:
            handler = HANDLERS.get(self.text[self.at])
            if handler is None:
                self.plain(parts)
            elif handler(self, parts):
                break
        if self.at == start:  # a bracket no rule wanted: a word of its own, so that reading goes on
            self.at += 1
            parts.append(Part("text", self.text[start]))
        if len(parts) > 1 or (parts and parts[0].kind != "text"):
            settle(parts)
        return Word(self.text[start : self.at], parts)

    def plain(self, parts: list[Part]) -> None:
        text, start = self.text, self.at
        at = start + 1
        while at < self.end and text[at] not in STOP:
            at += 1
        self.at = at
        parts.append(Part("text", text[start:at]))

    def ends(self, parts: list[Part]) -> bool:
        return True

    def carriage(self, parts: list[Part]) -> bool:
        """A carriage return ends the word only before a newline (a text with CRLF lines)."""
        if self.text.startswith("\r\n", self.at):
            return True
        self.plain(parts)
        return False

    def angle(self, parts: list[Part]) -> bool:
        if not self.text.startswith("(", self.at + 1):
            return True
        start = self.at + 2
        self.at = start
        self.nested(")", "substitution")
        parts.append(Part("process", self.text[start : self.at - 1]))
        return False

    def paren(self, parts: list[Part]) -> bool:
        """``(`` ends a word unless it opens an extended pattern such as ``@(a|b)``."""
        last = parts[-1] if parts else None
        if last is None or last.quoted or last.kind not in ("text", "glob") or last.text[-1:] not in EXTENDED:
            return True
        close = self.matching(self.at + 1, ")")
        if close < 0:
            raise ReadError("pattern list is not closed")
        content = self.text[self.at + 1 : close]
        if not content.strip(" \t"):
            return True
        self.inside(content)
        parts.append(Part("glob", content))
        self.at = close + 1
        return False

    def assigning(self) -> bool:
        """True where a word may be an assignment."""
        return False

    def pattern(self, parts: list[Part]) -> bool:
        if self.text[self.at] == "[" and len(parts) == 1 and parts[0].text.isidentifier() and self.assigning():
            return self.subscript(parts)
        parts.append(Part("glob", self.text[self.at]))
        self.at += 1
        return False

    def subscript(self, parts: list[Part]) -> bool:
        """``name[...]`` where an assignment may stand: bash reads on to the bracket, over blanks and operators."""
        close = self.matching(self.at + 1, "]")
        content = self.text[self.at + 1 : close] if close >= 0 else ""
        if any(char in content for char in ";&|<>()\n") and "$" not in content and "`" not in content:
            raise ReadError("subscript with an operator reads differently in different shells")
        if not any(char in content for char in " \t"):
            parts.append(Part("glob", "["))
            self.at += 1
            return False
        self.inside(content)
        parts.append(Part("glob", content))
        self.at = close + 1
        return False

    def brace(self, parts: list[Part]) -> bool:
        parts.append(Part("brace", self.text[self.at]))
        self.at += 1
        return False

    def dollar(self, parts: list[Part], quoted: bool) -> None:
        start = self.at + 1
        following = self.text[start : start + 1]
        if following == "(":
            self.parenthesis(parts, quoted)
        elif following == "{":
            self.parameter(parts, quoted)
        elif following == "[":
            self.old_arithmetic(parts, quoted)
        elif following.isascii() and following.isidentifier():
            at = start + 1
            while at < self.end and self.text[at].isascii() and (self.text[at].isalnum() or self.text[at] == "_"):
                at += 1
            self.at = at
            parts.append(Part("variable", self.text[start:at], quoted))
        elif following in SPECIAL:
            self.at += 2
            parts.append(Part("variable", following, quoted))
        else:
            self.at += 1
            parts.append(Part("text", "$", quoted))

    def parenthesis(self, parts: list[Part], quoted: bool) -> None:
        start = self.at + 2
        close = self.arithmetic_end(start + 1) if self.text.startswith("(", start) else -1
        if close >= 0:
            content = self.text[start + 1 : close]
            self.inside(content)
            parts.append(Part("arithmetic", content, quoted))
            self.at = close + 2
            return
        self.at = start
        self.nested(")", "substitution")
        parts.append(Part("command", self.text[start : self.at - 1], quoted))

    def old_arithmetic(self, parts: list[Part], quoted: bool) -> None:
        close = self.matching(self.at + 2, "]")
        if close < 0:
            raise ReadError("$[ is not closed")
        content = self.text[self.at + 2 : close]
        self.inside(content)
        parts.append(Part("arithmetic", content, quoted))
        self.at = close + 1

    def arithmetic_end(self, at: int) -> int:
        """Index of the ``))`` that closes arithmetic whose body starts at ``at``; -1 when it is no arithmetic."""
        close = self.matching(at, ")")
        return close if close >= 0 and self.text.startswith("))", close) else -1

    def parameter(self, parts: list[Part], quoted: bool) -> None:
        """Read ``${...}``, or ``${ list; }`` which newer shells run as commands."""
        start = self.at + 2
        self.at = start
        if self.text[start : start + 1] in ("", " ", "\t", "\n", "|"):
            self.at += 1
            self.nested("}", "substitution")
            parts.append(Part("command", self.text[start : self.at - 1], quoted))
            return
        while self.at < self.end:
            if self.text[self.at] == "}":
                self.at += 1
                parts.append(Part("variable", self.text[start : self.at - 1], quoted))
                return
            self.parameter_step(quoted)
        raise ReadError("${ is not closed")

    def parameter_step(self, quoted: bool) -> None:
        char = self.text[self.at]
        handler = PARAMETER.get(char)
        if char == "'" and quoted:
            self.quoted_apostrophe()
        elif char == "$":
            if quoted:
                self.dollar([], True)
            else:
                self.dollar_unquoted([])
        elif handler is None or (char in "<>" and (quoted or not self.text.startswith("(", self.at + 1))):
            self.at += 1
        else:
            handler(self, [])

    def quoted_apostrophe(self) -> None:
        """An apostrophe in ``"${x:-it's}"`` quotes in bash and not in dash: refuse where that matters.

        What stands between a harmless pair is still expanded by bash, so it is read, not skipped.
        """
        close = self.text.find("'", self.at + 1)
        stretch = self.text[self.at + 1 : close]
        if close < 0 or any(char in stretch for char in '}"\\'):
            raise ReadError("apostrophe inside a quoted ${...} reads differently in different shells")
        self.inside(stretch)
        self.at = close + 1

    def backtick_unquoted(self, parts: list[Part]) -> bool:
        self.backtick(parts, False)
        return False

    def backtick(self, parts: list[Part], quoted: bool) -> None:
        at = self.at + 1
        content: list[str] = []
        escaped = '`\\$"' if quoted else "`\\$"
        while at < self.end and self.text[at] != "`":
            if self.text[at] == "\\" and self.text[at + 1 : at + 2] in escaped and at + 1 < self.end:
                at += 1
            content.append(self.text[at])
            at += 1
        if at >= self.end:
            raise ReadError("backtick is not closed")
        self.at = at + 1
        text = "".join(content)
        self.source(text)
        parts.append(Part("command", text, quoted))


HANDLERS: dict[str, Callable[[Lexer, list[Part]], bool]] = {
    "\r": Lexer.carriage, "<": Lexer.angle, ">": Lexer.angle, "(": Lexer.paren, "\\": Lexer.backslash,
    "'": Lexer.single, '"': Lexer.double, "`": Lexer.backtick_unquoted, "$": Lexer.dollar_unquoted,
    "*": Lexer.pattern, "?": Lexer.pattern, "[": Lexer.pattern,
    "{": Lexer.brace, ",": Lexer.brace, "}": Lexer.brace,
    " ": Lexer.ends, "\t": Lexer.ends, "\n": Lexer.ends, ";": Lexer.ends, "&": Lexer.ends, "|": Lexer.ends,
    ")": Lexer.ends,
}  # fmt: skip
PARAMETER: dict[str, Callable[[Lexer, list[Part]], bool]] = {
    "\\": Lexer.backslash, "'": Lexer.single, '"': Lexer.double, "`": Lexer.backtick_unquoted,
    "<": Lexer.angle, ">": Lexer.angle,
}  # fmt: skip
