"""The sampler against the real Optuna: one lever, no repeats, and the same answer when asked again."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlresearch.errors import UsageError
from mlresearch.sampler import Config, Parameter, Trial, Value, propose

SCRIPTS = Path(__file__).parents[1] / "scripts"
SPACE = {
    "rate": Parameter("--rate", "float", 1e-5, 1.0, log=True, default=0.01),
    "depth": Parameter("--depth", "int", 1, 8, default=3),
    "norm": Parameter("--norm", "choice", choices=("none", "batch", "layer"), default="none"),
}


def changed(config: Config, incumbent: Config, space: dict[str, Parameter]) -> list[str]:
    return [
        name
        for name, parameter in space.items()
        if config.get(name, parameter.default) != incumbent.get(name, parameter.default)
    ]


def score(config: Config) -> float:
    return -abs(math.log10(float(config.get("rate", 0.01))) + 3) - abs(int(config.get("depth", 3)) - 6)


def walk(
    space: dict[str, Parameter], steps: int, seed: int = 1, direction: str = "maximize"
) -> list[tuple[dict[str, Value] | None, dict[str, Value]]]:
    """(proposal, incumbent before it) of a campaign that keeps every better value."""
    sign = 1 if direction == "maximize" else -1
    history: list[Trial] = []
    incumbent: dict[str, Value] = {}
    out = []
    for index in range(steps):
        config = propose(space, history, incumbent, index, seed, direction)
        out.append((config, incumbent))
        if config is None:
            break
        history.append(Trial(config, sign * score(config)))
        if score(config) > score(incumbent):
            incumbent = config
    return out


def test_every_proposal_moves_exactly_one_lever_and_levers_take_turns() -> None:
    steps = walk(SPACE, 9)
    moved = [changed(config or {}, incumbent, SPACE) for config, incumbent in steps]
    assert moved == [["rate"], ["depth"], ["norm"]] * 2 + [["rate"], ["depth"]] + [moved[8]]
    assert len(moved[8]) == 1


def test_no_configuration_is_proposed_twice() -> None:
    seen = [tuple(sorted(config.items())) for config, _ in walk(SPACE, 40) if config]
    assert len(seen) == 40
    assert len(set(seen)) == len(seen)


def test_values_stay_inside_the_declared_space() -> None:
    for config, _ in walk(SPACE, 30):
        assert config is not None
        assert 1e-5 <= float(config.get("rate", 0.01)) <= 1.0
        assert config.get("depth", 3) in range(1, 9)
        assert config.get("norm", "none") in ("none", "batch", "layer")


def test_the_same_history_gives_the_same_proposals() -> None:
    assert walk(SPACE, 12, seed=7) == walk(SPACE, 12, seed=7)
    assert walk(SPACE, 12, seed=7) != walk(SPACE, 12, seed=8)


def test_another_process_proposes_the_same() -> None:
    history = [Trial({"rate": 0.1}, 0.5), Trial({"rate": 0.001}, 0.9)]
    here = propose({"rate": SPACE["rate"]}, history, {"rate": 0.001}, 2, 3, "maximize")
    code = (
        "from mlresearch.sampler import *\n"
        "space = {'rate': Parameter('--rate', 'float', 1e-5, 1.0, log=True, default=0.01)}\n"
        "history = [Trial({'rate': 0.1}, 0.5), Trial({'rate': 0.001}, 0.9)]\n"
        "print(repr(propose(space, history, {'rate': 0.001}, 2, 3, 'maximize')))"
    )
    there = subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True).stdout
    assert there.strip() == repr(here)


def test_both_directions_search_towards_the_better_side() -> None:
    space = {"rate": SPACE["rate"]}
    assert walk(space, 25, direction="maximize") == walk(space, 25, direction="minimize")
    best = max(score(config) for config, _ in walk(space, 25) if config)
    assert best > score({"rate": 0.003})


def test_an_exhausted_lever_passes_its_turn_on() -> None:
    space = {"norm": SPACE["norm"], "depth": SPACE["depth"]}
    history = [Trial({"norm": "batch"}, 0.1), Trial({"norm": "layer"}, 0.2)]
    config = propose(space, history, {}, 0, 1, "maximize")
    assert config is not None
    assert changed(config, {}, space) == ["depth"]


def test_an_exhausted_space_is_said() -> None:
    space = {"norm": SPACE["norm"], "depth": Parameter("--depth", "int", 1, 2, default=1)}
    history = [Trial({"norm": norm, "depth": depth}, None) for norm in ("none", "batch", "layer") for depth in (1, 2)]
    assert propose(space, history, {}, 0, 1, "minimize") is None


@pytest.mark.parametrize(
    ("parameter", "count"),
    [
        pytest.param(Parameter("--n", "int", 1, 5, default=2), 4, id="int"),
        pytest.param(Parameter("--n", "choice", choices=("a", "b", "c"), default="a"), 2, id="choice"),
        pytest.param(Parameter("--n", "choice", choices=("a", "b", "c")), 3, id="choice with unknown default"),
        pytest.param(Parameter("--n", "float", 0.5, 0.5, default=0.5), 0, id="float of one value"),
    ],
)
def test_a_small_space_is_walked_to_its_end(parameter: Parameter, count: int) -> None:
    history: list[Trial] = []
    for index in range(count):
        config = propose({"n": parameter}, history, {}, index, 4, "maximize")
        assert config is not None
        history.append(Trial(config, 0.5))
    assert propose({"n": parameter}, history, {}, count, 4, "maximize") is None


def test_a_script_without_levers_is_exhausted() -> None:
    assert propose({}, [], {}, 0, 1, "maximize") is None


def test_the_default_named_outright_counts_as_tried() -> None:
    space = {"norm": Parameter("--norm", "choice", choices=("none", "batch"), default="none")}
    assert propose(space, [Trial({"norm": "batch"}, 0.3)], {}, 0, 1, "maximize") is None


def test_a_crash_pushes_the_search_away() -> None:
    space = {"rate": SPACE["rate"]}
    good = [Trial({"rate": rate}, 0.9) for rate in (0.001, 0.002, 0.003)]
    crashed = [Trial({"rate": 10**-e}, None) for e in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    drawn = [propose(space, good + crashed, {}, 0, seed, "maximize") for seed in range(12)]
    assert sum(float((config or {})["rate"]) < 0.1 for config in drawn) >= 9


def test_a_past_value_outside_the_range_does_not_stop_the_search() -> None:
    history = [Trial({"depth": 99}, 0.4), Trial({"depth": "many"}, 0.4), Trial({"depth": 4}, math.nan)]
    assert propose({"depth": SPACE["depth"]}, history, {"depth": 99}, 0, 1, "maximize")


@pytest.mark.parametrize(
    ("low", "high", "log"),
    [(0.0, 1.0, False), (0.99, 0.9999, False), (1e-6, 1e-2, True), (-5.0, 5.0, False), (100.0, 1e5, True)],
)
def test_floats_are_short_enough_to_read(low: float, high: float, log: bool) -> None:
    space = {"x": Parameter("--x", "float", low, high, log=log)}
    for seed in range(8):
        config = propose(space, [], {}, 0, seed, "maximize")
        assert config is not None
        assert low <= float(config["x"]) <= high
        assert len(repr(config["x"])) <= 9


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        pytest.param({"kind": "real", "low": 0, "high": 1}, "kind 'real'", id="unknown kind"),
        pytest.param({"kind": "choice"}, "no choices", id="no choices"),
        pytest.param({"kind": "float", "low": 1, "high": 0}, "no range", id="upside down"),
        pytest.param({"kind": "float", "low": 0}, "no range", id="no upper end"),
        pytest.param({"kind": "float", "low": 0, "high": math.nan}, "no range", id="nan"),
        pytest.param({"kind": "int", "low": 0.5, "high": 3}, "not whole", id="half an int"),
        pytest.param({"kind": "float", "low": 0, "high": 1, "log": True}, "logarithm", id="log of zero"),
        pytest.param({"kind": "int", "low": 0, "high": 9, "log": True}, "logarithm", id="log int of zero"),
    ],
)
def test_a_parameter_that_spans_nothing_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word) as refused:
        Parameter("--x", **fields)
    assert refused.value.allowed


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(UsageError, match="upwards"):
        propose(SPACE, [], {}, 0, 1, "upwards")


def test_the_module_loads_without_optuna() -> None:
    code = "import sys, mlresearch.sampler; assert 'optuna' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True)
