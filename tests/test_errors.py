"""Every refusal says what is wrong, what is allowed and what to do next, on one short line."""

from __future__ import annotations

import pytest

from mlresearch import errors
from mlresearch.errors import EnvelopeBreach, ProgramError, ResearchError, shown

REFUSED = ("Refused", "UsageError", "ProgramError", "EnvelopeBreach", "SealError", "LedgerError", "GateError")
FAILED = ("ResearchError", "BackendError", "Unavailable", "NotFound")


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_be_tried_exits_with_2(name: str) -> None:
    assert getattr(errors, name).exit_code == 2


@pytest.mark.parametrize("name", FAILED)
def test_what_was_tried_and_failed_exits_with_1(name: str) -> None:
    assert getattr(errors, name).exit_code == 1


def test_the_tables_above_hold_every_class() -> None:
    named = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert named == {*REFUSED, *FAILED}


def test_a_message_is_one_line_with_its_three_parts() -> None:
    told = str(ResearchError("a\nb", "c\td", "e"))
    assert told == "a b; allowed: c d; next: e"


def test_parts_that_are_empty_are_left_out() -> None:
    assert str(ResearchError("only this")) == "only this"


def test_a_program_error_tells_every_fault_and_the_next_command() -> None:
    error = ProgramError(["Goal: one", "Run: two"])
    assert error.faults == ["Goal: one", "Run: two"]
    assert str(error).startswith("program.md has 2 faults: Goal: one | Run: two")
    assert "program.py check" in error.next_step


def test_a_breach_ends_the_campaign_unless_it_says_wait() -> None:
    assert EnvelopeBreach("no").terminal
    assert not EnvelopeBreach("wait", terminal=False).terminal


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, 10**5000, [[1] * 50] * 50, "\n" * 99, float("nan"), None],
    ids=["long text", "5001 digits", "nested list", "line feeds", "nan", "none"],
)
def test_a_quoted_value_is_short_and_on_one_line(value: object) -> None:
    assert 0 < len(shown(value)) <= 60
    assert "\n" not in shown(value)
