"""Every way a column of a form can be had from the columns of a data set: as it is, renamed, or converted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlresearch import data_rules as rules
from mlresearch.data_rules import Column
from mlresearch.inspection import kinds
from mlresearch.inspection.kinds import Fact

AS_IT_IS, RENAMED, CONVERTED, DERIVED, GUESSED = 0, 1, 3, 6, 8
# what a column holds, what it becomes, by which function of `conversions`
CONVERSIONS = (
    (kinds.SHAREGPT, rules.CHAT, "sharegpt_to_messages"),
    (kinds.JSON_CHAT, rules.CHAT, "json_to_messages"),
    (kinds.CLASS_TEXT, rules.CLASS, "text_to_class"),
    (kinds.TWO_CLASSES, rules.FLAG, "to_flag"),
    (rules.FLAG, rules.CLASS, "flag_to_class"),
    (kinds.IMAGE_BYTES, rules.IMAGE, "bytes_to_image"),
    (kinds.IMAGE_PATH, rules.IMAGE, "path_to_image"),
)
MOST_NAMES = 200


@dataclass(frozen=True)
class Way:
    """How one target column is made. `kind` is what results; `code` is a Python expression over `row`."""

    target: str
    columns: tuple[str, ...]
    kind: str
    code: str
    cost: int
    functions: tuple[str, ...] = ()

    def through(self, function: str, kind: str = "", *others: str, cost: int = CONVERTED) -> Way:
        """The same with one more function around it; `others` are further columns it takes."""
        arguments = ", ".join([self.code, *map(cell, others)])
        return replace(
            self,
            code=f"{function}({arguments})",
            kind=kind or self.kind,
            columns=(*self.columns, *others),
            cost=max(self.cost, AS_IT_IS) + cost,
            functions=(*self.functions, function),
        )


def cell(name: str) -> str:
    return f"row[{name!r}]"


def best(column: Column, facts: Sequence[Fact], taken: frozenset[str]) -> Way | None:
    """The cheapest way to the column; None when there is none. Columns in `taken` already serve another."""
    found = [way for fact in facts if fact.name not in taken for way in _ways(column, fact, facts)]
    return min(found, key=lambda way: (way.cost, _rank(column, way)), default=None)


def _rank(column: Column, way: Way) -> int:
    """Among equals: the name that stands first in the rules."""
    names = (column.name, *column.known_as)
    return names.index(way.columns[0]) if way.columns[0] in names else len(names)


def _ways(column: Column, fact: Fact, facts: Sequence[Fact]) -> Iterator[Way]:
    price = _price(column, fact, facts)
    if price is None:
        return
    for way in _as_kind(column, fact, price):
        ended = _ended(column, fact, way)
        if ended is not None:
            yield _with_input(ended, fact, facts)


def _price(column: Column, fact: Fact, facts: Sequence[Fact]) -> int | None:
    """What the name alone costs; None when nothing but a guess ties it to the column."""
    if fact.name == column.name:
        return AS_IT_IS
    if fact.name.lower() in {name.lower() for name in (column.name, *column.known_as)}:
        return RENAMED
    return GUESSED if _is_only_one(column, fact, facts) else None


def _is_only_one(column: Column, fact: Fact, facts: Sequence[Fact]) -> bool:
    """A conversation, a picture or a text under an unknown name is taken when there is no other of its kind."""
    if column.name not in ("messages", "image", "text"):
        return False
    wanted = set(column.kinds) | {source for source, kind, _ in CONVERSIONS if kind in column.kinds}
    fitting = [each.name for each in facts if each.holds & wanted and kinds.CLASS_TEXT not in each.holds]
    return fitting == [fact.name]


def _as_kind(column: Column, fact: Fact, price: int) -> Iterator[Way]:
    plain = Way(column.name, (fact.name,), "", cell(fact.name), price)
    for kind in column.kinds:
        if kind in fact.holds:
            yield replace(plain, kind=kind)
    for source, kind, function in CONVERSIONS:
        if source not in fact.holds or kind not in column.kinds:
            continue
        if function != "text_to_class":
            yield plain.through(function, kind)
        elif len(fact.classes) <= MOST_NAMES:
            names = [str(name) for name in fact.classes]
            made = plain.through(function, kind)
            yield replace(made, code=f"text_to_class({plain.code}, {names!r})")


def _ended(column: Column, fact: Fact, way: Way) -> Way | None:
    """The way, when its conversations end with whom the column wants; mended where that can be."""
    if way.kind != rules.CHAT or not column.ends or not fact.conversations:
        return way
    if column.ends == "assistant":
        return way if fact.ending("assistant") else None
    return way.through("turns_before_answer") if fact.ending("assistant") else way


def _with_input(way: Way, fact: Fact, facts: Sequence[Fact]) -> Way:
    """An instruction with a separate input is half a prompt."""
    given = [each for each in facts if each.name == "input" and rules.TEXT in each.holds]
    if way.target == "prompt" and fact.name == "instruction" and way.kind == rules.TEXT and given:
        return way.through("joined_prompt", "", "input")
    return way
