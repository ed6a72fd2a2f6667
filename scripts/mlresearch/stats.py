"""The decision rule: what counts as better, given that a seed alone moves the metric.

Owns the noise floor, the screen, the confirmation test and the intervals that a report shows. Pure: values
in, verdict out. Refuses to judge what it cannot know (too few seeds, identical seeds, values that are not
finite) and never lets the value that made a change look good take part in confirming it.

The defaults were chosen by simulating campaigns of changes without any effect, screened and confirmed
against a moving incumbent with the functions below (noise unknown; normal and discrete metrics). With 5
baseline seeds, 3 confirmation seeds, a screen of 0.5 and ALPHA 0.02, 3.6 % of null candidates are confirmed
in the worst place (the first change of a campaign) and 2.3 % over 15 changes; a change worth 4 noise units
is confirmed in 99 %, 3 in 89 %, 2 in 54 %. The false share grows with the screen, since screen and test
share a reference: 4.6 % at a screen of 1, but 6.2 % at 1.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlresearch.errors import GateError, UsageError

BASELINE_SEEDS = 5
CONFIRM_SEEDS = 3
SCREEN = 0.5
ALPHA = 0.02

FEWEST_BASELINE_SEEDS = 3
# five pairs are the fewest whose best case, 1/32, passes 5 %; sixteen are 65,536 sign patterns: 0.01 s
FEWEST_PAIRS = 5
MOST_PAIRS = 16
SIGNS = {"maximize": 1.0, "minimize": -1.0}


@dataclass(frozen=True)
class Verdict:
    """Confirmed when `gain >= min_effect` and `gain > critical * standard_error`.

    A positive gain is better in either direction. `interval` is `gain +- critical * standard_error`:
    two-sided at `1 - 2 * alpha`, so a change that the test confirms never shows an interval that holds zero.
    """

    confirmed: bool
    gain: float
    standard_error: float
    critical: float
    df: int
    interval: tuple[float, float]


def noise(baseline: Sequence[float]) -> float:
    """Sample standard deviation over the baseline's seeds: one noise unit.

    Raises GateError below three seeds, on a value that is not finite, and when all values are identical: a
    seed that changes nothing measures no noise.
    """
    _finite(baseline, "baseline", FEWEST_BASELINE_SEEDS)
    if len(set(baseline)) == 1:
        raise GateError(
            f"the seed is not wired: {len(baseline)} baseline seeds gave {', '.join(map(repr, baseline))}",
            "baseline runs whose values differ with the seed",
            "pass the seed flag on to every random generator of the script, then measure the baseline again",
        )
    return math.sqrt(_squares(baseline) / (len(baseline) - 1))


def gain_of(value: float, reference: float, direction: str) -> float:
    """How much better `value` is; positive is better in either direction."""
    if direction not in SIGNS:
        raise UsageError(f"direction {direction!r} is unknown", "minimize, maximize")
    return (value - reference) * SIGNS[direction]


def screen(value: float, incumbent_mean: float, sigma: float, screen: float, direction: str) -> bool:
    """Whether one run is a candidate: more than `screen` noise units better than the incumbent."""
    _finite((value, incumbent_mean, sigma, screen), "screen")
    return gain_of(value, incumbent_mean, direction) > screen * sigma


def confirm(
    candidate: Sequence[float],
    reference: Sequence[float],
    pooled: Sequence[Sequence[float]],
    direction: str,
    min_effect: float = 0.0,
    alpha: float = ALPHA,
) -> Verdict:
    """One-sided t test of fresh candidate runs against the incumbent's, variance pooled over all groups.

    `reference` holds the incumbent's own confirmation runs, or the baseline's seeds. `pooled` adds groups of
    the same noise, usually the baseline; a group that is equal to the reference is not counted twice. Raises
    GateError when a group is too small or not finite, or when no group shows any noise.
    """
    _finite((min_effect,), "min_effect")
    gain = gain_of(mean(candidate), mean(reference), direction)
    variance, df = _pooled_variance(candidate, reference, pooled)
    error = math.sqrt(variance * (1 / len(candidate) + 1 / len(reference)))
    critical = t_quantile(1 - alpha, df)
    half = critical * error
    return Verdict(gain >= min_effect and gain > half, gain, error, critical, df, (gain - half, gain + half))


def _pooled_variance(
    candidate: Sequence[float], reference: Sequence[float], pooled: Sequence[Sequence[float]]
) -> tuple[float, int]:
    groups = [candidate, reference, *(group for group in pooled if list(group) != list(reference))]
    for group in groups:
        _finite(group, "group of runs", 2)
    # asked of the values, not of the variance: the mean of equal floats can be off by one rounding
    if all(len(set(group)) == 1 for group in groups):
        raise GateError(
            "no group of runs shows any noise, so no gain can be judged",
            "at least one group whose values differ with the seed",
            "measure the baseline on more seeds",
        )
    df = sum(len(group) - 1 for group in groups)
    return math.fsum(_squares(group) for group in groups) / df, df


def paired_sign_flip(differences: Sequence[float]) -> float:
    """Exact one-sided p: the share of sign patterns whose sum is at least the observed one.

    Differences are gains (positive is better), one a seed that both arms share. Raises GateError below five
    pairs, where even the best outcome cannot reach 5 %, and above sixteen.
    """
    if len(differences) < FEWEST_PAIRS:
        raise GateError(
            f"{len(differences)} pairs can not decide: their smallest p is {0.5 ** len(differences):g}",
            f"needs {FEWEST_PAIRS} pairs",
            "run both arms on more shared seeds",
        )
    if len(differences) > MOST_PAIRS:
        raise GateError(f"{len(differences)} pairs are too many to enumerate", f"at most {MOST_PAIRS} pairs")
    _finite(differences, "paired differences")
    # sums that are equal but for rounding must count as equal, or p comes out too small
    observed = math.fsum(differences) - 1e-9 * math.fsum(map(abs, differences))
    reached = sum(total >= observed for total in _signed_sums(differences))
    return float(reached / 2 ** len(differences))


def _signed_sums(differences: Sequence[float]) -> list[float]:
    sums = [0.0]
    for difference in differences:
        sums = [total + signed for total in sums for signed in (difference, -difference)]
    return sums


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; raises GateError for none, or for one that is not finite."""
    _finite(values, "values")
    return math.fsum(values) / len(values)


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided t interval of the mean; needs two values."""
    _finite(values, "values", 2)
    if not 0 < confidence < 1:
        raise UsageError(f"confidence {confidence!r} is no share", "above 0 and below 1")
    n = len(values)
    half = t_quantile(0.5 + confidence / 2, n - 1) * math.sqrt(_squares(values) / (n - 1) / n)
    middle = mean(values)
    return middle - half, middle + half


def t_cdf(t: float, df: int) -> float:
    """Student's distribution function for whole degrees of freedom, by its finite trigonometric series."""
    if df < 1:
        raise UsageError(f"{df} degrees of freedom", "1 or more")
    angle = math.atan(abs(t) / math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    term = total = (cosine if df > 1 else 0.0) if odd else 1.0
    for k in range(2 + odd, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + math.copysign(inside / 2, t)


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """The t that Student's distribution stays below with probability `p`, to 1e-6 for p in 0.001 .. 0.999."""
    if not 0 < p < 1:
        raise UsageError(f"probability {p!r} has no quantile", "above 0 and below 1")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def _squares(values: Sequence[float]) -> float:
    middle = math.fsum(values) / len(values)
    return math.fsum((value - middle) ** 2 for value in values)


def _finite(values: Sequence[float], name: str, fewest: int = 1) -> None:
    if len(values) < fewest:
        raise GateError(f"{name} has {len(values)} values", f"{fewest} or more", "measure it on more seeds")
    bad = [value for value in values if not math.isfinite(value)]
    if bad:
        raise GateError(f"{name} holds {bad[0]!r}", "finite numbers", "look into the log of that run")
