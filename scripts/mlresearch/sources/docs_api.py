"""The Hub's REST API from its own OpenAPI description: endpoints by words or tag, with parameters and answers.

Refuses to guess what the description leaves out: a reference that leads nowhere is named as it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlresearch.errors import Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.reply import LATER, Reply

PLACE = "/.well-known/openapi.json"
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
MOST_TEXT = 400
MOST_FIELDS = 60


@dataclass(frozen=True)
class Endpoints:
    """`matched` counts all that fit; `rows` are the first of them."""

    rows: list[dict[str, Any]]
    matched: int
    tags: dict[str, int]
    age: str


def endpoints(query: str, tag: str | None, limit: int) -> Endpoints:
    """Endpoints whose path or description holds the words, the closest first. Raises Unavailable."""
    reply = web.get(HUB, PLACE, check=_description, ttl_s=24 * 3600.0)
    whole = _description(reply)
    every = list(_operations(whole))
    tags = Counter(name for _, _, operation in every for name in _tags(operation))
    words = re.findall(r"[\w{}-]+", query.casefold())
    wanted = [each for each in every if tag is None or tag.casefold() in map(str.casefold, _tags(each[2]))]
    scored = [(_score(words, each), each) for each in wanted]
    fitting = sorted((pair for pair in scored if pair[0] or not words), key=lambda pair: -pair[0])
    rows = [_row(whole, *each) for _, each in fitting[:limit]]
    return Endpoints(rows, len(fitting), dict(sorted(tags.items())), reply.age)


def _description(reply: Reply) -> dict[str, Any]:
    found = reply.json()
    if not isinstance(found, dict) or not isinstance(found.get("paths"), dict) or not found["paths"]:
        raise Unavailable("the Hub's description of its API has another form", next_step=LATER)
    return found


def _operations(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in whole["paths"].items():
        for method in METHODS:
            operation = item.get(method) if isinstance(item, dict) else None
            if isinstance(operation, dict):
                shared = _list(item.get("parameters"))
                yield path, method.upper(), {**operation, "parameters": [*shared, *_list(operation.get("parameters"))]}


def _score(words: list[str], found: tuple[str, str, Mapping[str, Any]]) -> int:
    """All words must stand somewhere; those of the path and summary count more."""
    path, method, operation = found
    near = f"{path} {method} {operation.get('summary', '')} {operation.get('operationId', '')}".casefold()
    far = f"{near} {operation.get('description', '')} {' '.join(_tags(operation))}".casefold()
    if not all(word in far for word in words):
        return 0
    return sum(3 if word in near else 1 for word in words)


def _row(whole: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    told = str(operation.get("description") or "")
    return {
        "method": method,
        "path": path,
        "summary": str(operation.get("summary") or told.split("\n")[0])[:MOST_TEXT],
        "description": told[:MOST_TEXT],
        "tags": _tags(operation),
        "parameters": [_parameter(_led(whole, each)) for each in operation["parameters"]],
        "body": _body(whole, operation.get("requestBody")),
        "answers": {str(code): _told(whole, each) for code, each in _dict(operation.get("responses")).items()},
    }


def _parameter(found: Mapping[str, Any]) -> dict[str, Any]:
    schema = _dict(found.get("schema"))
    return {
        "name": str(found.get("name", found.get("$ref", ""))),
        "in": str(found.get("in", "")),
        "required": found.get("required") is True,
        "type": _type(schema),
        "description": str(found.get("description") or schema.get("description") or "")[:MOST_TEXT],
    }


def _body(whole: Mapping[str, Any], given: object) -> dict[str, str]:
    """The fields of a request's body and their types; `*` after a name means required."""
    content = _dict(_led(whole, _dict(given)).get("content"))
    schema = _led(whole, _dict(next((_dict(each).get("schema") for each in content.values()), None)))
    required = set(map(str, _list(schema.get("required"))))
    fields = list(_dict(schema.get("properties")).items())[:MOST_FIELDS]
    if not fields:
        return {"(body)": _type(schema)} if schema else {}
    return {f"{name}{'*' if name in required else ''}": _type(_led(whole, _dict(each))) for name, each in fields}


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, _list(schema["enum"])[:20]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(_type(_dict(each)) for each in _list(schema[key])[:8]))
    if schema.get("type") == "array":
        return f"list of {_type(_dict(schema.get('items'))) or 'any'}"
    return str(schema.get("type") or schema.get("const") or schema.get("$ref") or "")


def _told(whole: Mapping[str, Any], answer: object) -> str:
    return str(_led(whole, _dict(answer)).get("description") or "")[:MOST_TEXT]


def _led(whole: Mapping[str, Any], found: object) -> dict[str, Any]:
    """Where a `$ref` inside the description leads; itself when it leads nowhere."""
    given = _dict(found)
    target: Any = whole
    for part in str(given.get("$ref", "")).removeprefix("#/").split("/") if "$ref" in given else ():
        target = _dict(target).get(part.replace("~1", "/").replace("~0", "~"))
    return _dict(target) or given if "$ref" in given else given


def _tags(operation: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in _list(operation.get("tags"))]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
