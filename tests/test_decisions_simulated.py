"""Campaigns of changes whose true effect is known, judged by the shipped rule: how often is it wrong?

A null candidate is a change without any effect whose one screening run passed the screen. Run this file as a
script (with `scripts` on the path) to print the table behind the defaults of `mlresearch.stats`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mlresearch import stats
from mlresearch.errors import GateError

# one training run: (random generator, true effect in noise units) -> measured metric, higher is better
Draw = Callable[[random.Random, float], float]

TEST_IMAGES = 360
ACCURACY = 0.85
BINOMIAL_SD = math.sqrt(ACCURACY * (1 - ACCURACY) / TEST_IMAGES)
COARSE_SD = 0.7


def normal(rng: random.Random, effect: float) -> float:
    return rng.gauss(effect, 1.0)


def binomial(rng: random.Random, effect: float) -> float:
    """Accuracy on 360 images, each right or wrong by its own coin."""
    chance = ACCURACY + effect * BINOMIAL_SD
    return sum(rng.random() < chance for _ in range(TEST_IMAGES)) / TEST_IMAGES


def coarse(rng: random.Random, effect: float) -> float:
    """Accuracy that moves by one image or two between seeds: most values are tied."""
    return (342 + round(rng.gauss(0.3 + effect * COARSE_SD, COARSE_SD))) / TEST_IMAGES


@dataclass(frozen=True)
class Rule:
    baseline_seeds: int = stats.BASELINE_SEEDS
    confirm_seeds: int = stats.CONFIRM_SEEDS
    screen: float = stats.SCREEN
    alpha: float = stats.ALPHA


@dataclass
class Tally:
    experiments: int = 0
    candidates: int = 0
    confirmed: int = 0
    campaigns: int = 0
    fooled: int = 0

    @property
    def false_rate(self) -> float:
        return self.confirmed / self.candidates

    @property
    def upper_bound(self) -> float:
        """95 % upper bound of the false rate (Wilson)."""
        z, n, p = 1.645, self.candidates, self.false_rate
        spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (p + z * z / (2 * n) + spread) / (1 + z * z / n)


def measured_baseline(rng: random.Random, draw: Draw, seeds: int) -> tuple[list[float], float]:
    """A baseline that `noise` accepts; a coarse metric may need another try."""
    while True:
        values = [draw(rng, 0.0) for _ in range(seeds)]
        try:
            return values, stats.noise(values)
        except GateError:
            continue


def campaign(rng: random.Random, draw: Draw, effects: list[float], rule: Rule, tally: Tally) -> None:
    """Screen and confirm one change after the other; a confirmed one becomes the incumbent."""
    baseline, sigma = measured_baseline(rng, draw, rule.baseline_seeds)
    reference, confirmed = baseline, 0
    for effect in effects:
        tally.experiments += 1
        value = draw(rng, effect)
        if not stats.screen(value, stats.mean(reference), sigma, rule.screen, "maximize"):
            continue
        tally.candidates += 1
        fresh = [draw(rng, effect) for _ in range(rule.confirm_seeds)]
        verdict = stats.confirm(fresh, reference, [baseline], "maximize", alpha=rule.alpha)
        if verdict.confirmed:
            reference, confirmed = fresh, confirmed + 1
    tally.confirmed += confirmed
    tally.campaigns += 1
    tally.fooled += confirmed > 0


def nulls(draw: Draw, changes: int, candidates: int, rule: Rule, seed: int) -> Tally:
    """Campaigns of `changes` null changes each, until so many null candidates were judged."""
    rng, tally = random.Random(seed), Tally()
    while tally.candidates < candidates:
        campaign(rng, draw, [0.0] * changes, rule, tally)
    return tally


def power(draw: Draw, effect: float, levers: int, rule: Rule, seed: int) -> float:
    """Share of real levers that are confirmed, each the first change of its own campaign."""
    rng, tally = random.Random(seed), Tally()
    for _ in range(levers):
        campaign(rng, draw, [effect], rule, tally)
    return tally.confirmed / tally.experiments


@pytest.mark.parametrize(
    ("draw", "changes", "candidates"),
    [
        pytest.param(normal, 1, 10000, id="normal, first change"),
        pytest.param(normal, 15, 10000, id="normal, 15 changes"),
        pytest.param(binomial, 15, 2000, id="accuracy on 360 images, 15 changes"),
        pytest.param(coarse, 1, 4000, id="tied values, first change"),
        pytest.param(coarse, 15, 4000, id="tied values, 15 changes"),
    ],
)
def test_at_most_five_percent_of_null_candidates_are_confirmed(draw: Draw, changes: int, candidates: int) -> None:
    tally = nulls(draw, changes, candidates, Rule(), seed=11)
    assert tally.candidates >= 2000
    assert tally.confirmed > 0
    assert tally.upper_bound <= 0.05


@pytest.mark.parametrize(
    ("draw", "levers"),
    [
        pytest.param(normal, 3000, id="normal"),
        pytest.param(binomial, 1000, id="accuracy on 360 images"),
        pytest.param(coarse, 3000, id="tied values"),
    ],
)
def test_a_lever_of_four_noise_units_is_confirmed_nine_times_in_ten(draw: Draw, levers: int) -> None:
    assert power(draw, 4.0, levers, Rule(), seed=12) >= 0.9


def test_power_grows_with_the_lever() -> None:
    small, middle, large = (power(normal, effect, 1500, Rule(), seed=13) for effect in (2.0, 3.0, 4.0))
    assert 0.45 < small < middle < large
    assert middle > 0.85


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(Rule(alpha=0.1), id="a lenient test"),
        pytest.param(Rule(screen=2.0), id="a screen that selects unlucky references"),
    ],
)
def test_the_simulation_can_tell_a_rule_that_confirms_too_much(rule: Rule) -> None:
    assert nulls(normal, 1, 2000, rule, seed=14).false_rate > 0.05


def table_row(rule: Rule, candidates: int, levers: int) -> str:
    first = nulls(normal, 1, candidates, rule, seed=21)
    whole = nulls(normal, 15, candidates, rule, seed=22)
    shares = [
        first.false_rate,
        whole.false_rate,
        whole.confirmed / whole.experiments,
        whole.fooled / whole.campaigns,
        whole.candidates / whole.experiments,
        *(power(normal, effect, levers, rule, seed=23) for effect in (2.0, 3.0, 4.0)),
    ]
    cells = [str(rule.baseline_seeds), str(rule.confirm_seeds), *(f"{share:.3f}" for share in shares)]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(f"screen {stats.SCREEN}, alpha {stats.ALPHA}, normal noise. False confirmed per null candidate as the")
    print("first change of a campaign, then per candidate, change and campaign of 15; power at 2, 3, 4 units.")
    print("| baseline | confirm | first | candidate | change | campaign | screened | 2 | 3 | 4 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seeds in [(3, 2), (3, 3), (4, 2), (4, 3), (5, 2), (5, 3), (5, 4), (6, 3), (8, 3)]:
        print(table_row(Rule(*seeds), candidates=8000, levers=8000))
