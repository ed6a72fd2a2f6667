"""Durations are read exactly, in one spelling, or not at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import durations
from mlresearch.errors import UsageError

READ = {
    "90s": 90,
    "30m": 1800,
    "1.5h": 5400,
    "1h30m": 5400,
    "2d": 172800,
    "1d2h3m4s": 93784,
    "7": 7,
    "007": 7,
    "0.1h": 360,
    "0.5s": 1,
    "0.000001s": 1,
    "1.000001s": 2,
    "366d": durations.LONGEST_S,
    "0h1m": 60,
}
REFUSED: dict[str, object] = {
    "zero": "0",
    "zero seconds": "0s",
    "negative": "-5m",
    "negative number": -5,
    "zero number": 0,
    "empty": "",
    "space": " ",
    "inner space": "1h 30m",
    "outer space": " 5m",
    "line feed": "5m\n",
    "nan": "nan",
    "nan number": float("nan"),
    "infinity": "inf",
    "float": 1.5,
    "true": True,
    "none": None,
    "list": ["5m"],
    "no unit after unit": "1h30",
    "unit alone": "h",
    "unknown unit": "5w",
    "upper case": "5M",
    "word": "five minutes",
    "units out of order": "30m1h",
    "unit twice": "5m5m",
    "plus": "+5m",
    "comma": "1,5h",
    "no digit before the point": ".5h",
    "no digit after the point": "5.h",
    "bare fraction": "1.5",
    "exponent": "1e3s",
    "underscore": "1_000s",
    "hex": "0x10",
    "arabic digits": "\u0663\u0660m",
    "superscript": "5²",
    "too long": "367d",
    "just too long": "366.000001d",
    "too many digits": "9" * 10,
    "thousands of digits": "9" * 5000,
    "number of thousands of digits": 10**5000,
    "too many decimals": "1.0000001h",
}


@pytest.mark.parametrize(("text", "seconds"), READ.items(), ids=READ)
def test_a_duration_is_read_in_whole_seconds_rounded_up(text: str, seconds: int) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_is_no_duration_is_refused_with_its_name_and_what_is_allowed(value: object) -> None:
    with pytest.raises(UsageError) as caught:
        durations.parse(value, "max_timeout")
    assert caught.value.wrong.startswith("max_timeout ")
    assert caught.value.allowed == durations.ALLOWED
    assert len(str(caught.value)) < 250


@given(st.integers(1, durations.LONGEST_S))
def test_what_is_shown_reads_back_as_the_same_number(seconds: int) -> None:
    assert durations.parse(durations.show(seconds)) == seconds
    assert durations.parse(str(seconds)) == seconds
    assert durations.parse(seconds) == seconds


@given(st.integers(0, 365), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_the_units_of_a_duration_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert durations.parse(text) == ((days * 24 + hours) * 60 + minutes) * 60 + seconds


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    with suppress(UsageError):
        assert 0 < durations.parse(text) <= durations.LONGEST_S


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (-5, "-5s"), (59, "59s"), (86460, "1d1m")])
def test_a_duration_is_shown_for_a_person(seconds: int, text: str) -> None:
    assert durations.show(seconds) == text
