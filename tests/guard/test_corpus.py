"""Every row of the corpora gets the verdict it names; a row's `files` replace those of its project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CORPORA = sorted(Path(__file__).parent.glob("corpus_*.jsonl"))
ROWS = [json.loads(line) for path in CORPORA for line in path.read_text(encoding="utf-8").split("\n") if line]
DECIDED = [row for row in ROWS if "stdin_b64" not in row and "stdin_parts" not in row]
FEWEST_OWN, FEWEST_DEV = 600, 250


def accepted(row: dict[str, Any]) -> list[str]:
    found: list[str] = row["accept"] if "accept" in row else [row["expect"]]
    return found


def test_the_corpora_hold_at_least_the_promised_number_of_rows() -> None:
    dev = [row for row in ROWS if row["id"].startswith("dev-")]
    assert len(dev) >= FEWEST_DEV
    assert len(ROWS) - len(dev) >= FEWEST_OWN
    assert len({row["id"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", DECIDED, ids=[row["id"] for row in DECIDED])
def test_the_verdict_on_a_call_is_one_the_corpus_accepts(
    row: dict[str, Any], fields: dict[str, Any], changed: Callable[[str, dict[str, Any]], Any]
) -> None:
    field = changed(row["state"], row["files"]) if "files" in row else fields[row["state"]]
    verdict = field.decide(row)
    assert verdict.decision in accepted(row), verdict.reason
    assert verdict.decision == "silent" or verdict.reason


def test_nothing_is_decided_without_the_shell_reader(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reader that finds no command, hundreds of rows go wrong: no verdict comes from matching text."""
    from mlresearch.guard import decide, judge

    monkeypatch.setattr(decide, "commands", lambda text, known=None: [])
    monkeypatch.setattr(judge, "commands", lambda text, known=None: [])
    plain = [row for row in DECIDED if "command" in row and "files" not in row]
    wrong = [row["id"] for row in plain if fields[row["state"]].decide(row).decision not in accepted(row)]
    assert len(wrong) > 500
