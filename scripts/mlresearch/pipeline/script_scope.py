"""What a training script and its arguments will really train, and whether that is what was asked. Never from a claim.

Owns the facts that a task protects: model, revision, data set, method, adapter, sequence length, amount of data and of
training, effective batch, monitoring; and their comparison, with the user's words and with an earlier reading.
`script_reading` takes them out of the syntax tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mlresearch.pipeline.script_reading import METHODS, RUNTIME, Code

Values = frozenset[str]

# of these a reader must be able to say before the run what they are
_KNOWN_BEFORE = ("models", "datasets", "lengths", "steps")
# what an argument writes before a name, for the place where a job runs
_PLACES = ("{root}/", "{src}/", "./")


@dataclass(frozen=True)
class Facts:
    """Every field a set of values as text; empty where the script says nothing about it."""

    models: Values
    revisions: Values
    datasets: Values
    methods: Values
    adapters: Values
    lengths: Values
    amounts: Values
    steps: Values
    effective_batch: Values
    monitoring: Values
    hidden: Values  # calls that run text as code: what they do is in no syntax tree


def read(content: bytes, args: Sequence[str]) -> Facts:
    """The facts of one script with the arguments of one run; raises SyntaxError or ValueError for what is no Python."""
    code = Code(content, args)
    return Facts(
        models=frozenset(_plain(name) for name in code.models()),
        revisions=frozenset(code.revisions()),
        datasets=frozenset(_plain(name) for name in code.datasets()),
        methods=frozenset(code.methods()),
        adapters=frozenset(code.adapters()),
        lengths=frozenset(code.lengths()),
        amounts=frozenset(code.amounts()),
        steps=frozenset(code.steps()),
        effective_batch=frozenset(code.effective_batch()),
        monitoring=frozenset(code.trackers()),
        hidden=frozenset(code.hidden()),
    )


def knows_smoke(content: bytes) -> bool:
    """Whether the script asks for SMOKE=1 of its environment."""
    return Code(content, ()).knows_smoke


def _plain(name: str) -> str:
    for place in _PLACES:
        name = name.removeprefix(place)
    return name


def changes(before: Facts, after: Facts, allowed: Iterable[str] = ()) -> list[str]:
    """Every protected fact that differs, as a sentence; `allowed` names fields that may."""
    told = []
    for field in fields(Facts):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new and field.name not in allowed:
            told.append(f"{field.name.replace('_', ' ')}: was {_listed(old)}, is {_listed(new)}")
    return told


def departures(baseline: Mapping[str, Any], facts: Facts) -> list[str]:
    """Where a script departs from what the user asked for; a null in the baseline asks for nothing."""
    told = []
    asked = (
        ("model", baseline.get("model"), facts.models),
        ("dataset", baseline.get("dataset"), facts.datasets),
        ("revision", baseline.get("revision"), facts.revisions),
        ("adapter", baseline.get("adapter"), facts.adapters),
        ("sequence length", _text(baseline.get("sequenceLength")), facts.lengths),
        ("method", _trained(baseline.get("method")), facts.methods),
    )
    for name, wanted, found in asked:
        if wanted is not None and found != {wanted}:
            told.append(f"{name}: asked for {wanted}, the script has {_listed(found)}")
    if not facts.monitoring:
        told.append("monitoring: no tracker is wired")
    if facts.hidden:
        told.append(f"hidden: {_listed(facts.hidden)} runs text as code; write the code itself")
    return told


def unknowns(facts: Facts) -> list[str]:
    """Protected facts that nobody can tell before the run, so that no later change of them would be seen."""
    return [
        f"{name}: {RUNTIME}; write a value, or an option with its argument"
        for name in _KNOWN_BEFORE
        if RUNTIME in getattr(facts, name)
    ]


def _trained(method: str | None) -> str | None:
    return method if method in METHODS.values() else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _listed(values: Values) -> str:
    return ", ".join(sorted(values)) or "nothing"
