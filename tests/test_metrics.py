"""The number in the ledger: the last line that matches, and only a finite decimal number."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch.metrics import read

PATTERN = r"^val: (\S+)$"
NUMBERS = {"0.5": 0.5, "1": 1.0, "-3": -3.0, "+2": 2.0, ".5": 0.5, "5.": 5.0, "1e-3": 1e-3, "1E5": 1e5, "0": 0.0}
STRANGE = [
    "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1e999", "1_000", "0x10", "", "1,5", "1.2.3", "--1", "e5",
    "None", "tensor(0.5)", "٣", "\uff11", "½", "9" * 5000, "1e" + "9" * 50,
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), NUMBERS.items(), ids=NUMBERS)
def test_a_number_is_read(text: str, value: float) -> None:
    reading = read([f"val: {text}"], PATTERN)
    assert (reading.value, reading.why) == (value, "")


@pytest.mark.parametrize("text", STRANGE)
def test_what_is_no_finite_number_has_no_value_and_says_why(text: str) -> None:
    reading = read([f"val: {text}"], r"^val: (.*)$")
    assert reading.value is None
    assert "no finite number" in reading.why
    assert len(reading.why) < 120


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param('{"metric": "val", "value": 1, "n": 450, "stderr": 0.01}', (450, 0.01), id="both"),
        pytest.param('\x1b[1m{"n": 1, "stderr": 0}\x1b[0m', (1, 0.0), id="in bold"),
        pytest.param('{"n": 450}', (None, None), id="one of them"),
        pytest.param('{"n": 450, "stderr": NaN}', (None, None), id="not a number"),
        pytest.param('{"n": 450, "stderr": Infinity}', (None, None), id="infinite"),
        pytest.param('{"n": 450, "stderr": 1e999}', (None, None), id="too large"),
        pytest.param('{"n": 450, "stderr": -0.1}', (None, None), id="negative"),
        pytest.param('{"n": 0, "stderr": 0.1}', (None, None), id="no examples"),
        pytest.param('{"n": true, "stderr": 0.1}', (None, None), id="a truth as a count"),
        pytest.param('{"n": 4.5, "stderr": 0.1}', (None, None), id="half an example"),
        pytest.param('{"n": 450, "stderr": "0.1"}', (None, None), id="text"),
        pytest.param('{"n": 450, "stderr": 0.1', (None, None), id="half a line"),
        pytest.param("{" * 9000, (None, None), id="deep"),
    ],
)
def test_the_last_json_line_tells_how_well_a_value_is_known(line: str, told: tuple[object, object]) -> None:
    reading = read(["val: 1", '{"n": 7, "stderr": 0.5}', line, "done"], PATTERN)
    assert (reading.value, reading.n, reading.stderr) == (1.0, *told)


def test_the_last_matching_line_counts_even_when_it_is_no_number() -> None:
    assert read(["val: 1", "val: 2", "other"], PATTERN).value == 2
    assert read(["val: 1", "val: nan"], PATTERN).value is None


@pytest.mark.parametrize(
    "lines", [[], [""], ["val 1"], ["xval: 1"]], ids=["no line", "empty", "other", "not at the start"]
)
def test_a_log_without_a_match_has_no_value_and_says_the_pattern(lines: list[str]) -> None:
    reading = read(lines, PATTERN)
    assert reading.value is None
    assert "no line of the log matches" in reading.why


def test_colors_of_a_terminal_are_not_part_of_a_line() -> None:
    assert read(["\x1b[32mval: 0.5\x1b[0m"], PATTERN).value == 0.5


def test_an_optional_group_that_is_empty_is_no_value() -> None:
    assert read(["val: "], r"^val: (\d+)?").value is None


def test_a_very_long_line_is_searched_at_its_start_only() -> None:
    assert read(["x" * 10**6 + "val: 1"], r"val: (\d)").value is None
    assert read(["val: 1" + "x" * 10**6], r"val: (\d)").value == 1


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20), max_size=10))
def test_the_hash_is_that_of_the_log_file(lines: list[str]) -> None:
    content = "".join(line + "\n" for line in lines).encode()
    assert read(lines, PATTERN).log_sha256 == hashlib.sha256(content).hexdigest()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_prints_is_read_back_exactly(value: float) -> None:
    assert read([f"val: {value}"], PATTERN).value == value
