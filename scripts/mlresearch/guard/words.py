"""The vocabulary of a read shell text: words, redirects and simple commands.

Owns the types that scan.py produces and unwrap.py resolves. It reads nothing and decides nothing.
"""

from __future__ import annotations

DYNAMIC = ("variable", "command", "arithmetic", "process", "input")
PATTERN = ("glob", "brace")


class ReadError(Exception):
    """The text cannot be read the way a shell would; callers must treat it as unsafe, never as harmless."""


class Part:
    """One piece of a word.

    kind is "text" (static), "variable" (text = what stands inside ``${...}``), "command" (text = source of a
    command substitution), "arithmetic", "process" (text = source of a process substitution), "glob", "brace"
    (one of ``{``, ``,``, ``}`` taking part in a brace expansion) or "input" (filled in at run time by a wrapper,
    such as the lines xargs reads). quoted is true inside quotes or after a backslash.
    """

    __slots__ = ("kind", "quoted", "text")

    def __init__(self, kind: str, text: str, quoted: bool = False) -> None:
        self.kind = kind
        self.text = text
        self.quoted = quoted

    def __repr__(self) -> str:
        return f"{self.kind}:{self.text!r}"


class Word:
    """A shell word: ``text`` is its value after quote removal, or None when any part is decided at run time."""

    __slots__ = ("parts", "raw", "text")

    def __init__(self, raw: str, parts: list[Part]) -> None:
        self.raw = raw
        self.parts = parts
        self.text: str | None
        if len(parts) == 1:
            self.text = parts[0].text if parts[0].kind == "text" else None
        elif all(part.kind == "text" for part in parts):
            self.text = "".join([part.text for part in parts])
        else:
            self.text = None

    @property
    def glob(self) -> bool:
        """True when the only parts unknown before run time are filename patterns or brace lists."""
        return self.text is None and not any(part.kind in DYNAMIC for part in self.parts)

    def __repr__(self) -> str:
        return f"Word({self.raw!r})"


def static(text: str) -> Word:
    """A word that stands for exactly this text."""
    return Word(text, [Part("text", text, True)])


def unknown(raw: str, kind: str = "input") -> Word:
    """A word whose value is only known at run time."""
    return Word(raw, [Part(kind, raw)])


class Redirect:
    """One redirection: operator, target and descriptor ("" when not written, "2", "{name}").

    For ``<<`` and ``<<-`` the target is the body of the here-document: its ``text`` is the body a program would
    read (escapes applied unless the delimiter was quoted), None when the body holds an expansion.
    """

    __slots__ = ("fd", "op", "target")

    def __init__(self, op: str, target: Word, fd: str = "") -> None:
        self.op = op
        self.target = target
        self.fd = fd

    def __repr__(self) -> str:
        return f"Redirect({self.fd}{self.op} {self.target.raw[:40]!r})"


class Command:
    """One simple command.

    argv may be empty (a bare assignment, or the redirects of a whole group such as ``{ ...; } > file``).
    join is the operator written before it ("" at the start, "&&", "||", ";", "&", "|", "|&", "newline").
    assigns holds ``NAME=value`` prefixes (name keeps a subscript: "a[0]"), arrays the ``NAME=(...)`` ones.
    function is the innermost function whose body holds it; defined is true when argv[0] is sure to reach a
    function defined in the same text, whose commands are listed too, and no program. via names the wrappers
    unwrapped to reach it.
    """

    __slots__ = ("argv", "arrays", "assigns", "context", "defined", "depth", "function", "join", "pipe_from",
                 "redirects", "via")  # fmt: skip

    def __init__(self, context: tuple[str, ...] = (), depth: int = 0, function: str | None = None) -> None:
        self.argv: list[Word] = []
        self.assigns: list[tuple[str, Word]] = []
        self.arrays: list[tuple[str, list[Word]]] = []
        self.redirects: list[Redirect] = []
        self.context = context
        self.depth = depth
        self.function = function
        self.join = ""
        self.pipe_from: Command | None = None
        self.defined = False
        self.via: tuple[str, ...] = ()

    @property
    def stdin(self) -> str | None:
        """Static text fed by the last here-document or here-string on descriptor 0, else None."""
        feed = self.feed
        if feed is None or feed.target.text is None or not feed.op.startswith("<<"):
            return None
        return feed.target.text + "\n" if feed.op == "<<<" else feed.target.text

    @property
    def feed(self) -> Redirect | None:
        """The redirect that decides what descriptor 0 reads, whatever its kind; None when none is written."""
        for redirect in reversed(self.redirects):
            if redirect.op.startswith("<") and redirect.fd in ("", "0"):
                return redirect
        return None

    def __repr__(self) -> str:
        return f"Command({[word.raw for word in self.argv]}, context={self.context}, via={self.via})"


class Loop(Command):
    """The header of a ``for`` or ``select``: argv stays empty; items is None when it walks the arguments."""

    __slots__ = ("items", "variable")

    def __init__(self, variable: str, items: list[Word] | None, outer: Command) -> None:
        super().__init__(outer.context, outer.depth, outer.function)
        self.variable = variable
        self.items = items
