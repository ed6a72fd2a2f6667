"""The reserved words of the shell, and the constructs that are no simple command: what each does to the reading."""

from __future__ import annotations

from mlresearch.guard.braces import plain
from mlresearch.guard.lex import META
from mlresearch.guard.words import Loop, Part, ReadError, Word, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mlresearch.guard.levels import Frame
    from mlresearch.guard.scan import Scanner

COMPOUND = frozenset(("if", "while", "until", "for", "select", "case", "{", "[["))


def separate(scanner: Scanner, word: Word) -> None:
    """``then``, ``do`` and their like only stand between commands."""


def conditional(scanner: Scanner, word: Word) -> None:
    scanner.level.push("if", "conditional")


def loop(scanner: Scanner, word: Word) -> None:
    scanner.level.push("loop", "loop")


def group(scanner: Scanner, word: Word) -> None:
    scanner.level.push("group")


def end(scanner: Scanner, word: Word) -> None:
    scanner.level.pop({"fi": "if", "done": "loop", "}": "group", "esac": "case"}[word.raw])


def header(scanner: Scanner, word: Word) -> None:
    """``for`` and ``select``: the words walked, or a ``((`` header."""
    scanner.level.push("loop", "loop")
    scanner.blanks()
    if scanner.text.startswith("((", scanner.at):
        stop = scanner.arithmetic_end(scanner.at + 2)
        if stop < 0:
            raise ReadError("for (( is not closed")
        scanner.inside(scanner.text[scanner.at + 2 : stop])
        scanner.at = stop + 2
        return
    variable = scanner.word().text or "?"
    scanner.blanks(lines=True)
    items: list[Word] | None = None
    if scanner.text.startswith("in", scanner.at) and _ends(scanner, scanner.at + 2):
        scanner.at += 2
        items = _items(scanner)
    scanner.out.append(Loop(variable, items, scanner.level.current))


def _items(scanner: Scanner) -> list[Word]:
    items: list[Word] = []
    while True:
        scanner.blanks()
        if scanner.at >= scanner.end:
            return items
        char = scanner.text[scanner.at]
        if char == "#":
            scanner.comment("")
        elif char in META and not scanner.text.startswith(("<(", ">("), scanner.at):
            return items
        else:
            items.append(scanner.word())


def _ends(scanner: Scanner, at: int) -> bool:
    return at >= scanner.end or scanner.text[at] in META or scanner.text[at] in "\r\\"


def case(scanner: Scanner, word: Word) -> None:
    scanner.blanks()
    scanner.word()
    scanner.blanks(lines=True)
    if scanner.at >= scanner.end or scanner.word().raw != "in":
        raise ReadError("case without in")
    scanner.level.push("case", "conditional").state = "start"


def pattern_step(scanner: Scanner, frame: Frame) -> None:
    """Read one token where a ``case`` expects its patterns."""
    scanner.blanks(lines=frame.state == "start")
    if scanner.at >= scanner.end:
        return
    char = scanner.text[scanner.at]
    if char == ")":
        scanner.at += 1
        frame.state = "body"
    elif char in "(|":
        scanner.at += 1
        frame.state = "pattern"
    elif char in META:
        raise ReadError("case pattern without a closing bracket")
    elif scanner.word().raw == "esac" and frame.state == "start":
        scanner.level.pop("case")
    else:
        frame.state = "pattern"


def end_item(scanner: Scanner) -> None:
    """``;;`` and its like: patterns come next in the innermost ``case``."""
    level = scanner.level
    if any(frame.kind == "case" for frame in level.frames):
        while level.frames[-1].kind != "case":
            level.pop(level.frames[-1].kind)
        level.frames[-1].state = "start"


def function(scanner: Scanner, word: Word) -> None:
    scanner.blanks()
    scanner.level.named = scanner.word().text or "?"
    scanner.blanks()
    function_parens(scanner)


def function_parens(scanner: Scanner) -> bool:
    """Skip the ``()`` of a function definition; False when something else stands here."""
    at = scanner.at
    if not scanner.text.startswith("(", at):
        return False
    at += 1
    while at < scanner.end and scanner.text[at] in " \t":
        at += 1
    if not scanner.text.startswith(")", at):
        return False
    scanner.at = at + 1
    return True


def timed(scanner: Scanner, word: Word) -> None:
    """``time`` is a reserved word with two options; followed by any other option it is the program of that name."""
    while True:
        scanner.blanks()
        start = scanner.at
        if not scanner.text.startswith("-", start):
            return
        if scanner.word().raw not in ("-p", "--"):
            scanner.at = start
            scanner.level.current.argv.append(word)
            return


def coprocess(scanner: Scanner, word: Word) -> None:
    """``coproc [NAME] command``: the name counts as one only before a compound command."""
    scanner.blanks()
    start = scanner.at
    if start >= scanner.end or scanner.text[start] in META:
        return
    scanner.word()
    scanner.blanks()
    after = scanner.at
    if scanner.text.startswith("(", after):
        return
    compound = after < scanner.end and scanner.text[after] not in META and _peek(scanner) in COMPOUND
    scanner.at = after if compound else start


def _peek(scanner: Scanner) -> str:
    """The plain characters of the word at the position, which does not move."""
    stop = scanner.at
    while stop < scanner.end and scanner.text[stop] not in META:
        stop += 1
    return scanner.text[scanner.at : stop]


def test(scanner: Scanner, word: Word) -> None:
    """``[[ ... ]]``: operators are skipped, its words become the arguments of a command named ``[[``."""
    argv = scanner.level.current.argv
    argv.append(word)
    while argv[-1].raw != "]]" or len(argv) == 1:
        scanner.blanks(lines=True)
        if scanner.at >= scanner.end:
            raise ReadError("[[ is not closed")
        if scanner.text[scanner.at] in META and not scanner.text.startswith(("<(", ">("), scanner.at):
            scanner.at += 1
        else:
            argv.append(scanner.word())


def assignment(word: Word) -> tuple[str, Word] | None:
    """The name (with its subscript) and value of a word that assigns, None when it is an ordinary word.

    ``NAME+=value`` gives the value with the variable itself in front.
    """
    name, equals, _ = word.raw.partition("=")
    plus = name.endswith("+")
    target = name[:-1] if plus else name
    base, bracket, _ = target.partition("[")
    if not equals or not (base.isidentifier() and base.isascii()):
        return None
    raw = word.raw[len(name) + 1 :]
    if bracket:
        return (target, unknown(raw, "variable")) if target.endswith("]") else None
    parts = _after(word.parts, len(name) + 1)
    if parts is None:
        return None
    plain(parts)
    return target, Word(raw, [Part("variable", target, True), *parts] if plus else parts)


def _after(parts: list[Part], length: int) -> list[Part] | None:
    """The parts behind the first characters, which must be plain text."""
    for index, part in enumerate(parts):
        if part.kind not in ("text", "brace", "glob") or part.quoted:
            return None
        if len(part.text) >= length:
            rest = part.text[length:]
            return ([Part(part.kind, rest)] if rest else []) + [
                Part(other.kind, other.text, other.quoted) for other in parts[index + 1 :]
            ]
        length -= len(part.text)
    return None


def array(scanner: Scanner, raw: str) -> None:
    """``NAME=( ... )``: the words up to the closing bracket; ``+=`` puts the array itself in front."""
    name = raw[:-1]
    items = [Word(name, [Part("variable", name[:-1] + "[@]", True)])] if name.endswith("+") else []
    scanner.at += 1
    while True:
        scanner.blanks(lines=True)
        if scanner.at >= scanner.end:
            raise ReadError("array is not closed")
        char = scanner.text[scanner.at]
        if char == ")":
            break
        if char in META and not scanner.text.startswith(("<(", ">("), scanner.at):
            raise ReadError("array holds an operator")
        items.append(scanner.word())
    scanner.at += 1
    scanner.level.current.arrays.append((name.rstrip("+").partition("[")[0], items))


RESERVED: dict[str, Callable[[Scanner, Word], None]] = {
    "if": conditional, "then": separate, "elif": separate, "else": separate, "fi": end,
    "while": loop, "until": loop, "do": separate, "done": end, "for": header, "select": header,
    "case": case, "esac": end, "{": group, "}": end, "!": separate, "[[": test,
    "time": timed, "coproc": coprocess, "function": function,
}  # fmt: skip
