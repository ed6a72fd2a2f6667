"""The whole inspection: opens the data set, samples its splits, judges it, and tells the result as data and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlresearch.data_rules import METHODS
from mlresearch.errors import ResearchError, Unavailable
from mlresearch.inspection import audit, features, kinds, local, verdict
from mlresearch.inspection.audit import SplitSeen
from mlresearch.inspection.layout import Layout, choose_splits, ordered
from mlresearch.inspection.tables import MIB, Wanted
from mlresearch.inspection.tokens import TokenCounter
from mlresearch.inspection.verdict import Verdict

MOST_SPLITS = 8
LOCAL_BYTES, HUB_BYTES = 512 * MIB, 64 * MIB


@dataclass(frozen=True)
class Asked:
    """What to look at. `rows` are sampled per split at most; `most_bytes` are read in all, about."""

    dataset: str
    config: str | None = None
    split: str | None = None
    methods: Sequence[str] = ()
    rows: int = 10_000
    seed: int = 0
    most_bytes: int | None = None


@dataclass
class Inspection:
    layout: Layout
    splits: list[SplitSeen]
    verdicts: list[Verdict]
    tokens: TokenCounter | None
    asked: Asked
    warnings: list[str] = field(default_factory=list)
    over_all_rows: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> SplitSeen:
        """The split that the verdict rests on."""
        return next((split for split in self.splits if split.rows), self.splits[0])

    def as_data(self) -> dict[str, Any]:
        layout = self.layout
        return {
            "dataset": layout.name,
            "source": layout.source,
            **layout.about,
            "configs": list(layout.configs),
            "config": layout.config,
            "splits": [_split_data(self, name) for name in ordered(list(layout.splits))],
            "schema": {name: features.as_data(each) for name, each in self.main.features.items()},
            "types": {name: str(each) for name, each in self.main.features.items()},
            "columns": {split.name: _columns(split) for split in self.splits},
            **({"over_all_rows": self.over_all_rows} if self.over_all_rows else {}),
            "duplicates": audit.duplicates(self.splits),
            "tokens": self.tokens.as_data() if self.tokens else _characters(),
            "samples": {"split": self.main.name, "rows": self.main.samples},
            "verdicts": {each.method: each.as_data() for each in self.verdicts},
            "verdict_on": self.main.name,
            "seed": self.asked.seed,
            "warnings": self.warnings,
        }


def inspect(asked: Asked, tokens: TokenCounter | None = None) -> Inspection:
    """Look at a data set on this machine or on the Hub; raises NotFound, Unavailable or ResearchError."""
    layout = open_dataset(asked.dataset, asked.config)
    names = choose_splits(layout.name, list(layout.splits), asked.split, MOST_SPLITS)
    usual = LOCAL_BYTES if layout.source == "local" else HUB_BYTES
    wanted = Wanted(asked.rows, asked.seed, (asked.most_bytes or usual) // max(1, len(names)))
    watch: list[Any] = [tokens] if tokens else []
    splits = [_look(layout, name, wanted, watch if name == names[0] else []) for name in names]
    _must_have_read(splits)
    found = Inspection(layout, splits, [], tokens, asked)
    main = found.main
    facts = kinds.facts(main.features, main.columns, main.rows)
    found.verdicts = [verdict.judge(method, facts, main.rows) for method in asked.methods or METHODS]
    found.warnings = [*layout.warnings, *_warnings(found)]
    _ask_statistics(found)
    return found


def _ask_statistics(found: Inspection) -> None:
    """Where only a sample was read, what a service counted over every row, if it can be had."""
    if found.layout.statistics is None or found.main.reading.is_whole:
        return
    try:
        found.over_all_rows = found.layout.statistics(found.main.name)
    except Unavailable as error:
        found.warnings.append(f"no counts over all rows, only over the sample: {error.wrong}")


def open_dataset(name: str, config: str | None) -> Layout:
    if local.is_path(name):
        return local.open_path(name, config)
    from mlresearch.inspection import remote

    return remote.open_hub(name, config)


def _look(layout: Layout, name: str, wanted: Wanted, watch: list[Any]) -> SplitSeen:
    """One split; what can not be opened at all counts as read with nothing seen."""
    try:
        return audit.look(name, layout.splits[name], wanted, watch)
    except ResearchError as error:
        seen = SplitSeen(name, format=layout.splits[name].format, size=layout.splits[name].size)
        seen.reading.fails(error)
        seen.reading.unseen.append("everything")
        return seen


def _must_have_read(splits: Sequence[SplitSeen]) -> None:
    """Nothing readable in any split is no answer."""
    faults = [split.reading for split in splits if split.reading.broken]
    if faults and not any(split.rows for split in splits):
        raise faults[0].error or ResearchError(
            f"no row can be read; {faults[0].broken} are broken, such as {faults[0].faults[0]}",
            next_step="check the file's form, or name another split",
        )


def _split_data(found: Inspection, name: str) -> dict[str, Any]:
    seen = next((split for split in found.splits if split.name == name), None)
    told: dict[str, Any] = {"split": name, "bytes": found.layout.splits[name].size}
    if seen is None:
        return told | {"rows": None, "rows_are": "unknown", "how": "not looked at; ask for it with --split"}
    return told | {"format": seen.format} | seen.reading.as_data()


def _columns(split: SplitSeen) -> dict[str, Any]:
    return {name: _named(seen.as_data(split.rows), split, name) for name, seen in split.columns.items()}


def _named(told: dict[str, Any], split: SplitSeen, column: str) -> dict[str, Any]:
    """Class numbers under the names that the schema gives them."""
    names = split.features[column].names if column in split.features else ()
    for each in told.get("classes", ()) if names else ():
        if isinstance(each["value"], int) and 0 <= each["value"] < len(names):
            each["name"] = names[each["value"]]
    return told


def _characters() -> dict[str, Any]:
    return {"tokenizer": None, "note": "no tokenizer was given: lengths are in characters (see columns)"}


def _warnings(found: Inspection) -> list[str]:
    told = []
    for split in found.splits:
        reading = split.reading
        if reading.rows == 0:
            told.append(f"split {split.name} is empty")
        if reading.broken:
            told.append(f"{split.name}: {reading.broken} records could not be read, such as {reading.faults[0]}")
        told += [f"{split.name}: {name}: {what}" for name in split.columns for what in _about(split, name)]
        others = set(split.features) ^ set(found.main.features)
        if split.features and others:
            told.append(f"{split.name} and {found.main.name} differ in columns: {', '.join(sorted(others)[:8])}")
    for each in audit.duplicates(found.splits)["across"]:
        if each["rows"]:
            told.append(f"{' and '.join(each['splits'])} share {each['rows']} rows of those sampled")
    left = len(found.layout.splits) - len(found.splits)
    if left and found.asked.split is None:
        told.append(f"{left} of {len(found.layout.splits)} splits were not looked at (--split NAME)")
    return told


def _about(split: SplitSeen, name: str) -> list[str]:
    seen, told = split.columns[name], []
    if split.rows and not seen.filled:
        told.append("nothing but nulls")
    if seen.json.parsed and seen.json.broken:
        told.append(f"{seen.json.broken} of {seen.json.begun} JSON texts are broken, such as {seen.json.faults[0]}")
    if seen.media_faults:
        told.append(f"{seen.media_faults} media headers are broken")
    if len(seen.types) > 1 and set(seen.types) != {"int", "float"}:
        told.append(f"mixed types: {', '.join(sorted(seen.types))}")
    if name != name.strip() or not name:
        told.append("the name is blank, or begins or ends with one")
    return told
