"""What a training's health is, from lines and the moments at which they came."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlresearch.jobs.health import (
    ALERT,
    DIVERGED,
    HEALTHY,
    LONGEST_MULTIPLE,
    NAN,
    STALL_FLOOR_S,
    STALL_MULTIPLE,
    STALLED,
    WAITING,
    Health,
)
from mlresearch.jobs.readings import Alert

ERROR = "[TRACKIO ERROR] diverged: lower it (step 3)"
FLOOR_S = 5.0


def fed(*lines: str, pattern: str | None = None, every_s: float = 1.0) -> Health:
    health = Health(pattern, FLOOR_S)
    for place, line in enumerate(lines):
        health.feed(line, place * every_s)
    return health


def steps(first: int, last: int) -> list[str]:
    return [f"step {step} loss 0.5" for step in range(first, last + 1)]


@pytest.mark.parametrize(
    ("lines", "verdict", "why"),
    [
        ((), WAITING, "no step"),
        (("Downloading", "Step 1: loading 3 files"), WAITING, "no step"),
        (("step 1 loss 0.5",), HEALTHY, ""),
        (("  1%|▏ | 1/100 [00:10<01:20,  1.1it/s]",), HEALTHY, ""),
        (("Tokenizing train dataset: 100%|###| 432/432 [00:00<00:00, 9.1 examples/s]",), WAITING, "no step"),
        (("[TRACKIO WARN] overfitting", "[TRACKIO INFO] plateau"), WAITING, ""),
        ((ERROR,), ALERT, "diverged: lower it"),
        (("step 1 loss 0.5", ERROR, "step 3 loss nan"), ALERT, "diverged: lower it"),
        (("step 1 loss 0.5", "step 2 loss nan", "step 3 loss inf"), NAN, "loss is nan at step 2"),
        (("{'loss': 0.0, 'grad_norm': nan, 'epoch': 0.1}",), NAN, "with a NaN gradient"),
        (("{'loss': 0.4, 'grad_norm': inf, 'epoch': 0.1}",), HEALTHY, ""),
        (("step 1 loss 0.5", *["step 2 loss 50"] * 3), DIVERGED, "was 0.5 and is 50 at step 2"),
        (("step 1 loss 0.5", "step 2 loss 50", "step 3 loss 0.5", "step 4 loss 50"), HEALTHY, ""),
        (("step 1 loss 0.0001", *["step 2 loss 0.5"] * 5), HEALTHY, ""),
        (("step 1 loss -5", *["step 2 loss -3.5"] * 5), DIVERGED, "was -5"),
        (("step 1 train loss 0.5, val loss 9", *["step 2 train loss 0.5, val loss 9"] * 3), HEALTHY, ""),
    ],
)
def test_the_lines_of_a_job_tell_its_health(lines: tuple[str, ...], verdict: str, why: str) -> None:
    state = fed(*lines).state(len(lines))

    assert state.verdict == verdict
    assert why in state.why


def test_the_metric_of_the_campaign_is_a_sign_of_health_too() -> None:
    pattern = r"^top1=(\S+)"
    assert fed("top1=0.93", pattern=pattern).state(0).metrics == {"metric": 0.93}
    assert fed("top1=0.93", pattern=pattern).verdict(0) == HEALTHY
    assert fed("top1=nan", pattern=pattern).verdict(0) == NAN
    assert fed("top1=none", pattern=pattern).verdict(0) == WAITING
    assert fed("top1=0.93", pattern="top1").verdict(0) == WAITING  # a pattern without a group
    assert fed("top1=0.93", pattern="top1=(x)?").verdict(0) == WAITING


def test_silence_after_a_step_is_a_stall_and_the_next_step_ends_it() -> None:
    health = fed("step 1 loss 0.5")

    assert health.verdict(FLOOR_S) == HEALTHY
    assert health.state(FLOOR_S + 1).verdict == STALLED
    health.feed("step 2 loss 0.5", FLOOR_S + 2)
    assert health.verdict(FLOOR_S + 3) == HEALTHY


def test_before_the_first_step_nothing_is_a_stall() -> None:
    assert fed("Map: 10%|█ | 100/1000 [00:01<00:09, 99.1 examples/s]").verdict(1e6) == WAITING


def test_slow_steps_and_long_pauses_are_waited_for() -> None:
    slow = fed(*steps(1, 4), every_s=100.0)
    assert slow.stall_limit_s == STALL_MULTIPLE * 100.0

    paused = fed(*steps(1, 10))
    paused.feed("step 11 loss 0.5", 500.0)
    assert paused.stall_limit_s == LONGEST_MULTIPLE * (500.0 - 9.0)
    assert Health().stall_limit_s == STALL_FLOOR_S


@pytest.mark.parametrize("noise", ["waiting for the other nodes", "step 3 loss 0.5", "retrying in 5s"])
def test_a_job_that_talks_without_a_new_step_is_stalled(noise: str) -> None:
    health = fed(*steps(1, 3))
    for second in range(3, 30):
        health.feed(noise, second)

    assert health.verdict(30) == STALLED


@pytest.mark.parametrize(
    "last",
    [
        "step 9/9 loss 0.5",
        " 100%|█| 9/9 [00:10<00:00,  1.1it/s]",
        "{'train_runtime': 12.3, 'train_loss': 0.5, 'epoch': 1.0}",
    ],
)
def test_what_follows_the_last_step_has_no_steps(last: str) -> None:
    assert fed("step 1 loss 0.5", last).verdict(1e6) == HEALTHY


def test_an_evaluation_bar_shows_that_the_job_lives() -> None:
    health = fed(*steps(1, 3))
    for count in range(30):
        health.feed(f"Evaluating: 10%|█ | {count}/1000 [00:01<00:09, 99.1 examples/s]", 3 + count)

    assert health.verdict(33) == HEALTHY
    assert health.state(33).step == 3


def test_a_log_read_at_once_tells_no_time_a_step() -> None:
    health = Health()
    for place, line in enumerate(steps(1, 1000)):
        health.feed(line, 1e-5 * place)
    assert health.state(1).step_s is None

    for step in range(1001, 1010):
        health.feed(f"step {step} loss 0.5", step - 1000)
    assert health.state(10).step_s == pytest.approx(1.0, rel=0.02)


def test_steps_that_come_in_bursts_have_the_same_time() -> None:
    health = Health()
    for step in range(1, 101):
        health.feed(f"step {step} loss 0.5", 10.0 * (step // 10) + 0.001 * (step % 10))

    assert health.state(100).step_s == pytest.approx(1.0, rel=0.01)


def test_a_step_is_taken_from_what_says_step_rather_than_from_a_bar() -> None:
    health = fed(" 1%|▏ | 1/100 [00:10<01:20,  1.1it/s]", "step 20 loss 0.5", " 2%|▏ | 2/100 [00:10<01:20,  1.1it/s]")
    assert (health.state(0).step, health.state(0).total) == (20, None)


def test_a_bar_that_is_drawn_over_is_read_whole() -> None:
    health = fed("\r".join(f" {n}%|█ | {n}/100 [00:{n:02}<01:20,  1.1it/s]" for n in range(12)))
    assert (health.state(0).step, health.state(0).total, health.lines) == (11, 100, 1)


def test_what_is_known_is_no_news_and_another_alert_is() -> None:
    health = fed("step 1 loss nan", ERROR)
    health.acknowledge()
    assert health.verdict(2) == HEALTHY

    health.feed("step 2 loss nan", 2)
    assert health.verdict(2) == HEALTHY
    health.feed(ERROR, 3)
    assert health.verdict(3) == ALERT
    assert health.state(3, []).verdict == HEALTHY
    assert health.state(3, [Alert("error", "x", "y", None)]).why == "x: y"
    assert [alert.line for alert in health.alerts] == [2, 4]


def test_the_last_finite_values_are_told() -> None:
    assert fed("step 1 loss 0.5 val 0.7", "step 2 loss nan").state(2).metrics == {"loss": 0.5, "val": 0.7}


LINES = st.one_of(
    st.builds("step {} loss {}".format, st.integers(0, 50), st.floats(allow_nan=True)),
    st.builds(" 1%|▏ | {}/{} [00:10<01:20]".format, st.integers(0, 50), st.integers(0, 50)),
    st.sampled_from([ERROR, "{'loss': 0.5, 'epoch': 1.0}", "[TRACKIO WARN] x", "noise"]),
    st.text(max_size=40),
)


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, st.floats(0, 1e4)), max_size=40))
def test_whatever_comes_the_state_makes_sense(said: list[tuple[str, float]]) -> None:
    """An error stays told, what is bad never turns well again, and times are finite and not negative."""
    health, now, bad = Health(), 0.0, False
    for line, pause_s in said:
        now += pause_s
        health.feed(line, now)
        state = health.state(now)
        assert not (bad and state.verdict in (WAITING, HEALTHY, STALLED))
        bad = bad or state.verdict in (ALERT, NAN, DIVERGED)
        assert state.step_s is None or 0 < state.step_s < math.inf
        assert all(math.isfinite(value) for value in state.metrics.values())
        assert health.stall_limit_s >= STALL_FLOOR_S


@settings(deadline=None)
@given(st.lists(LINES, max_size=30), st.integers(0, 30))
def test_a_log_in_two_parts_says_what_it_says_in_one(lines: list[str], cut: int) -> None:
    whole, parts = Health(), Health()
    for line in lines:
        whole.feed(line, 0.0)
    for part in (lines[:cut], lines[cut:]):
        for line in part:
            parts.feed(line, 0.0)
        parts.state(0.0)

    assert parts.state(1.0) == whole.state(1.0)
    assert parts.alerts == whole.alerts
