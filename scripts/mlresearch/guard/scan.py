"""Reads shell text into its simple commands, as bash does but without running anything.

It over-approximates: reserved words only separate and label, so a command that bash would reject or skip is listed
too; a command that could run and is not listed is a bug. A text whose quotes or brackets do not close is refused,
since bash runs line by line and the lines before the fault would still run.
"""

from __future__ import annotations

from mlresearch.guard.keywords import RESERVED, array, assignment, end_item, function_parens, pattern_step
from mlresearch.guard.levels import Level
from mlresearch.guard.lex import META, Lexer
from mlresearch.guard.words import Command, Part, ReadError, Redirect, Word, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mlresearch.guard.heredocs import Pending

REDIRECTIONS = ("&>>", "&>", "<<<", "<<-", "<<", ">>", "<&", ">&", "<>", ">|", "<", ">")
SEPARATORS = (";;&", ";;", ";&", "&&", "||", "|&", ";", "&", "|")
DECLARING = frozenset(("declare", "local", "export", "readonly", "typeset"))


class Scanner(Lexer):
    """Reads lists of commands into the list that its level names."""

    def __init__(self, text: str, level: Level) -> None:
        super().__init__(text)
        self.level = level
        self.out = level.out
        self.pending: list[Pending] = []

    def nested(self, close: str, label: str) -> None:
        """Read a substitution up to its bracket; here-documents of the outer line wait until it ends."""
        outer = self.pending
        self.pending = []
        self.bracket(close, label)
        if self.pending:
            raise ReadError("here-document inside a substitution has no body before the closing bracket")
        self.pending = outer

    def bracket(self, close: str, label: str) -> None:
        """Read a list up to its closing bracket on a level of its own."""
        level = self.level
        function = level.function if level.named is None else level.named
        context = level.context if level.named is None else (*level.context, "function")
        inner = Level((*context, label), level.deeper(), function, self.out)
        if label == "subshell":
            inner.pipe, inner.join, level.named = level.pipe, level.join, None
        self.level = inner
        self.read(close)
        self.level = level

    def inside(self, text: str) -> list[Part]:
        """Read a text in which only expansions count; gives its parts."""
        parts: list[Part] = []
        if "$" in text or "`" in text or "\\" in text:
            level = self.level
            Scanner(text, Level(level.context, level.deeper(), level.function, self.out)).quoted(parts, "")
        elif text:
            parts.append(Part("text", text, True))
        return parts

    def source(self, text: str) -> None:
        """Read a text that is a list of commands of its own."""
        level = self.level
        Scanner(text, Level((*level.context, "substitution"), level.deeper(), level.function, self.out)).read("")

    def read(self, close: str) -> None:
        """Read commands up to the closing bracket, or to the end of the text when close is empty."""
        while self.at < self.end:
            frames = self.level.frames
            if frames and frames[-1].kind == "case" and frames[-1].state != "body":
                pattern_step(self, frames[-1])
                continue
            char = self.text[self.at]
            step = STEPS.get(char)
            if char in " \t":
                self.at += 1
            elif step is None:
                self.token()
            elif step(self, close):
                return
        if close:
            raise ReadError(f"missing {close!r}")
        self.flush("")
        self.bodies()

    def flush(self, operator: str) -> None:
        """End the current command; operator is what ended it ("" for a bracket or a reserved word)."""
        level, current = self.level, self.level.current
        filled = not level.blank()
        if filled:
            if level.named is not None:  # zsh takes a simple command as a function body
                current.function, level.named = level.named, None
                current.context = (*current.context, "function")
            current.join, current.pipe_from = level.join, level.pipe
            level.pipe = None
            self.out.append(current)
            level.fresh()
        if operator in ("|", "|&"):
            level.pipe = current if filled else level.piped_group()
        elif operator not in ("", "newline"):
            level.pipe = None
        if operator and (filled or operator != "newline"):
            level.join = operator
        if operator == "&":
            level.label("background")
        elif operator == ";" or (operator == "newline" and filled):
            level.start = len(self.out)

    def newline(self, close: str = "") -> bool:
        self.at += 1
        self.flush("newline")
        self.bodies()
        return False

    def bodies(self) -> None:
        """Read the here-documents announced on the line that just ended."""
        if self.pending:
            for pending in self.pending:
                self.at = pending.read(self, self.at)
            self.pending = []

    def comment(self, close: str) -> bool:
        stop = self.text.find("\n", self.at)
        self.at = self.end if stop < 0 else stop
        return False

    def escaped(self, close: str) -> bool:
        if self.text.startswith("\\\n", self.at):
            self.at += 2
        else:
            self.token()
        return False

    def returned(self, close: str) -> bool:
        if self.text.startswith("\r\n", self.at):
            self.at += 1
        else:
            self.token()
        return False

    def closing(self, close: str) -> bool:
        """``)`` or ``}``: the end of this list, else a separator or an ordinary word."""
        char = self.text[self.at]
        if char == close and (char == ")" or self.level.blank()):
            self.flush("")
            self.at += 1
            return True
        if char == "}":
            self.token()
        else:
            self.flush("")
            self.at += 1
        return False

    def opening(self, close: str) -> bool:
        level = self.level
        if level.blank() and self.text.startswith("((", self.at):
            stop = self.arithmetic_end(self.at + 2)
            if stop >= 0:
                self.inside(self.text[self.at + 2 : stop])
                self.at = stop + 2
                level.named = None
                return False
        if len(level.current.argv) == 1 and function_parens(self):
            level.named = level.current.argv[0].text or "?"
            level.fresh()
            return False
        self.flush("")
        self.at += 1
        self.bracket(")", "subshell")
        level.pipe = None
        return False

    def separator(self, close: str) -> bool:
        if self.text.startswith("&>", self.at):
            self.redirect("")
            return False
        operator = next(mark for mark in SEPARATORS if self.text.startswith(mark, self.at))
        self.at += len(operator)
        if operator.startswith(";") and operator != ";":
            self.flush(";")
            end_item(self)
        else:
            self.flush(operator)
        return False

    def angle_step(self, close: str) -> bool:
        if self.text.startswith("(", self.at + 1):
            self.token()
        else:
            self.redirect("")
        return False

    def negation(self, close: str) -> bool:
        """``!(list)`` negates a subshell unless extended patterns are on: read as commands either way."""
        if self.level.blank() and self.text.startswith("!(", self.at):
            self.at += 1
        else:
            self.token()
        return False

    def token(self) -> None:
        """Read a word and find its place: reserved word, assignment, descriptor or argument."""
        word = self.word()
        raw = word.raw
        level = self.level
        if self.at < self.end and self.text[self.at] in "<>" and _descriptor(raw):
            self.redirect(raw)
        elif level.blank() and raw in RESERVED:
            RESERVED[raw](self, word)
        elif not level.current.argv:
            self.leading(word)
        elif raw.endswith("=") and self.text.startswith("(", self.at) and level.current.argv[0].text in DECLARING:
            array(self, raw)
        elif word.parts:
            level.current.argv.append(word)

    def assigning(self) -> bool:
        return not self.level.current.argv

    def leading(self, word: Word) -> None:
        """Place a word that stands before any argument: an assignment or the program."""
        found = assignment(word) if "=" in word.raw else None
        if found is None:
            self.level.current.argv.append(word)
        elif word.raw.endswith("=") and self.text.startswith("(", self.at):
            array(self, word.raw)
        else:
            self.level.current.assigns.append(found)

    def redirect(self, fd: str) -> None:
        operator = next(mark for mark in REDIRECTIONS if self.text.startswith(mark, self.at))
        self.at += len(operator)
        self.blanks()
        if self.at >= self.end or (self.text[self.at] in META and not self.text.startswith(("<(", ">("), self.at)):
            raise ReadError(f"redirection {operator} has no target")
        redirects = self.level.current.redirects
        if operator in ("<<", "<<-"):
            from mlresearch.guard.heredocs import announce

            redirect = Redirect(operator, unknown("", "text"), fd)
            self.pending.append(announce(self, redirect))
        else:
            redirect = Redirect(operator, self.word(), fd)
        redirects.append(redirect)

    def blanks(self, lines: bool = False) -> None:
        """Skip blanks and continued lines; with lines also newlines and comments."""
        while self.at < self.end:
            char = self.text[self.at]
            if char in " \t" or (char == "\r" and self.text.startswith("\n", self.at + 1)):
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif lines and char == "\n":
                self.at += 1
                self.bodies()
            elif lines and char == "#":
                self.comment("")
            else:
                return


def _descriptor(raw: str) -> bool:
    return (raw.isdigit() and raw.isascii()) or (raw[:1] == "{" and raw[-1:] == "}" and raw[1:-1].isidentifier())


STEPS: dict[str, Callable[[Scanner, str], bool]] = {
    "\n": Scanner.newline, "\r": Scanner.returned,
    "#": Scanner.comment, "\\": Scanner.escaped, ")": Scanner.closing, "}": Scanner.closing,
    "(": Scanner.opening, ";": Scanner.separator, "&": Scanner.separator, "|": Scanner.separator,
    "<": Scanner.angle_step, ">": Scanner.angle_step, "!": Scanner.negation,
}  # fmt: skip


def scan(text: str) -> list[Command]:
    """Every simple command in the text, nested ones included, in the order read.

    The headers of ``for`` and ``select`` appear as words.Loop with an empty argv. Raises ReadError when quotes or
    brackets do not close, the nesting passes 60 levels, or shells differ on what the text means.
    """
    if "\0" in text:
        raise ReadError("NUL character in the text")
    found: list[Command] = []
    try:
        Scanner(text, Level((), 0, None, found)).read("")
    except RecursionError:
        raise ReadError("nested too deeply") from None
    return found
