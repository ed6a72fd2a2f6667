"""The decision rule's parts, against values from other software and cases worked by hand."""

from __future__ import annotations

import math
import random

import pytest

from mlresearch import stats
from mlresearch.errors import GateError, UsageError

DF = (1, 2, 3, 4, 6, 7, 10, 25, 29, 100, 1000)
# scipy.stats.t.ppf(p, df) of scipy 1.17.1, one column for each DF
QUANTILES = {
    0.6: "0.324919696 0.288675135 0.276670662 0.270722295 0.264834533 0.263166861 0.260184829 "
    "0.256059685 0.255683635 0.254022182 0.253414516 ",
    0.9: "3.077683537 1.885618083 1.637744354 1.533206274 1.439755747 1.414923928 1.372183641 "
    "1.316345073 1.311433647 1.290074761 1.282398721 ",
    0.95: "6.313751515 2.91998558 2.353363435 2.131846786 1.943180281 1.894578605 1.812461123 "
    "1.708140761 1.699127027 1.660234326 1.646378817 ",
    0.975: "12.706204736 4.30265273 3.182446305 2.776445105 2.446911851 2.364624252 2.228138852 "
    "2.059538553 2.045229642 1.983971519 1.962339081 ",
    0.98: "15.894544844 4.848732214 3.48190876 2.998527873 2.612241847 2.516752424 2.359314624 "
    "2.166586634 2.150325088 2.080883901 2.056431381 ",
    0.99: "31.820515954 6.964556734 4.540702859 3.746947388 3.142668403 2.997951567 2.763769458 "
    "2.485107175 2.46202136 2.364217366 2.330082675 ",
    0.995: "63.656741163 9.924843201 5.84090931 4.604094871 3.707428021 3.499483297 3.169272673 "
    "2.787435814 2.756385904 2.625890521 2.580754698 ",
    0.9995: "636.619248769 31.599054576 12.923978637 8.610301581 5.958816179 5.407882521 4.586893859 "
    "3.72514395 3.659405019 3.390491311 3.300282648 ",
}
TABLE = [(p, df, float(t)) for p, row in QUANTILES.items() for df, t in zip(DF, row.split(), strict=True)]


def test_the_quantile_table_is_whole() -> None:
    assert len(TABLE) == len(QUANTILES) * len(DF) == 88


@pytest.mark.parametrize(("p", "df", "expected"), TABLE)
def test_quantiles_agree_with_scipy(p: float, df: int, expected: float) -> None:
    assert stats.t_quantile(p, df) == pytest.approx(expected, abs=1e-6)
    assert stats.t_quantile(1 - p, df) == pytest.approx(-expected, rel=1e-6)
    assert stats.t_cdf(expected, df) == pytest.approx(p, abs=1e-8)


def test_the_median_of_t_is_zero() -> None:
    assert stats.t_quantile(0.5, 4) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
def test_a_probability_without_a_quantile_is_refused(p: float) -> None:
    with pytest.raises(UsageError, match="probability"):
        stats.t_quantile(p, 4)


def test_no_degrees_of_freedom_are_refused() -> None:
    with pytest.raises(UsageError, match="degrees"):
        stats.t_quantile(0.95, 0)


def test_noise_is_the_sample_standard_deviation() -> None:
    assert stats.noise([1, 2, 3, 4, 5]) == pytest.approx(math.sqrt(2.5))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        pytest.param([0.91, 0.92], "2 values", id="too few"),
        pytest.param([], "0 values", id="none"),
        pytest.param([0.9, math.nan, 0.8], "nan", id="nan"),
        pytest.param([0.9, math.inf, 0.8], "inf", id="infinite"),
        pytest.param([0.9, 0.9, 0.9], "seed is not wired.*0.9, 0.9, 0.9", id="identical"),
    ],
)
def test_a_baseline_that_measures_no_noise_is_refused(values: list[float], word: str) -> None:
    with pytest.raises(GateError, match=word) as refused:
        stats.noise(values)
    assert refused.value.allowed and refused.value.next_step


@pytest.mark.parametrize(
    ("value", "direction", "expected"),
    [
        pytest.param(0.961, "maximize", True, id="above the screen"),
        pytest.param(0.959, "maximize", False, id="below the screen"),
        pytest.param(0.939, "minimize", True, id="lower is better"),
        pytest.param(0.961, "minimize", False, id="higher is worse"),
        pytest.param(0.95, "maximize", False, id="no gain"),
    ],
)
def test_a_candidate_beats_the_incumbent_by_the_screen(value: float, direction: str, expected: bool) -> None:
    assert stats.screen(value, 0.95, 0.02, 0.5, direction) is expected


def test_exactly_the_screen_is_no_candidate() -> None:
    assert not stats.screen(3.0, 2.0, 1.0, 1.0, "maximize")


def test_a_value_that_is_not_finite_is_not_screened() -> None:
    with pytest.raises(GateError, match="nan"):
        stats.screen(math.nan, 0.95, 0.02, 0.5, "maximize")


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(UsageError, match="upwards"):
        stats.screen(1.0, 0.0, 1.0, 1.0, "upwards")


def test_confirmation_is_a_pooled_t_test() -> None:
    # scipy.stats.ttest_ind([12, 14, 13], [10, 11, 9, 10, 10]): t = 5.0312 at 6 degrees of freedom
    verdict = stats.confirm([12, 14, 13], [10, 11, 9, 10, 10], [], "maximize", alpha=0.025)
    assert verdict.gain == pytest.approx(3)
    assert verdict.gain / verdict.standard_error == pytest.approx(5.0311529)
    assert verdict.df == 6
    assert verdict.critical == pytest.approx(2.446911851, abs=1e-6)
    assert verdict.confirmed


def test_the_interval_holds_zero_exactly_when_the_test_fails() -> None:
    random.seed(5)
    seen = set()
    for _ in range(200):
        candidate = [random.gauss(1.5, 1) for _ in range(3)]
        verdict = stats.confirm(candidate, [random.gauss(0, 1) for _ in range(5)], [], "maximize")
        assert verdict.confirmed is (verdict.interval[0] > 0)
        seen.add(verdict.confirmed)
    assert seen == {True, False}


def test_both_directions_give_the_same_verdict_on_mirrored_values() -> None:
    candidate, reference = [0.31, 0.30, 0.33], [0.40, 0.42, 0.39, 0.41, 0.40]
    down = stats.confirm(candidate, reference, [], "minimize")
    up = stats.confirm([-x for x in candidate], [-x for x in reference], [], "maximize")
    assert down == up
    assert down.confirmed and down.gain > 0


def test_a_gain_below_the_least_effect_is_not_confirmed() -> None:
    sure: tuple[list[float], list[float], list[list[float]]] = (
        [1.01, 1.011, 1.012],
        [1.0, 1.001, 0.999, 1.0, 1.0],
        [],
    )
    assert stats.confirm(*sure, "maximize").confirmed
    assert not stats.confirm(*sure, "maximize", min_effect=0.05).confirmed


def test_a_worse_change_is_not_confirmed_by_a_negative_least_effect() -> None:
    worse = stats.confirm([0.5, 0.51, 0.52], [0.9, 0.91, 0.92], [], "maximize", min_effect=-1.0)
    assert not worse.confirmed


def test_other_groups_add_degrees_of_freedom() -> None:
    verdict = stats.confirm([3, 4, 5], [1, 2, 3], [[1, 2, 3, 4, 5]], "maximize")
    assert verdict.df == 2 + 2 + 4


def test_a_baseline_that_is_also_the_reference_counts_once() -> None:
    baseline = [1, 2, 3, 4, 5]
    assert stats.confirm([3, 4, 5], baseline, [tuple(baseline)], "maximize").df == 2 + 4


def test_quiet_fresh_runs_borrow_the_noise_of_the_baseline() -> None:
    # a coarse metric often gives the same value three times; that alone must not make any gain certain
    verdict = stats.confirm([0.95, 0.95, 0.95], [0.94, 0.96, 0.95, 0.93, 0.95], [], "maximize")
    assert verdict.standard_error > 0
    assert not verdict.confirmed


@pytest.mark.parametrize("size", [2, 3, 5, 7, 11])
def test_groups_without_any_noise_are_not_judged(size: int) -> None:
    with pytest.raises(GateError, match="no group of runs shows any noise"):
        stats.confirm([0.1] * size, [0.3] * size, [], "minimize")


@pytest.mark.parametrize(
    ("candidate", "reference"),
    [
        pytest.param([0.9], [0.8, 0.9, 0.7], id="one fresh run"),
        pytest.param([], [0.8, 0.9, 0.7], id="no fresh run"),
        pytest.param([0.9, 0.8], [0.8], id="one reference run"),
        pytest.param([0.9, math.nan], [0.8, 0.9], id="a fresh run that diverged"),
    ],
)
def test_groups_too_small_or_not_finite_are_refused(candidate: list[float], reference: list[float]) -> None:
    with pytest.raises(GateError):
        stats.confirm(candidate, reference, [], "maximize")


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        pytest.param([1, 2, 3, 4, 5], 1 / 32, id="all better"),
        pytest.param([-1, -2, -3, -4, -5], 1.0, id="all worse"),
        pytest.param([-1, 2, 3, 4, 5], 2 / 32, id="the smallest is worse"),
        pytest.param([0, 0, 0, 0, 0], 1.0, id="no difference"),
        pytest.param([0.1, 0.2, 0.3, 0.1, 0.2, -0.1], 4 / 64, id="ties that rounding would split"),
    ],
)
def test_the_sign_flip_test_is_exact(differences: list[float], p: float) -> None:
    assert stats.paired_sign_flip(differences) == pytest.approx(p)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_few_pairs_are_told_how_many_it_takes(count: int) -> None:
    with pytest.raises(GateError, match="needs 5 pairs"):
        stats.paired_sign_flip([0.1] * count)


def test_the_smallest_p_of_three_pairs_is_named() -> None:
    with pytest.raises(GateError, match=r"0\.125"):
        stats.paired_sign_flip([1, 1, 1])


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(GateError, match="at most 16"):
        stats.paired_sign_flip([0.1] * 17)


def test_the_interval_of_a_mean_is_students() -> None:
    # scipy.stats.t.interval(0.95, 4, loc=3, scale=sqrt(0.5))
    assert stats.interval([1, 2, 3, 4, 5]) == pytest.approx((1.0367568385, 4.9632431615))
    assert stats.mean([1, 2, 3, 4, 5]) == 3


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_that_is_no_share_is_refused(confidence: float) -> None:
    with pytest.raises(UsageError, match="share"):
        stats.interval([1, 2, 3], confidence)


@pytest.mark.parametrize("values", [[], [math.nan]], ids=["none", "nan"])
def test_no_mean_of_nothing(values: list[float]) -> None:
    with pytest.raises(GateError):
        stats.mean(values)
