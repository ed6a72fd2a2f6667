"""Checks a value against one of the package's JSON Schemas, and tells every fault in the value's own terms."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mlresearch.errors import UsageError

FOLDER = Path(__file__).parent / "schemas"
LONGEST = 240


@cache
def load(name: str) -> dict[str, Any]:
    """The schema `NAME.schema.json`; raises UsageError naming those that exist."""
    path = FOLDER / f"{name}.schema.json"
    if not path.is_file():
        known = ", ".join(sorted(file.name.removesuffix(".schema.json") for file in FOLDER.glob("*.schema.json")))
        raise UsageError(f"there is no schema {name!r}", known)
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def faults(name: str, value: object) -> list[str]:
    """Every fault as `place: what is wrong`; an empty list means that the value is valid."""
    return sorted({_told(leaf) for error in _validator(name).iter_errors(value) for leaf in _leaves(error)})


@cache
def _validator(name: str) -> Any:
    """Draft 2020-12, but 5.0 is no integer: Python would go on with a float where a count is meant."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, type_checker=checker)(load(name))  # type: ignore[no-untyped-call]


def _leaves(error: Any) -> list[Any]:
    """Of several alternatives, what is wrong with the one whose type fits: the others say nothing to a reader."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [found for found in branches.values() if not any(e.validator == "type" and not e.path for e in found)]
    return fitting[0] if len(fitting) == 1 else [error]


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    hint = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    message = " ".join(error.message.split())
    if len(message) > LONGEST:  # a long value comes first, and what is wrong with it last
        message = f"{message[:80]} … {message[80 - LONGEST :]}"
    told = f"{place}: {message}" if place else message
    return f"{told} ({hint})" if hint else told
