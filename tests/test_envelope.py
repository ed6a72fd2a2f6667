"""The envelope: no sequence of jobs passes any limit, and whatever can not be judged does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch.envelope import Envelope, Request, Spent, check, left, repo_allowed

LIMITS: dict[str, Any] = {
    "backends": ["local", "hf"],
    "max_usd_micro": 10_000_000,
    "max_jobs": 10,
    "max_walltime_s": 36_000,
    "max_gpu_s": None,
    "max_parallel": 2,
    "allowed_flavors": ["cpu", "t4-small"],
    "max_timeout_s": 3600,
    "output_repos": ["me/model-*"],
    "allow_deletes": False,
    "reserve_final": 0.1,
    "deadline": 100_000.0,
    "programs": [],
}
NOW = 50_000.0


def request(**changes: Any) -> Request:
    plain = {"backend": "hf", "flavor": "cpu", "timeout_s": 600, "reserved_s": 600, "ceiling_micro": 100_000}
    return Request(**{**plain, **changes})


def breached(limits: dict[str, Any], spent: Spent, asked: Request, now: float = NOW) -> set[str]:
    return {breach.limit for breach in check(Envelope(limits), spent, asked, now)}


def test_a_job_inside_every_limit_fits() -> None:
    assert breached(LIMITS, Spent(), request()) == set()


PASSED: dict[str, tuple[Spent, Request, set[str]]] = {
    "another backend": (Spent(), request(backend="slurm"), {"backends"}),
    "another flavor": (Spent(), request(flavor="a100"), {"allowed_flavors"}),
    "timeout": (Spent(), request(timeout_s=3601), {"max_timeout"}),
    "no timeout": (Spent(), request(timeout_s=0), {"max_timeout"}),
    "negative timeout": (Spent(), request(timeout_s=-1), {"max_timeout"}),
    "money": (Spent(micro=8_900_001), request(), {"max_usd"}),
    "time": (Spent(seconds=31_801), request(), {"max_walltime"}),
    "jobs": (Spent(jobs=9), request(), {"max_jobs"}),
    "a negative price": (Spent(), request(ceiling_micro=-1), {"max_usd"}),
    "a negative duration": (Spent(), request(reserved_s=-1), {"max_walltime"}),
    "places": (Spent(open_jobs=2), request(), {"max_parallel"}),
    "several at once": (
        Spent(jobs=9, open_jobs=2),
        request(flavor="x"),
        {"allowed_flavors", "max_jobs", "max_parallel"},
    ),
}


@pytest.mark.parametrize(("spent", "asked", "limits"), PASSED.values(), ids=PASSED)
def test_every_limit_that_a_job_passes_is_told(spent: Spent, asked: Request, limits: set[str]) -> None:
    assert breached(LIMITS, spent, asked) == limits


FITS: dict[str, tuple[Spent, Request]] = {
    "money to the last micro-dollar": (Spent(micro=8_900_000), request()),
    "time to the last second": (Spent(seconds=31_800), request()),
    "the last job": (Spent(jobs=8), request()),
    "timeout": (Spent(), request(timeout_s=3600)),
    "the kept share, in the end": (Spent(micro=9_900_000, jobs=9, seconds=35_400), request(final=True)),
}


@pytest.mark.parametrize(("spent", "asked"), FITS.values(), ids=FITS)
def test_a_limit_itself_may_be_reached(spent: Spent, asked: Request) -> None:
    assert breached(LIMITS, spent, asked) == set()


@pytest.mark.parametrize(("now", "fits"), [(99_400.0, True), (99_401.0, False), (200_000.0, False)])
def test_a_job_must_end_before_the_deadline(now: float, fits: bool) -> None:
    assert (breached(LIMITS, Spent(), request(), now) == set()) == fits


def test_only_a_full_queue_means_wait() -> None:
    asked = request(backend="x", flavor="x", timeout_s=9999, reserved_s=99999, ceiling_micro=10**9)
    breaches = check(Envelope(LIMITS), Spent(jobs=99, open_jobs=99), asked, NOW)
    assert len(breaches) == 8
    assert {breach.limit for breach in breaches if not breach.terminal} == {"max_parallel"}


def test_a_breach_tells_what_was_asked_and_what_is_left() -> None:
    (breach,) = check(Envelope(LIMITS), Spent(micro=8_950_000), request(), NOW)
    assert str(breach) == (
        "max_usd: asked $0.10, $0.05 left of $9.00 ($1.00 of $10.00 is kept for the final evaluation)"
    )


def test_gpu_hours_that_nobody_counts_allow_nothing() -> None:
    assert breached({**LIMITS, "max_gpu_s": 10**9}, Spent(), request()) == {"max_gpu_hours"}


@pytest.mark.parametrize("key", ["backends", "allowed_flavors"])
def test_an_empty_list_allows_nothing(key: str) -> None:
    assert breached({**LIMITS, key: []}, Spent(), request()) == {key}


def test_nothing_left_is_shown_as_zero() -> None:
    assert left(Envelope(LIMITS), Spent(jobs=99, seconds=10**6, micro=10**9)) == "0 jobs, 0s of job time, $0.00"


@pytest.mark.parametrize(
    ("jobs", "share", "usable"), [(5, 0.8, 1), (10, 0.9, 1), (10, 0.7, 3), (3, 0.5, 1), (1, 0.1, 0)]
)
def test_a_share_is_kept_to_the_job_and_not_to_a_float(jobs: int, share: float, usable: int) -> None:
    limits = {**LIMITS, "max_jobs": jobs, "reserve_final": share, "max_usd_micro": 10**12, "max_walltime_s": 10**9}
    assert [breached(limits, Spent(jobs=used), request()) == set() for used in range(jobs)] == [
        used < usable for used in range(jobs)
    ]


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_that_is_missing_has_no_default(key: str) -> None:
    with pytest.raises(KeyError):
        Envelope({name: value for name, value in LIMITS.items() if name != key})


STRANGE_VALUES: dict[str, list[Any]] = {
    "max_jobs": ["10", 10.0, -1, None, True, float("nan"), [10]],
    "max_usd_micro": ["10", 1.5, -1, None, float("inf")],
    "max_walltime_s": ["4h", -1, None],
    "max_gpu_s": [-1, "x", 1.5],
    "max_parallel": [None, "2"],
    "max_timeout_s": [None, 0.5],
    "reserve_final": [-0.1, 1.1, "0.1", None, True, float("nan")],
    "deadline": [float("nan"), float("inf"), -1, "2099", True],
    "backends": ["local", None, [1], {"local": 1}],
    "allowed_flavors": ["cpu", ("cpu",)],
    "output_repos": ["me/x", None],
    "programs": ["git", None],
}
STRANGE = [(key, value) for key, values in STRANGE_VALUES.items() for value in values]


@pytest.mark.parametrize(("key", "value"), STRANGE, ids=[f"{key}={value!r}" for key, value in STRANGE])
def test_a_strange_limit_is_refused_and_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        Envelope({**LIMITS, key: value})


@pytest.mark.parametrize("value", [1, "true", "yes", None, [True]])
def test_only_true_allows_deletes(value: object) -> None:
    assert not Envelope({**LIMITS, "allow_deletes": value}).allow_deletes


REPOS = [
    ("me/model", "me/model", True),
    ("me/model", "me/model2", False),
    ("me/model", "Me/model", False),
    ("me/model", "model", False),
    ("me/model", "me/model/x", False),
    ("me/model", "me//model", False),
    ("me/*", "me/anything", True),
    ("me/*", "you/anything", False),
    ("me/*", "me/", False),
    ("me/*", "me/..", False),
    ("me/*", "me/a/b", False),
    ("me/*", "/me", False),
    ("me/a-*", "me/a-", True),
    ("me/a-*", "me/a", False),
    ("me/*-lora", "me/x-lora", True),
    ("me/*-lora", "me/-lora", True),
    ("me/*-lora", "me/lora", False),
    ("me/a*b*a", "me/aba", True),
    ("me/a*b*a", "me/axbxa", True),
    ("me/a*b*a", "me/ab", False),
    ("me/a*a", "me/a", False),
    ("me/aa*aa", "me/aaa", False),
    ("me/*b*", "me/abc", True),
    ("me/**", "me/abc", True),
    ("me/*a*b*c*", "me/xaybzc", True),
    ("me/*a*b*c*", "me/xbyazc", False),
    ("me/x.y", "me/xzy", False),
    ("me/[ab]", "me/a", False),
    ("me/?", "me/a", False),
    ("*/x", "you/x", False),
    ("*", "x", False),
    ("", "", False),
    ("/", "/", False),
]


@pytest.mark.parametrize(("pattern", "repo", "allowed"), REPOS, ids=[f"{p} {r}" for p, r, _ in REPOS])
def test_a_star_stands_for_any_part_of_a_name_and_never_of_an_owner(pattern: str, repo: str, allowed: bool) -> None:
    assert repo_allowed(Envelope({**LIMITS, "output_repos": [pattern]}), repo) is allowed


@given(st.text("ab", max_size=6), st.lists(st.text("ab*", min_size=1, max_size=5), max_size=2))
def test_a_pattern_matches_as_its_regular_expression_does(name: str, patterns: list[str]) -> None:
    import re

    wanted = bool(name) and any(re.fullmatch(pattern.replace("*", ".*"), name) for pattern in patterns)
    limits = {**LIMITS, "output_repos": [f"me/{pattern}" for pattern in patterns]}
    assert repo_allowed(Envelope(limits), f"me/{name}") == wanted


COUNTS = st.integers(0, 40)
JOBS = st.tuples(st.integers(1, 30), st.integers(0, 30), st.booleans(), st.floats(0, 1))


@given(
    limits=st.fixed_dictionaries({"max_jobs": COUNTS, "max_walltime_s": COUNTS, "max_usd_micro": COUNTS}),
    share=st.sampled_from([0, 0.1, 0.25, 0.8, 1]),
    steps=st.lists(st.one_of(JOBS, st.integers(0, 5)), max_size=60),
)
def test_no_sequence_of_jobs_passes_any_limit(
    limits: dict[str, int], share: float, steps: list[tuple[int, int, bool, float] | int]
) -> None:
    """A tuple asks for a job (seconds, price, final, share of it used in the end); a number ends an open one."""
    envelope = Envelope({**LIMITS, **limits, "reserve_final": share, "max_parallel": 4, "deadline": None})
    ended = Spent()
    held: list[tuple[int, int, float]] = []
    for step in steps:
        if isinstance(step, int):
            if step < len(held):
                seconds, micro, used = held.pop(step)
                ended.seconds, ended.micro = ended.seconds + int(seconds * used), ended.micro + int(micro * used)
            continue
        seconds, micro, final, used = step
        spent = _spent(ended, held)
        asked = request(timeout_s=seconds, reserved_s=seconds, ceiling_micro=micro, final=final)
        if not check(envelope, spent, asked, NOW):
            held.append((seconds, micro, used))
            ended.jobs += 1
        after = _spent(ended, held)
        assert after.jobs <= envelope.max_jobs
        assert after.seconds <= envelope.max_walltime_s
        assert after.micro <= envelope.max_usd_micro
        assert after.open_jobs <= 4


def _spent(ended: Spent, held: list[tuple[int, int, float]]) -> Spent:
    seconds, micro = sum(job[0] for job in held), sum(job[1] for job in held)
    return Spent(ended.jobs, len(held), ended.seconds + seconds, ended.micro + micro)


SPENDING = st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 40_000), st.integers(0, 12_000_000))


@given(SPENDING, SPENDING, st.integers(1, 4000), st.integers(0, 11_000_000), st.booleans())
def test_what_fits_when_more_is_spent_fits_when_less_is(
    one: tuple[int, int, int, int], more: tuple[int, int, int, int], seconds: int, micro: int, final: bool
) -> None:
    asked = request(timeout_s=seconds, reserved_s=seconds, ceiling_micro=micro, final=final)
    less = breached(LIMITS, Spent(*one), asked)
    assert less <= breached(LIMITS, Spent(*(a + b for a, b in zip(one, more, strict=True))), asked)


@given(SPENDING, st.integers(1, 4000), st.integers(0, 11_000_000))
def test_the_final_evaluation_may_spend_at_least_what_others_may(
    spent: tuple[int, int, int, int], seconds: int, micro: int
) -> None:
    asked = {"timeout_s": seconds, "reserved_s": seconds, "ceiling_micro": micro}
    final = breached(LIMITS, Spent(*spent), request(**asked, final=True))
    assert final <= breached(LIMITS, Spent(*spent), request(**asked))
