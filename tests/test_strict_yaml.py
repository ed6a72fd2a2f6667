"""YAML without surprises: a value is what it looks like, or the file is refused with the line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import strict_yaml
from mlresearch.errors import UsageError

READ: list[tuple[str, object]] = [
    ("1", 1),
    ("-1", -1),
    ("0", 0),
    ("1.5", 1.5),
    ("1e3", 1000.0),
    ("1e-05", 1e-5),
    ("-2.5E+2", -250.0),
    ("true", True),
    ("false", False),
    ("null", None),
    ("~", None),
    ("''", ""),
    ("", ""),
    ("'1'", "1"),
    ('"1"', "1"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("True", "True"),
    ("NULL", "NULL"),
    ("8:00", "8:00"),
    ("190:20:30", "190:20:30"),
    ("0x10", "0x10"),
    ("0o17", "0o17"),
    ("017", "017"),
    ("00", "00"),
    ("1_000", "1_000"),
    ("+1", "+1"),
    (".5", ".5"),
    ("5.", "5."),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("nan", "nan"),
    ("2026-12-01", "2026-12-01"),
    ("1h30m", "1h30m"),
    ("-", [""]),
    ("=", "="),
    ("<<", "<<"),
    ("٣", "٣"),
    ('"\\u2028"', "\u2028"),
]
REFUSED: dict[str, tuple[str, str]] = {
    "a tag": ("a: !!str 1", "line 1: an anchor, alias or tag"),
    "a python tag": ("a: !!python/object/apply:os.system [x]", "line 1: an anchor, alias or tag"),
    "a local tag": ("\na: !x 1", "line 2: an anchor, alias or tag"),
    "an anchor": ("a: &x 1", "line 1: an anchor, alias or tag"),
    "an alias": ("a: &x [1]\nb: *x", "an anchor, alias or tag"),
    "a merge": ("a: &x {b: 1}\n<<: *x", "an anchor, alias or tag"),
    "a bomb": ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "an anchor, alias or tag"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3: the key 'a' comes twice"),
    "a key twice inside": ("a: {b: 1, b: 2}", "line 1: the key 'b' comes twice"),
    "a key twice, one quoted": ("a: 1\n'a': 2", "line 2: the key 'a' comes twice"),
    "a number as key": ("1: a", "line 1: the key 1 is not text"),
    "true as key": ("true: a", "line 1: the key True is not text"),
    "null as key": ("~: a", "line 1: the key None is not text"),
    "a list as key": ("[a]: 1", "line 1: the key ['a'] is not text"),
    "a map as key": ("{a: 1}: 1", "the key {'a': 1} is not text"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: a second document"),
    "deep lists": ("[" * 13 + "]" * 13, "line 1: deep nesting"),
    "very deep lists": ("[" * 10_000 + "]" * 10_000, "line 1: deep nesting"),
    "infinity by exponent": ("a:\n  b: 1e999", "line 2: '1e999' is no number that fits"),
    "minus infinity by exponent": ("a: -1e999", "no number that fits"),
    "5,000 digits": ("a: " + "9" * 5000, "no number that fits"),
    "50 digits": ("a: " + "9" * 50, "no number that fits"),
    "a tab as indent": ("a:\n\tb: 1", "line 2: not readable"),
    "an open bracket": ("a: [1", "not readable"),
    "an open quote": ("a: 'x", "not readable"),
    "a colon too many": ("a: b: c", "line 1: not readable"),
    "bad indent": ("a:\n  b: 1\n c: 2", "line 3: not readable"),
    "a percent sign": ("%x", "not readable"),
    "NUL": ("a: \0", "line 1: the character U+0000"),
    "an escape character": ("a: \x1b[0m", "U+001B"),
    "a line separator": ("a: 1 # \u2028max_jobs: 9", "line 1: the character U+2028"),
    "a next line": ("a: 1\n# \x85b: 2", "line 2: the character U+0085"),
    "a bare carriage return": ("a: 1 # \rb: 2", "U+000D"),
    "a byte order mark": ("\ufeffa: 1", "U+FEFF"),
    "a direction override": ("a: \u202ebc", "U+202E"),
    "a zero-width space": ("a\u200b: 1", "U+200B"),
    "half a pair": ("a: \ud800", "U+D800"),
    "too long": ("a: " + "x" * strict_yaml.LARGEST, "characters"),
}


@pytest.mark.parametrize(("text", "value"), READ, ids=[repr(text) for text, _ in READ])
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    found = strict_yaml.load(f"a: {text}" if text != "-" else "a:\n -")
    assert found["a"] == value
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_a_surprise_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        strict_yaml.load(text)
    assert why in caught.value.wrong
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_the_deepest_nesting_is_read() -> None:
    assert strict_yaml.load("[" * 12 + "1" + "]" * 12) == [[[[[[[[[[[[1]]]]]]]]]]]]


def test_many_keys_are_read_quickly_and_a_late_twin_is_found() -> None:
    lines = [f"k{number}: 1" for number in range(3000)]
    assert len(strict_yaml.load("\n".join(lines))) == 3000
    with pytest.raises(UsageError, match="line 3001"):
        strict_yaml.load("\n".join([*lines, "k0: 1"]))


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20), st.sampled_from(["1e5", "no", "8:00", "012", "~", "", "- x", "a: b", "#", "1_0", "x " * 90]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_dumped_reads_back_as_the_same_value(value: Any) -> None:
    found = strict_yaml.load(strict_yaml.dump({"a": value}))["a"]
    assert found == value
    assert repr(found) == repr(value)


@given(st.text("ab:-[]{}#&*!|>'\"%@ \n\t1~?,", max_size=40))
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    with suppress(UsageError):
        strict_yaml.load(text)
