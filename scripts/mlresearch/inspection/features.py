"""The type of a column, nested as deep as it goes, from an Arrow schema, from the Hub's description, or from values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LIST, STRUCT, CLASS_LABEL, IMAGE, AUDIO, MIXED = "list", "struct", "class_label", "image", "audio", "mixed"
_MEDIA = {"Image": IMAGE, "Audio": AUDIO, "Video": "video", "Pdf": "pdf", "Json": "json"}
_LISTS = ("Sequence", "List", "LargeList")
# deeper values are somebody's mistake or an attack, and no trainer reads them
DEEPEST = 20


@dataclass(frozen=True)
class Feature:
    """`kind` is list, struct, class_label, image, audio or a scalar's name; a list has one child without a name."""

    kind: str
    children: tuple[tuple[str, Feature], ...] = ()
    names: tuple[str, ...] = ()

    @property
    def item(self) -> Feature:
        return self.children[0][1] if self.children else NULL

    @property
    def fields(self) -> dict[str, Feature]:
        return dict(self.children)

    def __str__(self) -> str:
        if self.kind == LIST:
            return f"list<{self.item}>"
        if self.kind == STRUCT:
            return "{" + ", ".join(f"{name}: {child}" for name, child in self.children) + "}"
        if self.kind == MIXED:
            return " or ".join(str(child) for _, child in self.children)
        if self.kind == CLASS_LABEL:
            shown = ", ".join(self.names[:10]) + (", …" if len(self.names) > 10 else "")
            return f"class_label({len(self.names)}: {shown})"
        return self.kind


NULL = Feature("null")
Features = Mapping[str, Feature]


def from_hub(told: Any) -> dict[str, Feature]:
    """The Hub's `features`, either by name or, as /first-rows gives them, as a list of {name, type}."""
    if isinstance(told, list):
        told = {str(each["name"]): each["type"] for each in told}
    return {str(name): _hub_feature(value) for name, value in told.items()}


def _hub_feature(told: Any, depth: int = 0) -> Feature:
    if depth > DEEPEST:
        return Feature("…")
    if isinstance(told, list):  # the old way to write a list
        return Feature(LIST, (("", _hub_feature(told[0] if told else {}, depth + 1)),))
    if not isinstance(told, Mapping):
        return Feature(str(told))
    kind = told.get("_type")
    if not isinstance(kind, str):
        return Feature(STRUCT, tuple((str(name), _hub_feature(value, depth + 1)) for name, value in told.items()))
    if kind in _LISTS:
        return _hub_list(kind, told.get("feature", {}), depth)
    if kind == "ClassLabel":
        return Feature(CLASS_LABEL, names=tuple(map(str, told.get("names") or ())))
    if kind == "Value":
        return Feature({"large_string": "string"}.get(str(told.get("dtype")), str(told.get("dtype"))))
    return Feature(_MEDIA.get(kind, kind.lower()))


def _hub_list(kind: str, inner: Any, depth: int) -> Feature:
    """A `Sequence` of named fields means a struct of lists in the data; everything else is a plain list."""
    item = _hub_feature(inner, depth + 1)
    if kind == "Sequence" and item.kind == STRUCT:
        return Feature(STRUCT, tuple((name, Feature(LIST, (("", child),))) for name, child in item.children))
    return Feature(LIST, (("", item),))


def from_arrow(schema: Any) -> dict[str, Feature]:
    """The columns of a pyarrow schema; what the `datasets` library wrote beside them (classes, media) counts more."""
    found = {field.name: _arrow_feature(field.type) for field in schema}
    noted = (schema.metadata or {}).get(b"huggingface")
    try:
        told = json.loads(noted)["info"]["features"] if noted else {}
        return found | {name: each for name, each in from_hub(told).items() if name in found}
    except (ValueError, KeyError, TypeError, AttributeError):
        return found


def _arrow_feature(kind: Any) -> Feature:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _arrow_feature(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return Feature(LIST, (("", _arrow_feature(kind.value_type)),))
    if types.is_map(kind):
        pair = (("key", _arrow_feature(kind.key_type)), ("value", _arrow_feature(kind.item_type)))
        return Feature(LIST, (("", Feature(STRUCT, pair)),))
    if types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return Feature(STRUCT, tuple((field.name, _arrow_feature(field.type)) for field in fields))
    same = {"large_string": "string", "string_view": "string", "large_binary": "binary", "double": "float64"}
    return Feature(same.get(str(kind), {"float": "float32", "halffloat": "float16"}.get(str(kind), str(kind))))


def from_values(rows: Iterable[Mapping[str, Any]]) -> dict[str, Feature]:
    """What rows without a schema hold; a column of several types is `mixed` and names them."""
    found: dict[str, Feature] = {}
    for row in rows:
        for name, value in row.items():
            found[name] = merged(found.get(name, NULL), of_value(value))
    return found


def of_value(value: Any, depth: int = 0) -> Feature:
    if depth > DEEPEST:
        return Feature("…")
    if isinstance(value, list):
        item = NULL
        for each in value:
            item = merged(item, of_value(each, depth + 1))
        return Feature(LIST, (("", item),))
    if isinstance(value, Mapping):
        return Feature(STRUCT, tuple((str(name), of_value(each, depth + 1)) for name, each in value.items()))
    names = {str: "string", bool: "bool", int: "int64", float: "float64", bytes: "binary", type(None): "null"}
    return Feature(names.get(type(value), type(value).__name__))


def merged(one: Feature, other: Feature) -> Feature:
    """The type that holds both: null gives way, int widens to float, structs unite, else `mixed`."""
    if one == other or other.kind == "null":
        return one
    if one.kind == "null":
        return other
    if one.kind == other.kind == LIST:
        return Feature(LIST, (("", merged(one.item, other.item)),))
    if one.kind == other.kind == STRUCT:
        mine, theirs = one.fields, other.fields
        names = [*mine, *(name for name in theirs if name not in mine)]
        return Feature(STRUCT, tuple((n, merged(mine.get(n, NULL), theirs.get(n, NULL))) for n in names))
    if {one.kind, other.kind} == {"int64", "float64"}:
        return Feature("float64")
    return _mixed(one, other)


def _mixed(one: Feature, other: Feature) -> Feature:
    kinds: dict[str, Feature] = {}
    for feature in (one, other):
        for child in [c for _, c in feature.children] if feature.kind == MIXED else [feature]:
            kinds[child.kind] = merged(kinds[child.kind], child) if child.kind in kinds else child
    return Feature(MIXED, tuple((kind, kinds[kind]) for kind in sorted(kinds)))


def as_data(feature: Feature) -> Any:
    """JSON form: a scalar is its name, a struct an object, a list a one-item array."""
    if feature.kind == LIST:
        return [as_data(feature.item)]
    if feature.kind == STRUCT:
        return {name: as_data(child) for name, child in feature.children}
    if feature.kind == MIXED:
        return {"mixed": [as_data(child) for _, child in feature.children]}
    if feature.kind == CLASS_LABEL:
        return {"class_label": list(feature.names)}
    return feature.kind
