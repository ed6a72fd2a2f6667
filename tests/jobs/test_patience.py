"""What a wait puts up with, and a log that breaks off while it is followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mlresearch.errors import BackendError, NotFound, ResearchError, Unavailable
from mlresearch.jobs.following import Follower
from mlresearch.jobs.patience import LONGEST_PAUSE_S, Patience

AWAY = Unavailable("the Hub does not answer", next_step="try again")
FAR = 4e9
GIVE_UP_S = 60.0


def test_a_source_that_is_away_is_asked_less_and_less_often_and_told_once() -> None:
    told: list[str] = []
    patience = Patience(FAR, told.append)

    pauses = [patience.bear({"j0001": AWAY}) for _ in range(8)]

    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert len(told) == 1
    assert "the Hub does not answer" in told[0]
    assert patience.bear({}) == 0
    assert told[1:] == ["it answers again"]
    assert patience.bear({"j0001": AWAY}) == 1
    assert len(told) == 3


@pytest.mark.parametrize(
    ("patience", "error"),
    [
        (Patience(FAR), BackendError("402: no credit")),
        (Patience(FAR, longest_s=-1.0), AWAY),
        (Patience(0.0), AWAY),
    ],
    ids=["what needs a person", "what lasts too long", "what lasts past the wait"],
)
def test_what_waiting_does_not_mend_is_raised(patience: Patience, error: ResearchError) -> None:
    with pytest.raises(type(error), match=error.wrong):
        patience.bear({"j0001": error})


def collected(follower: Follower, count: int) -> list[str]:
    lines: list[str] = []
    give_up = time.monotonic() + GIVE_UP_S
    while len(lines) < count:
        assert time.monotonic() < give_up
        lines += [line for line, _at in follower.taken()]
        time.sleep(0.01)
    return lines


def attempts(*logs: Callable[[], Iterator[str]]) -> Callable[[], Iterator[str]]:
    left = [*logs]
    return lambda: left.pop(0)()


def cut(*lines: str, error: Exception = AWAY) -> Callable[[], Iterator[str]]:
    def log() -> Iterator[str]:
        yield from lines
        raise error

    return log


def test_a_log_that_breaks_off_is_read_on_and_each_line_told_once() -> None:
    follower = Follower(attempts(cut(error=NotFound("no log yet")), cut("a", "b"), lambda: iter("abc")))

    assert collected(follower, 3) == ["a", "b", "c"]
    assert follower.wait_for_end(GIVE_UP_S)


def test_why_a_log_can_not_be_read_is_told_and_a_fault_of_ours_raised() -> None:
    follower = Follower(attempts(cut("a"), cut(error=RuntimeError("a bug"))))
    assert collected(follower, 1) == ["a"]
    assert not follower.wait_for_end(GIVE_UP_S)

    assert follower.trouble is AWAY
    follower._thread.join(GIVE_UP_S)
    with pytest.raises(RuntimeError, match="a bug"):
        list(follower.taken())


def test_a_follower_that_is_stopped_reads_no_further_line() -> None:
    is_stopped = threading.Event()

    def log() -> Iterator[str]:
        yield "a"
        assert is_stopped.wait(GIVE_UP_S)
        yield "b"

    follower = Follower(log)
    follower.stop()
    is_stopped.set()
    follower.wait_for_end(GIVE_UP_S)

    assert "b" not in [line for line, _at in follower.taken()]
