"""Side by side: the verdicts of the guard and of one that matches text, for every class of the corpora."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import peer_rules

CORPORA = sorted(Path(__file__).parent.glob("corpus_*.jsonl"))
ROWS = [json.loads(line) for path in CORPORA for line in path.read_text(encoding="utf-8").split("\n") if line]
DECIDED = [row for row in ROWS if "stdin_b64" not in row and "stdin_parts" not in row and "files" not in row]
ALTERED = [row for row in ROWS if "files" in row]
USED = {"full": (3, 180)}  # jobs and seconds of the campaign in that state

Outcomes = dict[str, Counter[tuple[str, str]]]


def compare(rows: list[dict[str, Any]], field_of: Callable[[dict[str, Any]], Any]) -> Outcomes:
    """Count the outcomes of both guards over some rows, by class."""
    counted: Outcomes = {}
    for row in rows:
        field = field_of(row)
        accepted = row["accept"] if "accept" in row else [row["expect"]]
        call = field.call(row)
        peers = peer_rules.decide(call.tool, dict(call.input), field.root, *USED.get(row["state"], (0, 0)))
        both = {"ours": field.decide(row).decision, "peer": peers}
        counts = counted.setdefault(row["class"], Counter())
        counts.update((who, peer_rules.outcome(verdict, accepted)) for who, verdict in both.items())
    return counted


@pytest.fixture(scope="module")
def counted(fields: dict[str, Any]) -> Outcomes:
    found = compare(DECIDED, lambda row: fields[row["state"]])
    print("\n" + peer_rules.table(found))
    return found


def test_the_table_covers_every_class_of_the_corpora(counted: Outcomes) -> None:
    assert set(counted) == {row["class"] for row in DECIDED}
    assert all(counts.total() > 0 for counts in counted.values())


def test_the_guard_allows_nothing_wrongly_and_text_matching_does(counted: Outcomes) -> None:
    total = sum(counted.values(), Counter[tuple[str, str]]())
    assert total["ours", "wrong-allow"] == 0
    assert total["ours", "wrong-silent"] == 0
    assert total["peer", "wrong-allow"] > 0
    assert total["peer", "wrong-silent"] > 0
    assert total["ours", "right"] > total["peer", "right"]


@pytest.mark.parametrize("row", ALTERED, ids=[row["id"] for row in ALTERED])
def test_the_guard_allows_nothing_wrongly_in_a_damaged_project(
    row: dict[str, Any], changed: Callable[[str, dict[str, Any]], Any]
) -> None:
    (counts,) = compare([row], lambda row: changed(row["state"], row["files"])).values()
    assert not counts["ours", "wrong-allow"]
