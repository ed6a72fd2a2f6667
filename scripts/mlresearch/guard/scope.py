"""What names stand for in a text: variables, arrays, arguments, functions and aliases set on the line itself.

A name stands for every value assigned to it, because loops, conditions and functions make the order uncertain, and
for nothing known as soon as one of the values is not literal. Nothing is run and the environment is never read:
values the caller vouches for are passed in.
"""

from __future__ import annotations

from mlresearch.guard.produce import substituted
from mlresearch.guard.words import Command, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    Piece = str | list[Word]

MOST_VALUES = 16
MOST_CHARACTERS = 20_000
NEVER = 1 << 60


class Scope:
    """One shell's names; the parent is the shell around it (a function's caller, the shell that ran ``bash -c``)."""

    def __init__(self, parent: Scope | None = None, child: bool = False) -> None:
        self.parent = parent
        self.child = child  # another process: a variable that was not exported is missing there
        self.values: dict[str, list[str] | None] = {}
        self.arrays: dict[str, list[list[Word]] | None] = {}
        self.first: dict[str, int] = {}
        self.sure: dict[str, int] = {}
        self.chained: dict[str, int] = {}
        self.run = 0
        self.at = 0
        self.looping = False
        self.positional: list[Word] | None = None
        self.functions: dict[str, list[Command]] = {}
        self.defined: dict[str, int] = {}
        self.aliases: dict[str, list[str | None]] = {}
        self.function: str | None = None
        self.calling: tuple[object, ...] = parent.calling if parent else ()

    def assign(self, name: str, values: list[str] | None, sure: bool, chain: int = -1) -> None:
        """Add values to a name (None: something unknown); sure when nothing can skip the assignment."""
        old = self.values.get(name, [])
        merged = None if values is None or old is None else list(dict.fromkeys([*old, *values]))
        if merged is not None and (len(merged) > MOST_VALUES or sum(map(len, merged)) > MOST_CHARACTERS):
            merged = None
        self.values[name] = merged
        self.first.setdefault(name, self.at)
        if sure:
            self.sure.setdefault(name, self.at)
        elif chain >= 0:
            self.chained[name] = chain

    def assign_array(self, name: str, items: list[list[Word]] | None) -> None:
        old = self.arrays.get(name, [])
        self.arrays[name] = None if items is None or old is None else (old + items)[:MOST_VALUES]

    def value(self, name: str) -> list[str] | None:
        """Every value the variable can have here; None when it is unknown."""
        if name not in self.values:
            inherited = self.parent.value(name) if self.parent else None
            return [*inherited, ""] if self.child and inherited is not None else inherited
        found = self.values[name]
        if found is None or self.sure.get(name, NEVER) < self.at or self.chained.get(name, -1) == self.run:
            return found
        if self.first[name] >= self.at and not self.looping:
            return self.parent.value(name) if self.parent else None
        outer = self.parent.value(name) if self.parent else None
        return found + (outer if outer is not None else [""])

    def array(self, name: str) -> list[list[Word]] | None:
        """Every list the array can hold; None when it is unknown."""
        if name in self.arrays:
            return self.arrays[name]
        return self.parent.array(name) if self.parent else None

    def parameter(self, text: str) -> list[Piece] | None:
        """What ``${text}`` can stand for: texts, or lists of words; None when unknown."""
        if text in ("@", "*") or small(text) is not None:
            return self.argument(text)
        if text == "IFS":
            return list(self.value(text) or [" \t\n"])
        name, rest = _split(text)
        if rest == "":
            found = self.value(name)
            return list(found) if found is not None else self.element(name, 0)
        if rest in ("[@]", "[*]"):
            lists = self.array(name)
            return list(lists) if lists is not None else self.parameter(name)
        index = small(rest[1:-1]) if rest[:1] + rest[-1:] == "[]" else None
        if index is not None:
            return self.element(name, index)
        if name and rest.lstrip(":")[:1] in ("-", "=", "?"):
            pieces = self.parameter(name)
            return pieces if pieces is not None and all(pieces) else None
        return None

    def argument(self, text: str) -> list[Piece] | None:
        """``$1``, ``$@``: the arguments of the function or of the ``bash -c`` being read."""
        index = small(text)
        if self.positional is None or index == 0:
            return None
        if index is None:
            return [list(self.positional)]
        return [self.positional[index - 1 : index] or ""]

    def element(self, name: str, index: int) -> list[Piece] | None:
        lists = self.array(name)
        return [items[index : index + 1] or "" for items in lists] if lists is not None else None

    def output(self, text: str) -> list[Piece] | None:
        """What a command substitution prints, when it only prints a literal."""
        found = substituted(text)
        return [found] if found is not None else None

    def blanks(self) -> str:
        """The characters that split fields; a changed IFS adds to the usual ones."""
        changed = self.value("IFS")
        return " \t\n" + "".join(changed) if changed else " \t\n"

    def body(self, name: str) -> list[Command] | None:
        """The commands of a function of this name, None when there is none."""
        found = self.functions.get(name)
        return found if found is not None or self.parent is None else self.parent.body(name)

    def defines(self, name: str) -> bool:
        """True when a call here is sure to reach a function of the text instead of a program of that name."""
        if name in self.functions:
            return self.defined.get(name, NEVER) < self.at
        return not self.child and self.parent is not None and self.parent.defines(name)

    def alias(self, name: str) -> list[str | None]:
        """The texts the alias stands for (None: one that is unknown); empty when there is none."""
        found = self.aliases.get(name, [])
        return found if found or self.parent is None else self.parent.alias(name)


def root(known: dict[str, str] | None) -> Scope:
    """The outermost scope, in which only the vouched-for variables are known."""
    scope = Scope()
    for name, value in (known or {}).items():
        scope.values[name] = [value]
        scope.first[name] = scope.sure[name] = -1
    return scope


def called(parent: Scope, arguments: list[Word] | None, child: bool = False) -> Scope:
    """The scope of a function call or of a nested shell with these arguments."""
    scope = Scope(parent, child)
    scope.positional = arguments
    return scope


def preset(scope: Scope, assigns: list[tuple[str, Word]]) -> None:
    """Make the ``NAME=value`` prefixes of a command visible in what it runs."""
    for name, word in assigns:
        scope.assign(name, [word.text] if word.text is not None else None, sure=False)
        scope.sure[name] = scope.first[name] = -1


def small(text: str) -> int | None:
    """The number a short run of ASCII digits stands for, None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _split(text: str) -> tuple[str, str]:
    stop = 0
    while stop < len(text) and (text[stop].isalnum() or text[stop] == "_"):
        stop += 1
    return text[:stop], text[stop:]
