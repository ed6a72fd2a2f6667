"""Whatever a schema lets through, a gate answers with a verdict: strange text in any place raises nothing."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.pipeline_play import Play
from mlresearch import schema
from mlresearch.errors import ResearchError
from mlresearch.pipeline import steps
from mlresearch.pipeline.task import Accept, Halt, Refuse, SendBack

STRANGE: tuple[Any, ...] = (
    "", "x", "work/", "work/.", "work/a\0b", "work/" + "a" * 300, "\ud800", "work/\ud800", "https://", "https://[",
    "a/b", "{root}", "../..", "/etc/passwd", "j9999", "0" * 64, "NaN", -1, 0, 10**30, 1e308, True, None, [], {}, ["x"],
    {"x": "y"},
)  # fmt: skip


CASES = 150


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in an answer where another value could stand."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def changed(answer: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(answer)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


@pytest.mark.parametrize("step", [step.name for step in steps.STEPS if step.name not in ("research.citations",)])
def test_a_strange_answer_gets_a_verdict(step: str, at: Callable[[str], Play]) -> None:
    play = at(step)
    honest = play.answer(step)
    state = play.state
    cases = [(path, value) for path in places(honest) for value in STRANGE]
    name = f"pipeline/{steps.BY_NAME[step].schema}"
    judged = 0
    for path, value in random.Random(0).sample(cases, min(len(cases), CASES)):
        answer = changed(honest, path, value)
        if schema.faults(name, answer):
            continue
        judged += 1
        try:
            verdict = play.gate(step, state, answer)
        except ResearchError:
            continue
        assert isinstance(verdict, Accept | Halt | Refuse | SendBack), json.dumps(path)
    assert judged
