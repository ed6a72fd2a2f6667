"""A schema as the lines that an agent fills in: each field's type, its limits and its meaning, and nothing left out."""

from __future__ import annotations

from typing import Any

import pytest

from mlresearch import schema
from mlresearch.pipeline import form, steps

SHAPES: list[tuple[dict[str, Any], str]] = [
    ({"type": "boolean"}, "boolean"),
    ({"type": ["string", "null"], "minLength": 10, "maxLength": 2000}, "string|null, 10 to 2000 characters"),
    ({"type": "string", "minLength": 1}, "string"),
    ({"type": "string", "pattern": r"^j\d{4,}$"}, r"string, matches ^j\d{4,}$"),
    ({"type": ["string", "null"], "enum": ["lora", None]}, "one of lora, null"),
    ({"type": "integer", "minimum": 1}, "integer, at least 1"),
    ({"type": "number", "exclusiveMinimum": 0}, "number, above 0"),
    ({"type": "array", "items": {"type": "object"}, "minItems": 1}, "array of object, at least 1 item"),
    (
        {"type": "array", "items": {"type": "string", "maxLength": 4000}, "minItems": 1, "maxItems": 10},
        "array of string, 1 to 10 items, each at most 4000 characters",
    ),
    (
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 8},
        "array of string, at most 8 items, each one of a, b",
    ),
    ({"type": "object", "additionalProperties": {"type": ["integer", "null"]}}, "object of integer|null by name"),
    ({"type": "object", "properties": {}, "additionalProperties": False}, "object"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "told"), SHAPES, ids=[told for _, told in SHAPES])
def test_a_field_tells_its_type_and_its_limits(node: dict[str, Any], told: str) -> None:
    described = node | {"description": "what it is"}
    assert next(iter(form.lines({"properties": {"x": described}, "required": ["x"]}))) == f"  x ({told}): what it is"


def test_what_one_of_many_is_stands_beside_what_all_of_them_are() -> None:
    items = {"type": "string", "description": "one real row"}
    node = {"type": "array", "items": items, "description": "real rows"}
    assert list(form.lines({"properties": {"samples": node}, "required": ["samples"]})) == [
        "  samples (array of string): real rows; each: one real row"
    ]


def test_a_field_that_may_be_left_out_says_so() -> None:
    node = {"properties": {"x": {"type": "string", "description": "a word"}}}
    assert list(form.lines(node)) == ["  x (string, may be left out): a word"]


@pytest.mark.parametrize("name", sorted({step.schema for step in steps.STEPS} | {"failure"}))
def test_every_list_of_every_answer_says_what_it_is_a_list_of(name: str) -> None:
    told = list(form.lines(schema.load(f"pipeline/{name}")))
    assert told
    assert not [line for line in told if "(array)" in line or "(array," in line]
