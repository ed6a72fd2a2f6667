"""Here-documents: their delimiter on the line and their body below it."""

from __future__ import annotations

from mlresearch.guard.lex import META
from mlresearch.guard.words import Part, ReadError, Redirect, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.scan import Scanner


def announce(scanner: Scanner, redirect: Redirect) -> Pending:
    """Read the delimiter at the position; the body is read when the line ends."""
    return Pending(redirect, *_delimiter(scanner))


def _delimiter(scanner: Scanner) -> tuple[str, bool]:
    """The delimiter at the position and whether any of it was quoted (then the body holds no expansions)."""
    text, value, quoted = scanner.text, [""], False
    while scanner.at < scanner.end and text[scanner.at] not in META:
        char = text[scanner.at]
        if char == "`" or text.startswith(("$(", "${"), scanner.at):
            raise ReadError("here-document delimiter holds an expansion")
        if char == "$" and text[scanner.at + 1 : scanner.at + 2] in ("'", '"'):
            scanner.at += 1
        elif char in "\\'\"":
            quoted = True
            value.append(_unquoted(scanner))
        else:
            value.append(char)
            scanner.at += 1
    return "".join(value), quoted


def _unquoted(scanner: Scanner) -> str:
    """The quoted stretch at the position, quotes removed."""
    text, start = scanner.text, scanner.at
    scanner.at = min(scanner.quote_end(start), scanner.end)
    stretch = text[start : scanner.at]
    content = stretch[1:] if stretch[0] == "\\" else stretch[1:-1]
    escaped = stretch[0] != "\\" and "\\" in content
    if escaped or "\n" in content or (stretch[0] != "\\" and (len(stretch) < 2 or stretch[-1] != stretch[0])):
        raise ReadError("here-document delimiter is not plain")
    return content


class Pending:
    """A here-document announced on the line being read, whose body starts after it."""

    def __init__(self, redirect: Redirect, delimiter: str, quoted: bool) -> None:
        self.redirect = redirect
        self.delimiter = delimiter
        self.quoted = quoted

    def read(self, scanner: Scanner, at: int) -> int:
        """Take the body that starts at ``at``; gives the index after the delimiter line, or the end of the text."""
        tabs = self.redirect.op == "<<-"
        fast = -1 if tabs else self._delimiter_line(scanner.text, at)
        if fast >= 0 and (self.quoted or "\\\n" not in scanner.text[at:fast]):
            body, after = scanner.text[at:fast], fast + len(self.delimiter) + 1
        else:
            body, after = self._by_line(scanner.text, at, tabs)
        parts = [Part("text", body, True)] if self.quoted else scanner.inside(body)
        self.redirect.target = Word(body, parts)
        return min(after, scanner.end)

    def _delimiter_line(self, text: str, at: int) -> int:
        """Index of the line that is exactly the delimiter; -1 when none follows, or only the last, unended one."""
        line = self.delimiter + "\n"
        if text.startswith(line, at):
            return at
        found = text.find("\n" + line, at)
        return found + 1 if found >= 0 else -1

    def _by_line(self, text: str, at: int, tabs: bool) -> tuple[str, int]:
        """The slow way: strips tabs, and joins continued lines, which bash does before it looks for the delimiter."""
        body: list[str] = []
        while at < len(text):
            line, at = self._line(text, at)
            if tabs:
                line = line.lstrip("\t")
            if line.rstrip("\n") == self.delimiter:
                break
            body.append(line)
        return "".join(body), at

    def _line(self, text: str, at: int) -> tuple[str, int]:
        joined: list[str] = []
        while True:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop + 1
            line = text[at:stop]
            at = stop
            backslashes = len(line) - 1 - len(line[:-1].rstrip("\\"))
            if self.quoted or not line.endswith("\\\n") or backslashes % 2 == 0:
                return "".join([*joined, line]), at
            joined.append(line[:-2])
