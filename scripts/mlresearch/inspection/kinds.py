"""What a column can serve as, from its type and what was sampled of it: the kinds of `data_rules`, and what can become
one of them by a known conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlresearch import data_rules as rules
from mlresearch.inspection import chat
from mlresearch.inspection.columns import ColumnSeen
from mlresearch.inspection.features import AUDIO, CLASS_LABEL, IMAGE, LIST, STRUCT, Feature

# not yet what a form asks for, but one conversion away
SHAREGPT, JSON_CHAT, CLASS_TEXT, TWO_CLASSES = "sharegpt", "json_chat", "class_text", "two_classes"
IMAGE_BYTES, IMAGE_PATH = "image_bytes", "image_path"
AUDIO_KIND = "audio"
# of the filled cells, so many must look the part
MOST_OF = 0.95
# more distinct values than this share of the rows is an identifier or free text, not a class
REPEATED = 0.5
FEW_CLASSES = 50
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Fact:
    """One column as the verdict sees it. `last` and `first` pair a plain role with how many conversations end or
    begin with it."""

    name: str
    holds: frozenset[str]
    type: str = ""
    nulls: int = 0
    filled: int = 0
    conversations: int = 0
    last: tuple[tuple[str, int], ...] = ()
    first: tuple[tuple[str, int], ...] = ()
    classes: tuple[object, ...] = ()

    def ending(self, role: str) -> int:
        return sum(count for name, count in self.last if name == role)

    def beginning(self, role: str) -> int:
        return sum(count for name, count in self.first if name == role)


def facts(features: Mapping[str, Feature], columns: Mapping[str, ColumnSeen], rows: int) -> list[Fact]:
    return [_fact(name, feature, columns.get(name) or ColumnSeen(), rows) for name, feature in features.items()]


def _fact(name: str, feature: Feature, seen: ColumnSeen, rows: int) -> Fact:
    return Fact(
        name,
        frozenset(_holds(feature, seen, rows)),
        str(feature),
        rows - seen.filled,
        seen.filled,
        seen.chat.count,
        _plain_roles(seen.chat.last),
        _plain_roles(seen.chat.first),
        () if seen.is_open else tuple(sorted(seen.classes, key=str)),
    )


def _plain_roles(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((chat.plain_role(role), count) for role, count in sorted(counts.items()))


def _holds(feature: Feature, seen: ColumnSeen, rows: int) -> set[str]:
    if rows and not seen.filled:
        return set()  # nothing but nulls
    if feature.kind == LIST:
        return _list(feature, seen)
    if feature.kind == STRUCT:
        return _struct(feature, seen)
    if feature.kind == "string":
        return _text(seen)
    if feature.kind in _INTEGERS:
        return _integer(seen)
    if feature.kind == "binary":
        return {IMAGE_BYTES} if _mostly(_images(seen), seen.filled) else set()
    return _by_name(feature)


def _by_name(feature: Feature) -> set[str]:
    if feature.kind == CLASS_LABEL:
        return {rules.CLASS, rules.NUMBER, *([TWO_CLASSES] if len(feature.names) == 2 else [])}
    if feature.kind in _FLOATS:
        return {rules.NUMBER}
    return {"bool": {rules.FLAG}, IMAGE: {rules.IMAGE}, AUDIO: {AUDIO_KIND}}.get(feature.kind, set())


def _mostly(count: int, filled: int) -> bool:
    return filled > 0 and count >= MOST_OF * filled


def _images(seen: ColumnSeen) -> int:
    return sum(count for name, count in seen.media.items() if name.startswith("image/"))


def _list(feature: Feature, seen: ColumnSeen) -> set[str]:
    item = feature.item
    if item.kind == IMAGE:
        return {rules.IMAGES}
    if item.kind != STRUCT:
        return set()
    names = set(item.fields)
    if "function" in names or {"name", "parameters"} <= names:
        return {rules.TOOLS}
    spelled = {name for name, count in seen.chat.spellings.items() if _mostly(count, _nonempty(seen))}
    if not seen.filled:
        spelled = {name for name in (chat.OPENAI, chat.SHAREGPT) if set(name.split("/")) <= names}
    return {rules.CHAT if name == chat.OPENAI else SHAREGPT for name in spelled}


def _nonempty(seen: ColumnSeen) -> int:
    return sum(1 for count in seen.items if count) or seen.filled


def _struct(feature: Feature, seen: ColumnSeen) -> set[str]:
    names = set(feature.fields)
    if {"bytes", "path"} <= names and _mostly(_images(seen), seen.filled):
        return {rules.IMAGE}
    boxes = names & {"bbox", "bboxes", "boxes"}
    return {rules.OBJECTS} if boxes and names & {"category", "categories", "label", "labels", "category_id"} else set()


def _text(seen: ColumnSeen) -> set[str]:
    if _mostly(seen.json_chats, seen.filled):
        return {JSON_CHAT}
    if _mostly(seen.json.parsed, seen.filled):
        return {rules.TOOLS}
    if _mostly(seen.media_paths, seen.filled):
        return {IMAGE_PATH}
    classes = 0 if seen.is_open else len(seen.classes)
    few = 0 < classes <= max(FEW_CLASSES if seen.filled >= 2 * classes else 0, REPEATED * seen.filled)
    return {rules.TEXT, *([CLASS_TEXT] if few else [])}


def _integer(seen: ColumnSeen) -> set[str]:
    classes = 0 if seen.is_open else len(seen.classes)
    found = {rules.NUMBER}
    if not seen.filled or 0 < classes <= max(2, REPEATED * seen.filled):
        found.add(rules.CLASS)
    return found | ({TWO_CLASSES} if classes == 2 and set(seen.classes) <= {0, 1} else set())
