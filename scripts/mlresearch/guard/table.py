"""What the guard knows of the world, as data: `table.json`, and how a command line is looked up in it.

Knows no shell and no file but the table. A program of the table whose words match nothing known gets its `otherwise`
class: an unknown subcommand of a spender counts as spending.
"""

from __future__ import annotations

import os

from mlresearch.light_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_HELP = ("--help", "-h", "--version", "help", "version")
_loaded: dict[str, Any] = {}


def table() -> dict[str, Any]:
    """The whole table, read once; aliases of programs are resolved to their entry."""
    if not _loaded:
        with open(os.path.join(os.path.dirname(__file__), "table.json"), encoding="utf-8") as file:
            _loaded.update(loads(file.read()))
        programs = _loaded["programs"]
        _loaded["by_name"] = dict(programs)
        for entry in programs.values():
            _loaded["by_name"].update(dict.fromkeys(entry.get("also", ()), entry))
        _loaded["ordinary"] = frozenset(_loaded["ordinary"])
    return _loaded


def entry_of(program: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = table()["by_name"].get(program)
    return found


def class_of(program: str, arguments: Sequence[str | None]) -> str:
    """The class of a call, "" for a program that the table does not know; None is a word known at run time only."""
    entry = entry_of(program)
    if entry is None:
        return _class_by_flag(program, arguments)
    by_flag = _class_by_flag(program, arguments)
    if by_flag:
        return by_flag
    words, used = words_of(arguments, entry.get("value_options", ()))
    kind, length = _best(entry["words"], words, arguments)
    if kind and length:
        asks_help = used[length - 1] + 1 < len(arguments) and arguments[used[length - 1] + 1] in ("--help", "-h")
        return "read" if asks_help else kind
    if kind:
        return kind
    if (arguments and arguments[0] in _HELP) or (not words and entry["words"]):
        return "read"
    otherwise: str = entry["otherwise"]
    return otherwise


def _class_by_flag(program: str, arguments: Sequence[str | None]) -> str:
    flags: dict[str, str] = table()["only_flags"].get(program, {})
    for argument in arguments:
        if argument and argument.split("=")[0] in flags:
            return flags[argument.split("=")[0]]
    return ""


def words_of(arguments: Sequence[str | None], value_options: Sequence[str]) -> tuple[list[str | None], list[int]]:
    """The arguments that are no options, and where each stands."""
    words: list[str | None] = []
    places: list[int] = []
    skip = False
    for place, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument is not None and argument.startswith("-") and argument != "-":
            skip = argument in value_options
        else:
            words.append(argument)
            places.append(place)
    return words, places


def _best(
    classes: dict[str, list[str]], words: Sequence[str | None], arguments: Sequence[str | None]
) -> tuple[str, int]:
    """The class of the longest pattern that the words begin with, and how many words it took."""
    best: tuple[int, str, int] = (0, "", 0)
    for kind, patterns in classes.items():
        for pattern in patterns:
            pieces = pattern.split(" ")
            if pieces[0].startswith("-"):
                if arguments and arguments[0] == pattern:
                    best = max(best, (1, kind, 0))
                continue
            if len(pieces) <= len(words) and all(map(_fits, pieces, words)):
                exact = sum("*" not in piece for piece in pieces)
                best = max(best, (len(pieces) * 10 + exact, kind, len(pieces)))
    return best[1], best[2]


def _fits(piece: str, word: str | None) -> bool:
    if piece.endswith("*"):
        return piece == "*" or (word is not None and word.startswith(piece[:-1]))
    return piece == word


def is_python(program: str) -> bool:
    """python, python3.11, pypy3, pythonw."""
    return program.rstrip("0123456789.tw") in ("python", "pypy")


def runs_files(program: str) -> bool:
    """Whether a program runs a text that its arguments name: a script, a recipe, code."""
    runs: list[str] = table()["runs"]
    return program in runs or is_python(program)


def is_ordinary(program: str) -> bool:
    """Whether a program is on the allow-list of those that cannot spend by themselves."""
    ordinary: frozenset[str] = table()["ordinary"]
    return program in ordinary


def matches(pattern: str, text: str) -> bool:
    """Whether a REST path or host of the table (with `*` inside) occurs in a text."""
    pieces = pattern.split("*")
    place = text.find(pieces[0])
    for piece in pieces[1:]:
        if place < 0:
            return False
        place = text.find(piece, place)
    return place >= 0
