"""Collects what a list of commands assigns and defines into a scope, before any of it is resolved."""

from __future__ import annotations

from mlresearch.guard.fields import expand, extended, scalar
from mlresearch.guard.keywords import assignment
from mlresearch.guard.scan import DECLARING, scan
from mlresearch.guard.scope import MOST_VALUES, NEVER, Scope
from mlresearch.guard.words import Command, Loop, Part, ReadError, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHANGING = frozenset("nilucA")  # declare options under which the value is not the text that was assigned


def tail(command: Command) -> tuple[str, ...]:
    """The contexts around a command inside the function it belongs to."""
    context = command.context
    if command.function is None or "function" not in context:
        return context
    return context[len(context) - context[::-1].index("function") :]


def collect(commands: list[Command], scope: Scope) -> list[int]:
    """Fill the scope; gives for each command the number of the ``&&`` chain it belongs to."""
    chains: list[int] = []
    current: dict[tuple[str, ...], int] = {}
    for index, command in enumerate(commands):
        if command.join != "&&" or command.context not in current:
            current[command.context] = index
        scope.at, scope.run = index, current[command.context]
        scope.looping = False
        chains.append(scope.run)
        if command.function is not None and command.function != scope.function:
            _define(command.function, command, scope)
        _collect(command, scope)
    return chains


def _define(function: str, command: Command, scope: Scope) -> None:
    """Note a command of a function body; the function is sure to exist when nothing could skip its definition."""
    if function not in scope.functions:
        context = command.context
        outermost = context[:1] == ("function",) and context.count("function") == 1
        apart = "background" in context or "subshell" in context
        sure = outermost and not apart and command.join not in ("&&", "||", "|", "|&")
        scope.defined.setdefault(function, scope.at if sure else NEVER)
    scope.functions.setdefault(function, []).append(command)


def _collect(command: Command, scope: Scope) -> None:
    if isinstance(command, Loop):
        _loop(command, scope)
    elif not command.argv:
        for name, word in command.assigns:
            _assign(name, word, command, scope)
    else:
        binder = BINDERS.get(command.argv[0].text or "")
        if binder is not None:
            binder(command, scope)
    for name, items in command.arrays:
        _array(name, items, command, scope)
    for word in command.argv:
        if word.text is None and "=" in word.raw:
            _defaults(word, scope)


def _defaults(word: Word, scope: Scope) -> None:
    """``${name:=value}`` assigns where nobody looks: the name is unknown from here on."""
    for part in word.parts:
        name, equals, _ = part.text.partition("=")
        if part.kind == "variable" and equals:
            scope.assign(name.rstrip(":"), None, sure=False)


def _assign(name: str, word: Word, command: Command, scope: Scope) -> None:
    base, bracket, _ = name.partition("[")
    if bracket:
        scope.assign_array(base, None)
        return
    inner = tail(command)
    foreign = command.function is not None and command.function != scope.function
    moving = foreign or "loop" in inner  # what the value refers to can still change before it is read
    values = None if moving and any(part.kind == "variable" for part in word.parts) else scalar(word, scope)
    sure = not inner and not foreign and command.join not in ("&&", "||", "|", "|&")
    chained = not inner and not foreign and command.join == "&&"
    scope.assign(name, values, sure, scope.run if chained else -1)


def _array(name: str, items: list[Word], command: Command, scope: Scope) -> None:
    foreign = command.function is not None and command.function != scope.function
    readings: list[list[Word]] = [[]]
    for item in items:
        found = expand(item, scope)
        if len(found) * len(readings) > 16 or any(part.kind == "glob" for part in item.parts):
            readings = []
            break
        readings = extended(readings, found)
    unsettled = foreign or "loop" in tail(command)
    scope.assign_array(name, None if not readings or (unsettled and _refers(items)) else readings)


def _refers(items: list[Word]) -> bool:
    return any(part.kind == "variable" for item in items for part in item.parts)


def _loop(command: Loop, scope: Scope) -> None:
    items = [Word("$@", [Part("variable", "@", True)])] if command.items is None else command.items
    outer = set(tail(command)) <= {"loop"} and command.function == scope.function
    values = _walked(items, scope)
    scope.assign(command.variable, values, sure=outer and bool(values))


def _walked(items: list[Word], scope: Scope) -> list[str] | None:
    """The values a loop walks, None when one is unknown or there are more than a name may stand for."""
    values: list[str] = []
    for item in items:
        for field in [field for fields in expand(item, scope) for field in fields]:
            if field.text is None or len(values) > MOST_VALUES:
                return None
            values.append(field.text)
    return values


def _declare(command: Command, scope: Scope) -> None:
    options = "".join([word.text or "n" for word in command.argv[1:] if word.raw[:1] in ("-", "+")])
    for word in command.argv[1:]:
        found = assignment(word)
        if found is not None and CHANGING & set(options):
            scope.assign(found[0], None, sure=False)
        elif found is not None:
            _assign(found[0], found[1], command, scope)


def _read(command: Command, scope: Scope) -> None:
    """``read a b`` and its like: every plain word is taken for a name, option values included."""
    for word in command.argv[1:]:
        name = (word.text or "").partition("=")[0].rstrip("+-*/%")
        if name.isidentifier():
            scope.assign(name, None, sure=False)
            scope.assign_array(name, None)
    scope.assign("REPLY", None, sure=False)


def _unset(command: Command, scope: Scope) -> None:
    for word in command.argv[1:]:
        scope.assign(word.text or "", [""], sure=False)
        scope.defined[word.text or ""] = NEVER


def _printf(command: Command, scope: Scope) -> None:
    if len(command.argv) > 2 and command.argv[1].text == "-v":
        scope.assign((command.argv[2].text or "").partition("[")[0], None, sure=False)


def _alias(command: Command, scope: Scope) -> None:
    for word in command.argv[1:]:
        name, equals, value = (word.text or "").partition("=")
        if word.text is None and word.parts and word.parts[0].kind == "text":
            name, equals = word.parts[0].text.partition("=")[:2]
        if equals:
            scope.aliases.setdefault(name, []).append(None if word.text is None else value)


def _eval(command: Command, scope: Scope) -> None:
    """What a literal eval assigns is assigned here; its order against the rest of the line is not followed."""
    texts = [word.text for word in command.argv[1:]]
    text = " ".join([part for part in texts if part is not None])
    if None in texts or len(scope.calling) > 5 or "eval" in text:
        return
    try:
        nested = scan(text)
    except ReadError:
        return
    for inner in nested:
        inner.context = (*inner.context, "conditional")
        _collect(inner, scope)


BINDERS: dict[str, Callable[[Command, Scope], None]] = {
    **dict.fromkeys(DECLARING, _declare),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts", "let"), _read),
    "printf": _printf, "unset": _unset, "alias": _alias, "eval": _eval,
}  # fmt: skip
