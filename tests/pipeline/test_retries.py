"""A failed step runs again only after a diagnosis that changes something, by its category's own fix."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch.pipeline import retries
from mlresearch.pipeline.retries import Failure
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.taxonomy import BY_NAME, CATEGORIES

TRACEBACK = """
step 3 loss 2.1
Traceback (most recent call last):
  File "/home/a/train.py", line 12, in <module>
    main()
ValueError: got 17 columns at 0x7f3a
"""


def analysis(category: str, **other: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "category": category,
        "rootCause": "the cause",
        "minimalFix": "the fix",
        "scopeChange": False,
        "unrecoverable": False,
        "oomLadderRung": 0,
        "recheckedDocs": [],
    }
    return usual | other


def failure(signature: str = "FAILED: ValueError: x", category: str = "unknown", rung: int = 0) -> Failure:
    return Failure(signature, "a" * 64, category, rung)


def judged(diagnosis: dict[str, Any], *earlier: Failure, now: Failure | None = None, most: int = 3) -> str | None:
    return retries.judge("full_job", now or failure(), diagnosis, earlier, most).reason


def test_the_same_error_is_recognized_whatever_its_numbers_and_paths() -> None:
    other = TRACEBACK.replace("17", "23").replace("0x7f3a", "0x11").replace("step 3", "step 9")
    assert retries.signature(TRACEBACK.splitlines(), "FAILED") == retries.signature(other.splitlines(), "FAILED")


def test_two_errors_are_told_apart() -> None:
    other = TRACEBACK.replace("ValueError: got 17 columns", "KeyError: 'messages'")
    assert retries.signature(TRACEBACK.splitlines(), "FAILED") != retries.signature(other.splitlines(), "FAILED")
    assert retries.signature(TRACEBACK.splitlines(), "FAILED") != retries.signature(TRACEBACK.splitlines(), "TIMEOUT")


def test_a_failure_without_a_log_has_a_signature() -> None:
    assert retries.signature([], "LOST") == "LOST: "


@pytest.mark.parametrize(
    ("diagnosis", "reason"),
    [
        (analysis("divergence_nan"), None),
        (analysis("no_such_category"), "refused"),
        (analysis("divergence_nan", scopeChange=True), "scope_change"),
        (analysis("divergence_nan", unrecoverable=True), "full_job_unrecoverable"),
        (analysis("wrong_trainer_arg"), "refused"),
        (analysis("wrong_trainer_arg", recheckedDocs=["https://example.org/docs"]), None),
        (analysis("auth_or_gated"), "gated_access"),
        (analysis("billing_or_quota"), "billing_required"),
        (analysis("resource_not_found"), "resource_unavailable"),
        (analysis("oom"), "refused"),
        (analysis("oom", oomLadderRung=1), None),
        (analysis("oom", oomLadderRung=2), "refused"),
        (analysis("node_or_network_transient"), None),
        (analysis("timeout"), None),
    ],
)
def test_a_first_failure_is_answered_by_its_category(diagnosis: dict[str, Any], reason: str | None) -> None:
    assert judged(diagnosis) == reason


def test_the_same_error_twice_stops() -> None:
    assert judged(analysis("unknown"), failure()) == "full_job_same_error"
    assert judged(analysis("unknown"), failure("FAILED: KeyError: y")) is None


def test_the_last_attempt_stops() -> None:
    earlier = failure("one"), failure("two")
    assert judged(analysis("unknown"), *earlier, now=failure("three")) == "full_job_retries_exhausted"


def test_one_repeat_without_a_change_is_granted_and_no_second() -> None:
    first = failure("NODE_FAIL: ", "node_or_network_transient")
    assert judged(analysis("node_or_network_transient"), first, now=failure("CANCELED: reset")) == "refused"


def test_the_ladder_is_climbed_in_order_and_ends() -> None:
    climbed = [failure("OOM: ", "oom", rung) for rung in (1, 2, 3)]
    assert judged(analysis("oom", oomLadderRung=2), *climbed[:1]) is None
    assert judged(analysis("oom", oomLadderRung=1), *climbed[:1]) == "refused"
    assert judged(analysis("oom", oomLadderRung=3), *climbed[:2]) is None
    assert judged(analysis("oom", oomLadderRung=3), *climbed) == "full_job_unrecoverable"


@given(
    st.sampled_from([*BY_NAME, "other"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 5),
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from([*BY_NAME]), st.integers(0, 3)), max_size=6),
    st.integers(1, 4),
)
def test_every_answer_is_a_grant_a_refusal_or_a_stop_that_a_person_can_read(
    category: str, scope: bool, unrecoverable: bool, rung: int, past: list[tuple[str, str, int]], most: int
) -> None:
    diagnosis = analysis(category, scopeChange=scope, unrecoverable=unrecoverable, oomLadderRung=rung)
    earlier = [Failure(sign, "b" * 64, of, reached) for sign, of, reached in past]
    answer = retries.judge("cpu_smoke", failure(), diagnosis, earlier, most)
    assert answer.is_granted or answer.reason == "refused" or answer.reason in STOPS
    assert not (answer.is_granted and (scope or unrecoverable))
    assert answer.is_granted or answer.what


def test_every_category_that_stops_names_a_known_reason() -> None:
    assert {category.stops for category in CATEGORIES} - {None} <= {*STOPS}
    assert len(BY_NAME) == len(CATEGORIES)
