"""Whether a training method can use a data set: as it is, after a mapping (with its code), or not, and what is missing.

Compares what was found with `data_rules`. It never says compatible when a required column is absent, and it knows only
the form of the data: whether the data is good is another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlresearch import data_rules as rules
from mlresearch.data_rules import METHODS, Column, Form
from mlresearch.inspection import conversions, ways
from mlresearch.inspection.kinds import Fact
from mlresearch.inspection.ways import Way

COMPATIBLE, NEEDS_MAPPING, INCOMPATIBLE = "compatible", "needs_mapping", "incompatible"
_ORDER = (COMPATIBLE, NEEDS_MAPPING, INCOMPATIBLE)
_SPOKEN = ("prompt", "completion", "chosen", "rejected")
_UNPAIRED = '''def convert(batch):
    """For dataset.map(convert, batched=True, remove_columns=dataset.column_names): two rows out of each."""
    rows = [dict(zip(batch, cells)) for cells in zip(*batch.values())]
    made = [each for row in rows for each in unpair_preferences(pair(row))]
    return {name: [each[name] for each in made] for name in ("prompt", "completion", "label")}
'''


@dataclass(frozen=True)
class Fit:
    """How one form fits: a way for each column that can be had, and the required columns that can not.

    `named` is how many columns of the form the data names, whatever they hold.
    """

    form: Form
    found: tuple[Way, ...]
    missing: tuple[Column, ...]
    optional: tuple[Way, ...] = ()
    named: int = 0
    unpaired: bool = False

    @property
    def status(self) -> str:
        if self.missing:
            return INCOMPATIBLE
        is_ready = all(way.cost == ways.AS_IT_IS for way in self.found) and not self.unpaired
        return COMPATIBLE if is_ready else NEEDS_MAPPING

    @property
    def cost(self) -> tuple[int, int, int, int]:
        total = sum(way.cost for way in self.found) + 10 * self.unpaired
        return _ORDER.index(self.status), len(self.missing), -self.named if self.missing else 0, total


@dataclass(frozen=True)
class Verdict:
    method: str
    status: str
    form: str
    mapping: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    apply: str = ""
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    besides: str = ""

    def as_data(self) -> dict[str, Any]:
        told: dict[str, Any] = {"verdict": self.status, "form": self.form}
        for name in ("mapping", "code", "apply", "besides"):
            told |= {name: getattr(self, name)} if getattr(self, name) else {}
        told |= {"missing": list(self.missing)} if self.missing else {}
        return told | ({"warnings": list(self.warnings)} if self.warnings else {})


def judge(method: str, facts: Sequence[Fact], rows: int) -> Verdict:
    """The best form of the method for these columns; `rows` is how many were sampled."""
    fits = [_fit(form, facts) for form in METHODS[method].forms]
    if method == "kto":
        fits += _unpaired(facts)
    fit = min(fits, key=lambda each: each.cost)
    missing = tuple(_told_missing(column, facts) for column in fit.missing)
    verdict = Verdict(method, fit.status, fit.form.name, missing=missing, besides=METHODS[method].besides)
    if fit.status == INCOMPATIBLE:
        return verdict
    verdict = replace(verdict, warnings=tuple(_warnings(fit, facts, rows)))
    changed = fit.status == NEEDS_MAPPING or any(way.cost for way in fit.optional)
    return _mapped(verdict, fit) if changed else verdict


def _fit(form: Form, facts: Sequence[Fact]) -> Fit:
    found, missing, taken = dict[str, Way](), list[Column](), set[str]()
    # exact names first: no other column may borrow them
    named = {fact.name for fact in facts}
    for column in sorted(form.required, key=lambda each: each.name not in named):
        way = ways.best(column, facts, frozenset(taken))
        if way is None:
            missing.append(column)
        else:
            found[column.name] = way
            taken |= set(way.columns)
    found, missing = _from_chat(form, found, missing, facts)
    found, missing = _same_kind(found, missing, facts)
    optional = [way for column in form.optional if (way := ways.best(column, facts, frozenset(taken)))]
    optional = [way for way in optional if way.cost <= ways.RENAMED]
    ordered = tuple(found[column.name] for column in form.required if column.name in found)
    count = sum(column.name in named for column in form.required)
    return Fit(form, ordered, tuple(missing), tuple(optional), count)


def _from_chat(
    form: Form, found: dict[str, Way], missing: list[Column], facts: Sequence[Fact]
) -> tuple[dict[str, Way], list[Column]]:
    """Columns that are part of another: an answer closes a conversation, a prompt opens both sides of a pair."""
    names = {column.name for column in missing}
    if names == {"completion"} and found["prompt"].kind == rules.CHAT:
        prompt = found["prompt"]
        fact = next(fact for fact in facts if fact.name == prompt.columns[0])
        if prompt.functions[-1:] == ("turns_before_answer",) and fact.ending("assistant"):
            whole = prompt.code.removeprefix("turns_before_answer(").removesuffix(")")
            functions = (*prompt.functions[:-1], "closing_answer")
            answer = Way("completion", prompt.columns, rules.CHAT, f"closing_answer({whole})", ways.DERIVED, functions)
            return found | {"completion": answer}, []
    if names == {"prompt"} and _both_whole(found, facts):
        return found | _split_pair(found), []
    return found, missing


def _both_whole(found: dict[str, Way], facts: Sequence[Fact]) -> bool:
    """Whether chosen and rejected are conversations that hold their prompt."""
    sides = [found.get("chosen"), found.get("rejected")]
    if any(side is None or side.kind != rules.CHAT for side in sides):
        return False
    heads = [fact for fact in facts if fact.name in {side.columns[0] for side in sides if side}]
    return all(fact.beginning("user") + fact.beginning("system") for fact in heads)


def _split_pair(found: dict[str, Way]) -> dict[str, Way]:
    chosen, rejected = found["chosen"], found["rejected"]
    columns, functions = (*chosen.columns, *rejected.columns), (*chosen.functions, *rejected.functions)

    def made(target: str, function: str, *codes: str) -> Way:
        code = f"{function}({', '.join(codes)})"
        return Way(target, columns, rules.CHAT, code, ways.DERIVED, (*functions, function))

    return {
        "prompt": made("prompt", "shared_opening", chosen.code, rejected.code),
        "chosen": made("chosen", "own_ending", chosen.code, rejected.code),
        "rejected": made("rejected", "own_ending", rejected.code, chosen.code),
    }


def _same_kind(
    found: dict[str, Way], missing: list[Column], facts: Sequence[Fact]
) -> tuple[dict[str, Way], list[Column]]:
    """A prompt and its answers must all be text or all be conversations."""
    spoken = {name: way for name, way in found.items() if name in _SPOKEN}
    if len({way.kind for way in spoken.values()}) < 2:
        return found, missing
    if "prompt" in spoken and spoken["prompt"].kind == rules.TEXT and _both_whole(found, facts):
        return found | _split_pair(found), missing
    turns = {name: way for name, way in spoken.items() if way.kind == rules.TEXT}
    made = {
        name: way.through("as_user_turn" if name == "prompt" else "as_assistant_turn", rules.CHAT)
        for name, way in turns.items()
    }
    return found | made, missing


def _unpaired(facts: Sequence[Fact]) -> list[Fit]:
    """KTO from pairs: each side is one judged completion."""
    pairs = _fit(METHODS["dpo"].forms[0], facts)
    return [] if pairs.missing else [Fit(METHODS["kto"].forms[0], pairs.found, (), unpaired=True)]


def _told_missing(column: Column, facts: Sequence[Fact]) -> str:
    wanted = " or ".join(column.kinds)
    there = next((fact for fact in facts if fact.name == column.name), None)
    if there is None:
        others = f", nor one of {', '.join(column.known_as[:6])}" if column.known_as else ""
        return f"{column.name} ({wanted}): no such column{others} that could serve"
    if column.ends and there.conversations and not there.ending(column.ends):
        return f"{column.name} ({wanted}): no conversation ends with the role {column.ends}"
    if there.nulls and not there.filled:
        return f"{column.name} ({wanted}): every sampled value is null"
    return f"{column.name} ({wanted}): it is {there.type}"


def _warnings(fit: Fit, facts: Sequence[Fact], rows: int) -> list[str]:
    by_name, told = {fact.name: fact for fact in facts}, list[str]()
    if not rows:
        told.append("no row was read: this rests on the schema alone")
    for way in fit.found:
        for fact in (by_name[name] for name in dict.fromkeys(way.columns)):
            if fact.nulls:
                told.append(f"{fact.name} is null in {fact.nulls} of {rows} sampled rows")
        told += _about(way, by_name[way.columns[0]])
    return list(dict.fromkeys(told))


def _about(way: Way, fact: Fact) -> list[str]:
    told = []
    if way.kind == rules.CHAT and way.target in ("messages", "completion", "chosen", "rejected"):
        others = fact.conversations - fact.ending("assistant")
        if others:
            told.append(f"{fact.name}: {others} of {fact.conversations} conversations do not end with the assistant")
    if way.kind == rules.CLASS and way.target == "label" and len(fact.classes) == 1:
        told.append(f"{fact.name} holds one class only ({fact.classes[0]}) in the sample")
    if "text_to_class" in way.functions:
        told.append(f"{fact.name}: classes are those of the sample; a rare one may be missing from the list")
    return told


def _mapped(verdict: Verdict, fit: Fit) -> Verdict:
    used = [*fit.found, *fit.optional]
    mapping = {way.target: way.columns[0] if len(way.columns) == 1 else list(way.columns) for way in used}
    names = dict.fromkeys(name for way in used for name in way.functions)
    cells = "".join(f"        {way.target!r}: {way.code},\n" for way in used)
    make = f"def {'pair' if fit.unpaired else 'convert'}(row):\n    return {{\n{cells}    }}\n"
    parts = [conversions.source(getattr(conversions, name)) for name in names] + [make]
    apply = "dataset.map(convert, remove_columns=dataset.column_names)"
    if fit.unpaired:
        parts += [conversions.source(conversions.unpair_preferences), _UNPAIRED]
        mapping = {"prompt": mapping["prompt"], "completion": ["chosen", "rejected"], "label": "which side it is"}
        apply = "dataset.map(convert, batched=True, remove_columns=dataset.column_names)"
    elif verdict.method == "grpo":
        apply = "dataset.map(convert)"
    if any(way.kind == rules.IMAGE and way.functions for way in used):
        apply += ".cast_column('image', datasets.Image())"
    return replace(verdict, mapping=mapping, code="\n\n".join(parts), apply=apply)
