"""The one reader of our commands' options, shared by the commands and the guard, so that both see one call.

Stricter than argparse, because a guard must not approve what the command then reads otherwise: no abbreviations,
no option given twice unless it is a list, no value that begins with `--` except after `=`, no unknown option, no
positional left over, no bytes that are not text.
"""

from __future__ import annotations

from mlresearch.errors import UsageError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Option:
    """`flag` is `--name` or, for a positional, `NAME`. `many` collects a list; `switch` takes no value."""

    __slots__ = ("choices", "flag", "help", "many", "metavar", "required", "switch")

    def __init__(
        self,
        flag: str,
        help: str,
        metavar: str = "",
        required: bool = False,
        many: bool = False,
        switch: bool = False,
        choices: Sequence[str] = (),
    ) -> None:
        self.flag, self.help, self.required, self.many, self.switch = flag, help, required, many, switch
        self.metavar, self.choices = metavar or "|".join(choices) or "VALUE", tuple(choices)

    @property
    def key(self) -> str:
        return self.flag.lstrip("-").replace("-", "_").lower()


class Verb:
    """One subcommand. `access` says what it may do: read, book, spend, approve, write (to the Hub)."""

    __slots__ = ("access", "help", "name", "options")

    def __init__(self, name: str, access: str, help: str, options: Iterable[Option] = ()) -> None:
        self.name, self.access, self.help = name, access, help
        self.options = (*options, Option("--json", "print exactly one JSON object", switch=True))


class Values:
    """What was given: text, list or flag by option key; an absent option is None, [] or False."""

    __slots__ = ("_given",)

    def __init__(self, given: dict[str, str | list[str] | bool | None]) -> None:
        self._given = given

    def text(self, key: str) -> str | None:
        value = self._given[key]
        return value if isinstance(value, str) else None

    def need(self, key: str) -> str:
        value = self._given[key]
        if not isinstance(value, str):
            raise UsageError(f"--{key.replace('_', '-')} is missing")
        return value

    def many(self, key: str) -> list[str]:
        value = self._given[key]
        return value if isinstance(value, list) else []

    def flag(self, key: str) -> bool:
        return self._given[key] is True

    def given(self, key: str) -> bool:
        return bool(self._given.get(key))


def parse(verb: Verb, argv: Sequence[str]) -> Values:
    """The call's values; raises UsageError naming the option at fault and what is allowed."""
    named = {option.flag: option for option in verb.options if option.flag.startswith("-")}
    places = [option for option in verb.options if not option.flag.startswith("-")]
    values: dict[str, str | list[str] | bool | None] = {
        option.key: [] if option.many else False if option.switch else None for option in verb.options
    }
    words = list(argv)
    for word in words:
        _must_be_text(verb, word)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            _take(verb, named, values, word, words)
        elif places and not word.startswith("-"):
            _store(values, places[0], word)
            if not places[0].many:
                places.pop(0)
        else:
            raise UsageError(f"{verb.name}: {shown(word)} is not expected here", usage(verb))
    _complete(verb, values)
    return Values(values)


def _must_be_text(verb: Verb, word: str) -> None:
    """The shell hands on any bytes; what is no UTF-8 could be neither printed nor written to the ledger."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{verb.name}: {shown(word)} is not UTF-8 text", "UTF-8") from None


def _take(
    verb: Verb,
    named: dict[str, Option],
    values: dict[str, str | list[str] | bool | None],
    word: str,
    words: list[str],
) -> None:
    flag, equals, value = word.partition("=")
    option = named.get(flag)
    if option is None:
        raise UsageError(f"{verb.name}: unknown option {shown(flag)}", " ".join(sorted(named)))
    if option.switch:
        if equals:
            raise UsageError(f"{verb.name}: {flag} takes no value")
        if values[option.key]:
            raise UsageError(f"{verb.name}: {flag} is given twice", "once")
        values[option.key] = True
        return
    if not equals:
        # a list value such as --arg may begin with dashes only in the = form: what follows could be an option
        if not words or words[0].startswith("--"):
            raise UsageError(
                f"{verb.name}: {flag} needs a value", f"{flag} VALUE, or {flag}=VALUE when it begins with --"
            )
        value = words.pop(0)
    _store(values, option, value)


def _store(values: dict[str, str | list[str] | bool | None], option: Option, value: str) -> None:
    if option.choices and value not in option.choices:
        raise UsageError(f"{option.flag} {shown(value)} is unknown", ", ".join(option.choices))
    held = values[option.key]
    if isinstance(held, list):
        held.append(value)
    elif held is not None:
        raise UsageError(f"{option.flag} is given twice", "once")
    else:
        values[option.key] = value


def _complete(verb: Verb, values: dict[str, str | list[str] | bool | None]) -> None:
    missing = [option.flag for option in verb.options if option.required and not values[option.key]]
    if missing:
        raise UsageError(f"{verb.name}: {', '.join(missing)} is missing", usage(verb))


def usage(verb: Verb) -> str:
    """One line: the verb, its options, and which are required."""
    return " ".join([verb.name, *map(_shape, verb.options)])


def _shape(option: Option) -> str:
    shape = option.flag if option.switch or not option.flag.startswith("-") else f"{option.flag} {option.metavar}"
    shape = shape if option.required else f"[{shape}]"
    return shape + ("…" if option.many else "")


def help_text(script: str, verbs: Iterable[Verb]) -> str:
    lines = [f"usage: uv run {script} VERB …", ""]
    for verb in verbs:
        lines.append(f"  {verb.name:12} {verb.help}")
        lines += [f"      {_shape(option):32} {option.help}" for option in verb.options]
    return "\n".join(lines)
