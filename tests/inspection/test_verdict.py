"""The verdict per method: it never overlooks an absent column, and the mapping it hands out does what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlresearch import data_rules
from mlresearch.data_rules import METHODS
from mlresearch.inspection import features, kinds, verdict
from mlresearch.inspection.columns import ColumnSeen
from mlresearch.inspection.kinds import Fact
from mlresearch.inspection.verdict import Verdict

Rows = Sequence[Mapping[str, Any]]
SAID = {"role": "assistant", "content": "an answer"}
ASKED = {"role": "user", "content": "a question"}

NAMES = sorted({name for rule in METHODS.values() for form in rule.forms for c in form.required for name in [c.name]})
HOLDS = [*data_rules.KINDS, kinds.SHAREGPT, kinds.JSON_CHAT, kinds.CLASS_TEXT, kinds.TWO_CLASSES, kinds.IMAGE_BYTES]
FACTS = st.builds(
    Fact,
    st.sampled_from([*NAMES, "question", "conversations", "target", "input", "instruction", "名前", "x"]),
    st.frozensets(st.sampled_from(HOLDS), max_size=3),
    nulls=st.integers(0, 5),
    filled=st.integers(0, 5),
    conversations=st.integers(0, 5),
    last=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.integers(0, 5)), max_size=2).map(tuple),
    first=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.integers(0, 5)), max_size=2).map(tuple),
    classes=st.just((0, 1)),
)


def facts_of(rows: Rows) -> list[Fact]:
    seen: dict[str, ColumnSeen] = {}
    for place, row in enumerate(rows):
        for name, value in row.items():
            seen.setdefault(name, ColumnSeen()).add(value, place)
    return kinds.facts(features.from_values(rows), seen, len(rows))


def judged(method: str, rows: Rows) -> Verdict:
    return verdict.judge(method, facts_of(rows), len(rows))


def converted(found: Verdict, rows: Rows) -> list[dict[str, Any]]:
    """The rows after the code that the verdict hands out, run as a reader would run it."""
    space: dict[str, Any] = {}
    exec(found.code, space)
    if "batched" in found.apply:
        batch = {name: [row[name] for row in rows] for name in rows[0]}
        made = space["convert"](batch)
        return [dict(zip(made, cells, strict=True)) for cells in zip(*made.values(), strict=True)]
    return [space["convert"](row) for row in rows]


MANY = range(30)
MAPPED: dict[str, tuple[str, Rows]] = {
    "turns as from and value": (
        "sft",
        [{"conversations": [{"from": "human", "value": f"{i}"}, {"from": "gpt", "value": "a"}]} for i in MANY],
    ),
    "a conversation as JSON text": (
        "sft",
        [{"chat": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'} for _ in MANY],
    ),
    "JSON text with from and value": (
        "sft",
        [{"chat": '[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]'} for _ in MANY],
    ),
    "instruction, input and output": (
        "sft",
        [{"instruction": f"add {i}", "input": "to 2", "output": f"it is {i + 2}"} for i in MANY],
    ),
    "question and answer": ("sft", [{"question": f"q{i}", "answer": f"a long answer {i}"} for i in MANY]),
    "a conversation as a prompt": ("grpo", [{"messages": [ASKED, SAID]} for _ in MANY]),
    "whole conversations as a pair": (
        "dpo",
        [{"chosen": [ASKED, SAID], "rejected": [ASKED, {"role": "assistant", "content": "no"}]} for _ in MANY],
    ),
    "a text prompt beside whole conversations": (
        "dpo",
        [
            {"prompt": "q", "chosen": [ASKED, SAID], "rejected": [ASKED, {"role": "assistant", "content": "no"}]}
            for _ in MANY
        ],
    ),
    "a text prompt beside single answers": (
        "dpo",
        [{"prompt": f"q{i}", "chosen": [SAID], "rejected": [{"role": "assistant", "content": "no"}]} for i in MANY],
    ),
    "a preference pair for kto": ("kto", [{"prompt": f"q{i}", "chosen": f"a{i}", "rejected": f"b{i}"} for i in MANY]),
    "0 and 1 as a flag": ("kto", [{"prompt": f"q{i}", "completion": f"a{i}", "label": i % 2} for i in MANY]),
    "a judged conversation": ("kto", [{"messages": [ASKED, SAID], "label": i % 2 == 0} for i in MANY]),
    "labels as words": ("classification", [{"text": f"t{i}", "label": "pos" if i % 3 else "neg"} for i in MANY]),
    "a flag as a class": ("classification", [{"review": f"t{i} long", "label": i % 3 == 0} for i in MANY]),
    "pairs of sentences under other names": (
        "classification",
        [{"premise": f"p{i}", "hypothesis": f"h{i}", "label": i % 3} for i in MANY],
    ),
    "query and answer": ("embedding", [{"query": f"q{i}", "answer": f"a{i}"} for i in MANY]),
    "a lone text column": ("pretraining", [{"story": f"once upon a time {i}"} for i in MANY]),
    "better and worse": ("reward", [{"preferred": f"a{i}", "dispreferred": f"b{i}"} for i in MANY]),
}


@pytest.mark.parametrize("name", MAPPED)
def test_the_mapping_that_is_handed_out_makes_the_data_compatible(name: str) -> None:
    method, rows = MAPPED[name]
    before = judged(method, rows)
    assert before.status == verdict.NEEDS_MAPPING, before
    after = judged(method, converted(before, rows))
    assert after.status == verdict.COMPATIBLE, (before.code, after)


def test_images_as_bytes_or_paths_are_mapped_to_the_struct_that_is_cast() -> None:
    from inspection.shapes import picture

    for cell, made in (
        (picture(1), {"bytes": picture(1), "path": None}),
        ("a/b.png", {"bytes": None, "path": "a/b.png"}),
    ):
        rows = [{"img": cell, "label": place % 2} for place in MANY]
        found = judged("vision", rows)
        assert found.status == verdict.NEEDS_MAPPING
        assert "cast_column('image', datasets.Image())" in found.apply
        assert converted(found, rows)[0]["image"] == made


COMPATIBLE: dict[str, tuple[str, Rows]] = {
    "sft of messages": ("sft", [{"messages": [ASKED, SAID]}] * 3),
    "sft of prompt and completion": ("sft", [{"prompt": f"{i}", "completion": f"{i}!"} for i in MANY]),
    "sft of text": ("sft", [{"text": f"t{i}"} for i in MANY]),
    "grpo with further columns": ("grpo", [{"prompt": f"q{i}", "solution": f"{i}"} for i in MANY]),
    "grpo of conversations": ("grpo", [{"prompt": [ASKED]}] * 3),
    "kto": ("kto", [{"prompt": "q", "completion": "a", "label": True}] * 3),
    "reward without a prompt": ("reward", [{"chosen": f"a{i}", "rejected": f"b{i}"} for i in MANY]),
    "classification": ("classification", [{"text": f"t{i}", "label": i % 4} for i in MANY]),
    "triplets": ("embedding", [{"anchor": f"a{i}", "positive": f"b{i}", "negative": f"c{i}"} for i in MANY]),
    "scored pairs": ("embedding", [{"sentence1": f"a{i}", "sentence2": f"b{i}", "score": i / 30} for i in MANY]),
    "pretraining": ("pretraining", [{"text": f"t{i}"} for i in MANY]),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_data_in_the_documented_form_is_compatible_without_a_mapping(name: str) -> None:
    method, rows = COMPATIBLE[name]
    found = judged(method, rows)
    assert (found.status, found.mapping, found.code) == (verdict.COMPATIBLE, {}, "")


INCOMPATIBLE: dict[str, tuple[str, Rows, str]] = {
    "no rejected answer": ("dpo", [{"prompt": "q", "chosen": "a"}] * 3, "rejected (text or chat): no such column"),
    "nobody answers": ("sft", [{"messages": [ASKED]}] * 3, "no conversation ends with the role assistant"),
    "a label of many words": ("kto", [{"prompt": "q", "completion": "a", "label": "fine"}] * 3, "label (flag): it is"),
    "only nulls": ("sft", [{"text": None}] * 3, "every sampled value is null"),
    "an identifier is no class": (
        "classification",
        [{"text": f"t{i}", "label": i} for i in MANY],
        "label (class): it is int64",
    ),
}


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_what_is_missing_is_named_with_its_reason(name: str) -> None:
    method, rows, reason = INCOMPATIBLE[name]
    found = judged(method, rows)
    assert found.status == verdict.INCOMPATIBLE
    assert any(reason in line for line in found.missing), found.missing


def test_nulls_and_conversations_without_an_answer_are_warned_of() -> None:
    rows: Rows = [{"messages": [ASKED, SAID]}, {"messages": [ASKED]}, {"messages": None}]
    assert judged("sft", rows).warnings == (
        "messages is null in 1 of 3 sampled rows",
        "messages: 1 of 2 conversations do not end with the assistant",
    )


def test_tools_under_another_name_are_part_of_the_mapping() -> None:
    tools = '[{"type": "function"}]'
    found = judged("sft", [{"messages": [ASKED, SAID], "functions": tools}] * 3)
    assert found.status == verdict.COMPATIBLE
    assert found.mapping == {"messages": "messages", "tools": "functions"}


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(sorted(METHODS)), st.lists(FACTS, max_size=6, unique_by=lambda fact: fact.name))
def test_never_compatible_when_a_required_column_is_absent(method: str, facts: list[Fact]) -> None:
    found = verdict.judge(method, facts, 5)
    form = next(form for form in METHODS[method].forms if form.name == found.form)
    there = {fact.name: fact for fact in facts}
    if found.status == verdict.COMPATIBLE:
        for column in form.required:
            assert set(column.kinds) & there[column.name].holds
    if found.status == verdict.INCOMPATIBLE:
        assert found.missing and not found.code
    if found.status == verdict.NEEDS_MAPPING:
        sources = {each for value in found.mapping.values() for each in ([value] if isinstance(value, str) else value)}
        assert sources - {"which side it is"} <= set(there)
        compile(found.code, "mapping", "exec")


@settings(deadline=None)
@given(st.lists(st.sampled_from(NAMES), unique=True, max_size=8))
def test_columns_of_the_wrong_kind_are_never_taken_for_the_right_one(names: list[str]) -> None:
    facts = [Fact(name, frozenset()) for name in names]
    assert {verdict.judge(method, facts, 5).status for method in METHODS} == {verdict.INCOMPATIBLE}
