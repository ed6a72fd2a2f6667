"""A schema as the lines of a page: each field with its type, its limits and what to write. Checks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_PATTERN = 24  # a longer one says less to a reader than the description beside it
Node = Mapping[str, Any]


def lines(node: Node, depth: int = 1) -> Iterator[str]:
    """Indented by depth; the fields of an object stand below it."""
    required = node.get("required", ())
    for name, inner in node.get("properties", {}).items():
        told = shape(inner) if name in required else f"{shape(inner)}, may be left out"
        yield f"{'  ' * depth}{name} ({told}): {_meaning(inner)}"
        yield from lines(inner, depth + 1)
        yield from lines(_items(inner), depth + 1)


def shape(node: Node) -> str:
    """What a value is and how long or large it may be, such as `array of string, 1 to 10 items`."""
    told, items = [_kind(node), *_limits(node)], _items(node)
    each = [_kind(items)] if "enum" in items else _limits(items)
    return ", ".join([*told, *(f"each {limit}" for limit in each)])


def _items(node: Node) -> Node:
    items = node.get("items")
    return items if isinstance(items, dict) else {}


def _kind(node: Node) -> str:
    if "enum" in node:
        return "one of " + ", ".join("null" if one is None else str(one) for one in node["enum"])
    kind, items, named = _types(node), _items(node), node.get("additionalProperties")
    if kind == "array" and items:
        return f"array of {_types(items)}"
    return f"{kind} of {_types(named)} by name" if isinstance(named, dict) else kind


def _types(node: Node) -> str:
    kinds = node.get("type", "")
    return "|".join(kinds) if isinstance(kinds, list) else str(kinds)


def _limits(node: Node) -> list[str]:
    """Bounds as words; that a text is not empty and that a list may be empty goes without saying."""
    shortest, fewest = node.get("minLength", 0), node.get("minItems", 0)
    found = [
        _between(shortest if shortest > 1 else None, node.get("maxLength"), "character"),
        _between(fewest or None, node.get("maxItems"), "item"),
        _between(node.get("minimum"), node.get("maximum")),
        f"above {node['exclusiveMinimum']}" if "exclusiveMinimum" in node else "",
        f"matches {node['pattern']}" if 0 < len(node.get("pattern", "")) <= _LONGEST_PATTERN else "",
    ]
    return [limit for limit in found if limit]


def _between(least: float | None, most: float | None, what: str = "") -> str:
    if least is None and most is None:
        return ""
    bound = f"at most {most}" if least is None else f"at least {least}" if most is None else f"{least} to {most}"
    is_one = (least if most is None else most) == 1
    return f"{bound} {what}{'' if is_one else 's'}" if what else bound


def _meaning(node: Node) -> str:
    own, each = node.get("description", ""), _items(node).get("description")
    return f"{own}; each: {each}" if each and "properties" not in _items(node) else str(own)
