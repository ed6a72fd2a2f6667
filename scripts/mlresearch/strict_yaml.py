"""YAML without its surprises: maps, lists, text, numbers, true/false and null; anything else is refused.

PyYAML's own rules turn `8:00` into 480, `no` into false and let a key come twice; here each of those is text or a
fault. Characters that an editor does not show are refused too: some end a line for YAML and for no reader.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from mlresearch.errors import UsageError, shown

LARGEST = 32768
DEEPEST = 12
LONGEST_NUMBER = 40


class _Loader(yaml.SafeLoader):
    """Resolvers for exactly the scalars we mean; set below, because PyYAML keeps them per class."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        seen: set[str] = set()
        for key, pair in zip(keys, node.value, strict=True):
            place = f"line {pair[0].start_mark.line + 1}: the key {shown(key)}"
            if not isinstance(key, str):
                raise UsageError(f"{place} is not text")
            if key in seen:
                raise UsageError(f"{place} comes twice", "once")
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes also what only our rules read as a number, such as the text 1e5."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"true|false", "tf"),
    ("tag:yaml.org,2002:null", r"null|~", "n~"),
    ("tag:yaml.org,2002:int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("tag:yaml.org,2002:float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _shape = re.compile(rf"(?:{_pattern})\Z")
    _Loader.add_implicit_resolver(_tag, _shape, list(_first))
    _Dumper.add_implicit_resolver(_tag, _shape, list(_first))


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    text: str = node.value
    value = float(text)
    if len(text) > LONGEST_NUMBER or not math.isfinite(value):
        raise UsageError(f"line {node.start_mark.line + 1}: {shown(text)} is no number that fits")
    return int(text) if node.tag.endswith(":int") else value


_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def load(text: str) -> Any:
    """The block's value; raises UsageError with line and reason."""
    if len(text) > LARGEST:
        raise UsageError(f"the block has {len(text)} characters", f"at most {LARGEST}")
    for number, line in enumerate(text.split("\n"), 1):
        hidden = next((char for char in line if not char.isprintable() and char != "\t"), None)
        if hidden is not None:
            raise UsageError(f"line {number}: the character U+{ord(hidden):04X} is not read here", "printable text")
    try:
        _refuse_features(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{place}not readable as YAML ({problem})") from None
    except RecursionError:
        raise UsageError("nested too deeply", f"at most {DEEPEST} levels") from None


def _refuse_features(text: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        refused = {
            "an anchor, alias or tag": getattr(event, "anchor", None) or getattr(event, "tag", None),
            "deep nesting": depth > DEEPEST,
            "a second document": documents > 1,
        }
        for what in (what for what, is_there in refused.items() if is_there):
            place = f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"
            raise UsageError(f"{place}: {what} is not read here", "plain maps, lists and values")


def dump(value: Any) -> str:
    """Text that `load` reads back as the same value, short collections on one line."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110)
    return text
