"""Proposes the next experiment without a model: one lever moved away from the incumbent.

Owns the choice of lever and value (Optuna's TPE underneath, imported only when asked). Keeps no state: the
same history, index and seed give the same proposal, so a killed campaign goes on where it was. Never repeats
a configuration that was tried, and returns None when no lever has an untried value left.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlresearch.errors import UsageError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

Value: TypeAlias = float | int | str | bool
Config: TypeAlias = Mapping[str, Value]

# a lever sees few trials: TPE's own 10 random ones would be the whole campaign
RANDOM_TRIALS = 4
# TPE draws near its best point and may draw a tried value again; after this many draws, values are enumerated
DRAWS = 24


@dataclass(frozen=True)
class Parameter:
    """One lever of the script: `choices` for kind choice, `low` to `high` (both included) for float and int.

    `default` is the script's own value, None when nobody said it.
    """

    flag: str
    kind: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    default: Value | None = None

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise UsageError(f"parameter {self.flag}: {fault[0]}", fault[1], "edit Run: parameters in program.md")

    def _fault(self) -> tuple[str, str] | None:
        if self.kind == "choice":
            return None if self.choices else ("no choices", "a list of one or more values")
        if self.kind not in ("float", "int"):
            return f"kind {self.kind!r} is unknown", "float, int, choice"
        return self._range_fault()

    def _range_fault(self) -> tuple[str, str] | None:
        low, high = self.low, self.high
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low <= high):
            return f"low {low!r} and high {high!r} are no range", "finite numbers, low <= high"
        if self.kind == "int" and not (float(low).is_integer() and float(high).is_integer()):
            return f"low {low!r} and high {high!r} are not whole", "whole numbers for kind int"
        least = 1 if self.kind == "int" else math.ulp(0.0)
        if self.log and low < least:
            return f"low {low!r} has no logarithm to search in", "low above 0 (1 or more for int) with log"
        return None

    @property
    def limits(self) -> tuple[float, float]:
        assert self.low is not None and self.high is not None
        return self.low, self.high


@dataclass(frozen=True)
class Trial:
    """One configuration that was tried; `value` is None when it crashed."""

    config: Config
    value: float | None


def propose(
    parameters: Mapping[str, Parameter],
    history: Sequence[Trial],
    incumbent: Config,
    index: int,
    seed: int,
    direction: str,
) -> dict[str, Value] | None:
    """The incumbent's configuration with exactly one parameter changed, or None when the space is exhausted.

    Levers take turns by `index`; an exhausted one passes its turn on. A key that a configuration lacks
    stands for the script's default. Values are in the caller's direction.
    """
    if direction not in ("minimize", "maximize"):
        raise UsageError(f"direction {direction!r} is unknown", "minimize, maximize")
    names = list(parameters)
    tried = {_key(parameters, config) for config in (incumbent, *(trial.config for trial in history))}

    def new(config: Config) -> bool:
        return _key(parameters, config) not in tried

    for turn in range(len(names)):
        lever = names[(index + turn) % len(names)]
        draws = _draws(lever, parameters[lever], history, f"{seed}/{index}/{lever}", direction)
        for value in draws:
            config = {**incumbent, lever: value}
            if new(config):
                return config
    return None


def _key(parameters: Mapping[str, Parameter], config: Config) -> tuple[Value | None, ...]:
    return tuple(config.get(name, parameter.default) for name, parameter in parameters.items())


def _draws(lever: str, parameter: Parameter, history: Sequence[Trial], salt: str, direction: str) -> Iterator[Value]:
    """TPE's wishes, then the rest of the lever in random order, so that only an exhausted one ends."""
    number = zlib.crc32(salt.encode())
    yield from _wishes(lever, parameter, history, number, direction)
    yield from _rest(parameter, random.Random(number))


def _wishes(lever: str, parameter: Parameter, history: Sequence[Trial], number: int, direction: str) -> Iterator[Value]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=RANDOM_TRIALS)
    way = optuna.study.StudyDirection[direction.upper()]
    study = optuna.create_study(sampler=sampler, direction=way)
    distribution = _distribution(parameter)
    _learn(study, lever, parameter, distribution, history)
    for _ in range(DRAWS):
        yield _rounded(parameter, study.ask({lever: distribution}).params[lever])


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.kind == "choice":
        return CategoricalDistribution(parameter.choices)
    low, high = parameter.limits
    if parameter.kind == "int":
        return IntDistribution(int(low), int(high), log=parameter.log)
    return FloatDistribution(float(low), float(high), log=parameter.log)


def _learn(
    study: Study, lever: str, parameter: Parameter, distribution: BaseDistribution, history: Sequence[Trial]
) -> None:
    """Trials of other levers teach too; a value outside this lever's range teaches nothing."""
    for trial in history:
        value = trial.config.get(lever, parameter.default)
        if value is not None and _allowed(parameter, value):
            study.add_trial(_past(lever, value, distribution, trial.value))


def _past(lever: str, value: Value, distribution: BaseDistribution, score: float | None) -> FrozenTrial:
    """A crash is told as pruned without a value: TPE ranks that last, and would ignore a failed trial."""
    from optuna.trial import TrialState, create_trial

    crashed = score is None or not math.isfinite(score)
    return create_trial(
        params={lever: value},
        distributions={lever: distribution},
        value=None if crashed else score,
        state=TrialState.PRUNED if crashed else TrialState.COMPLETE,
    )


def _allowed(parameter: Parameter, value: Value) -> bool:
    if parameter.kind == "choice":
        return value in parameter.choices
    if isinstance(value, (str, bool)):
        return False
    low, high = parameter.limits
    return low <= value <= high and (parameter.kind == "float" or float(value).is_integer())


def _rounded(parameter: Parameter, value: Value) -> Value:
    """Floats keep a thousandth of the range, or three digits on a log scale: readable, and repeats show."""
    if parameter.kind != "float" or isinstance(value, str):
        return value
    low, high = parameter.limits
    size = abs(value) if parameter.log else high - low
    if not size:
        return float(value)
    digits = 2 - math.floor(math.log10(size)) + (0 if parameter.log else 1)
    return min(max(round(float(value), digits), float(low)), float(high))


def _rest(parameter: Parameter, rng: random.Random) -> Iterator[Value]:
    if parameter.kind == "choice":
        yield from rng.sample(parameter.choices, len(parameter.choices))
    elif parameter.kind == "int":
        low, high = (int(limit) for limit in parameter.limits)
        start = rng.randint(low, high)
        yield from range(start, high + 1)
        yield from range(low, start)
    else:
        draw = _uniform(parameter, rng)
        yield from (_rounded(parameter, draw()) for _ in range(10 * DRAWS))


def _uniform(parameter: Parameter, rng: random.Random) -> Callable[[], float]:
    low, high = parameter.limits
    if parameter.log:
        return lambda: math.exp(rng.uniform(math.log(low), math.log(high)))
    return lambda: rng.uniform(low, high)
