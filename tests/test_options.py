"""One reader of options for the commands and the guard: one spelling, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import options
from mlresearch.errors import UsageError
from mlresearch.options import Option, Values, Verb
from mlresearch.surface import SURFACE

VERB = Verb(
    "go",
    "read",
    "a verb of every kind of option",
    (
        Option("--name", "", required=True),
        Option("--max-usd", ""),
        Option("--arg", "", many=True),
        Option("--kind", "", choices=("a", "b")),
        Option("--quiet", "", switch=True),
    ),
)
PLACES = Verb("at", "read", "positional options", (Option("PATH", "", required=True), Option("--depth", "")))
FLAGS = ["--name", "--max-usd", "--arg", "--kind"]

READ: dict[str, tuple[str, dict[str, object]]] = {
    "required alone": ("--name x", {"name": "x", "max_usd": None, "arg": [], "kind": None, "quiet": False}),
    "equals": ("--name=x", {"name": "x"}),
    "equals in the value": ("--name=a=b", {"name": "a=b"}),
    "value with one dash": ("--name -x", {"name": "-x"}),
    "value with two dashes after equals": ("--name=--x", {"name": "--x"}),
    "list": ("--name x --arg 1 --arg=2 --arg -3", {"arg": ["1", "2", "-3"]}),
    "list with an empty one": ("--name x --arg=", {"arg": [""]}),
    "switch": ("--quiet --name x", {"quiet": True}),
    "choice": ("--name x --kind b", {"kind": "b"}),
    "json": ("--name x --json", {"json": True}),
}
REFUSED: dict[str, str] = {
    "nothing": "",
    "required missing": "--quiet",
    "required empty": "--name=",
    "unknown": "--name x --other y",
    "abbreviation": "--nam x",
    "abbreviation of a switch": "--name x --qui",
    "underscore": "--name x --max_usd 1",
    "upper case": "--NAME x",
    "one dash": "-name x",
    "short": "-n x",
    "twice": "--name x --name y",
    "twice, both spellings": "--name x --name=y",
    "the same twice": "--name x --name x",
    "switch twice": "--name x --quiet --quiet",
    "json twice": "--name x --json --json",
    "switch with a value": "--name x --quiet=1",
    "switch with an empty value": "--name x --quiet=",
    "no value at the end": "--name",
    "an option as value": "--name --quiet",
    "dashes as value": "--name --",
    "dashes alone": "--name x --",
    "positional": "--name x y",
    "one dash alone": "--name x -",
    "not a choice": "--name x --kind c",
    "an empty choice": "--name x --kind=",
    "choice in upper case": "--name x --kind A",
}


def parse(line: str, verb: Verb = VERB) -> Values:
    return options.parse(verb, line.split(" ") if line else [])


@pytest.mark.parametrize(("line", "wanted"), READ.values(), ids=READ)
def test_a_call_is_read_as_it_is_written(line: str, wanted: dict[str, object]) -> None:
    values = parse(line)
    read = {key: values.many(key) or values.text(key) or values.flag(key) for key in wanted}
    assert read == {key: value or False for key, value in wanted.items()}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_any_other_call_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line)


@pytest.mark.parametrize("word", ["\udcff", "--name=\udcff", "--\udcff"])
def test_bytes_that_are_no_text_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        options.parse(VERB, ["--name", "x", "--arg", word])


def test_a_refusal_stays_short() -> None:
    for words in (["--" + "x" * 5000], ["--name", "x", "y" * 5000], ["--name", "x", "--kind", "z" * 5000]):
        with pytest.raises(UsageError) as caught:
            options.parse(VERB, words)
        assert len(str(caught.value)) < 400


def test_a_positional_takes_its_place_and_no_more() -> None:
    assert parse("x", PLACES).text("path") == "x"
    assert parse("--depth 1 x", PLACES).text("path") == "x"
    for line in ("x y", "", "-x", "--path x"):
        with pytest.raises(UsageError):
            parse(line, PLACES)


def test_an_option_that_is_needed_and_absent_is_named() -> None:
    with pytest.raises(UsageError, match="--max-usd is missing"):
        parse("--name x").need("max_usd")


def given_or_refused(verb: Verb, words: list[str]) -> object:
    try:
        values = options.parse(verb, words)
    except UsageError:
        return "refused"
    return {o.key: (values.text(o.key), values.many(o.key), values.flag(o.key)) for o in verb.options}


WORDS = st.one_of(st.sampled_from([*FLAGS, "--quiet", "--json", "-x", "--", "a", "b", ""]), st.text("-=ab", max_size=4))
PAIRS = st.tuples(st.sampled_from(FLAGS), st.text("ab=-", max_size=4))


@given(st.lists(PAIRS, max_size=5))
def test_both_ways_to_give_a_value_agree(pairs: list[tuple[str, str]]) -> None:
    apart = [word for pair in pairs for word in pair]
    joined = [f"{flag}={value}" for flag, value in pairs]
    if not any(value.startswith("--") for _, value in pairs):
        assert given_or_refused(VERB, apart) == given_or_refused(VERB, joined)


@given(st.lists(WORDS, max_size=8))
def test_no_option_has_a_second_spelling(words: list[str]) -> None:
    """A call that is accepted spells each of its options as the verb does, and a single one once."""
    if given_or_refused(VERB, words) == "refused":
        return
    flags = [option.flag for option in VERB.options]
    spelled, is_value = [], False
    for word in words:
        flag, equals, _ = word.partition("=")
        if not is_value:
            assert flag in flags
            spelled.append(flag)
        is_value = not is_value and not equals and flag not in ("--quiet", "--json")
    assert all(spelled.count(flag) == 1 for flag in spelled if flag != "--arg")


@given(st.lists(WORDS, max_size=8))
def test_any_call_is_read_or_refused_and_never_crashes(words: list[str]) -> None:
    given_or_refused(VERB, words)
    given_or_refused(PLACES, words)


VERBS = [(script, verb) for script, verbs in SURFACE.items() for verb in verbs.values()]


@pytest.mark.parametrize(("script", "verb"), VERBS, ids=[f"{s} {v.name}" for s, v in VERBS])
def test_every_verb_has_distinct_options_a_known_access_and_a_help(script: str, verb: Verb) -> None:
    keys = [option.key for option in verb.options]
    assert len(keys) == len(set(keys))
    assert verb.access in {"read", "book", "spend", "approve", "write"}
    assert all(option.help for option in verb.options)
    assert verb.name in options.help_text(script, [verb])
