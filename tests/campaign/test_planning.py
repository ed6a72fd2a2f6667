"""A plan is gated and stored before anything runs: one lever, a real anchor, nothing sealed or protected touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes.toy_project import TRAIN, Approve, Toy
from mlresearch.campaign import opening, planning, rules, running
from mlresearch.errors import GateError, UsageError

ANCHOR = {"file": "runs/notes.txt", "quote": "the rate is too low", "reason": "the log says so"}
EDITED = TRAIN.replace("0.02 * abs", "0.01 * abs")


def by_model(toy: Toy, change: dict[str, Any] | None = None, **anchor: str) -> str:
    (toy.root / "runs" / "notes.txt").write_text("we saw that the rate\nis too low\n")
    return toy.propose(change or {}, "model", anchor=ANCHOR | anchor, deliverables=[])


def test_a_parameter_is_planned_against_the_incumbent(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 2.0})
    planned = toy.rows("planned")[-1]
    assert (name, planned["lever"], planned["config"], planned["parent"]) == (
        "e0001",
        "rate",
        {"rate": 2.0},
        "baseline",
    )
    assert rules.missing(toy.standing(), name, toy.seal().program["criteria"]) == 1
    assert not toy.standing().open


BAD_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "two parameters": ({"rate": 2.0, "width": 3}, "one lever an experiment, and rate, width"),
    "no change": ({}, "nothing differs from the incumbent"),
    "an unknown parameter": ({"depth": 2}, "'depth' is no lever"),
    "the seed": ({"seed": 2}, "'seed' is no lever"),
    "a value above the range": ({"rate": 6.1}, "outside its range"),
    "a value below the range": ({"width": 0}, "outside its range"),
    "a fraction for a whole number": ({"width": 2.5}, "outside its range"),
    "text for a number": ({"rate": "2"}, "outside its range"),
    "a truth value for a number": ({"width": True}, "outside its range"),
    "a choice that does not exist": ({"mode": "bold"}, "outside its choices"),
    "the script's own default": ({"rate": 1.0}, "is 1.0 already"),
    "another spelling of the default": ({"width": 2}, "is 2 already"),
}


@pytest.mark.parametrize(("change", "why"), BAD_CHANGES.values(), ids=BAD_CHANGES)
def test_a_change_that_is_no_single_lever_is_refused(change: dict[str, Any], why: str, measured: Approve) -> None:
    toy = measured()
    with pytest.raises(GateError, match=why):
        toy.propose(change)
    assert not toy.rows("planned")


def test_nothing_is_planned_before_the_baseline(approved: Approve) -> None:
    toy = approved()
    with pytest.raises(GateError, match="takes no plan now"):
        toy.propose({"rate": 2.0})
    opening.start(toy.path)
    with pytest.raises(GateError, match="no baseline yet"):
        toy.propose({"rate": 2.0})


def test_nothing_is_planned_past_the_last_experiment(measured: Approve) -> None:
    toy = measured({"Keep or discard": {"max_experiments": 1}})
    toy.propose({"rate": 2.0})
    with pytest.raises(GateError, match="stops here"):
        toy.propose({"rate": 3.0})


def test_the_same_change_is_not_under_way_twice(measured: Approve) -> None:
    toy = measured()
    toy.propose({"rate": 2.0})
    with pytest.raises(GateError, match="e0001 is this very change"):
        toy.propose({"rate": 2.0})
    assert len(toy.rows("planned")) == 1


def test_an_edit_is_stored_by_value_and_the_working_copy_is_the_incumbents_again(measured: Approve) -> None:
    toy = measured()
    (toy.root / "train.py").write_text(EDITED)
    name = by_model(toy)
    planned = toy.rows("planned")[-1]
    assert planned["lever"] == "train.py"
    assert (toy.root / "train.py").read_text() == TRAIN
    running.submit(toy.path, name)
    (job,) = toy.standing().open
    assert (toy.root / "runs" / "jobs" / job / "src" / "train.py").read_text() == EDITED


def test_a_plan_that_was_killed_before_its_working_copy_was_put_back_runs_once(measured: Approve) -> None:
    toy = measured()
    (toy.root / "train.py").write_text(EDITED)
    by_model(toy)
    (toy.root / "train.py").write_text(EDITED)  # as a kill right after the row leaves it
    with pytest.raises(GateError, match="e0001 is this very change"):
        by_model(toy)
    assert (toy.root / "train.py").read_text() == TRAIN
    assert len(toy.rows("planned")) == 1


def test_bytes_that_are_put_back_over_something_new_are_kept_by_hash(measured: Approve) -> None:
    toy = measured()
    (toy.root / "train.py").write_text(EDITED)
    by_model(toy)
    kept = [path.read_text() for path in (toy.root / "runs" / "files").iterdir()]
    assert sorted(kept) == sorted([EDITED, TRAIN])


def test_a_sampler_leaves_a_persons_edits_alone(measured: Approve) -> None:
    toy = measured()
    (toy.root / "train.py").write_text(EDITED)
    toy.propose({"rate": 2.0})
    assert (toy.root / "train.py").read_text() == EDITED
    assert toy.rows("planned")[-1]["files"] == toy.rows("started")[-1]["files"]


def test_an_edit_and_a_parameter_are_two_levers(measured: Approve) -> None:
    toy = measured()
    (toy.root / "train.py").write_text(EDITED)
    with pytest.raises(GateError, match=r"one lever an experiment, and rate, train\.py"):
        by_model(toy, {"rate": 2.0})
    assert (toy.root / "train.py").read_text() == EDITED


def test_an_edit_outside_editable_files_is_refused(measured: Approve) -> None:
    toy = measured({"Scope": {"editable_files": []}})
    (toy.root / "train.py").write_text(EDITED)
    with pytest.raises(GateError, match=r"train\.py was edited"):
        by_model(toy)


def test_an_edit_of_a_sealed_file_is_refused(measured: Approve) -> None:
    toy = measured()
    (toy.root / "evaluate.py").write_text("print('test_accuracy: 1.0')\n")
    with pytest.raises(GateError, match=r"sealed files differ .* evaluate\.py"):
        toy.propose({"rate": 2.0})


BAD_ANCHORS: dict[str, tuple[dict[str, str], str]] = {
    "a file that does not exist": ({"file": "runs/none.txt"}, "missing or empty"),
    "a quote that is not in it": ({"quote": "the rate is far too low"}, "does not hold"),
    "a blank quote": ({"quote": "    "}, "quotes nothing"),
    "a file outside the project": ({"file": "../store"}, "leads out of the project"),
    "an absolute path": ({"file": "/etc/passwd", "quote": "root"}, "leads out of the project"),
}


@pytest.mark.parametrize(("anchor", "why"), BAD_ANCHORS.values(), ids=BAD_ANCHORS)
def test_a_plan_without_a_real_anchor_is_refused(anchor: dict[str, str], why: str, measured: Approve) -> None:
    toy = measured()
    with pytest.raises(GateError, match=why):
        by_model(toy, {"rate": 2.0}, **anchor)
    assert not toy.rows("planned")


def test_a_link_out_of_the_project_is_no_anchor(measured: Approve) -> None:
    toy = measured()
    (toy.root / "work").mkdir()
    (toy.root / "work" / "link").symlink_to("/etc/passwd")
    with pytest.raises(GateError, match="leads out of the project"):
        by_model(toy, {"rate": 2.0}, file="work/link", quote="root")


def test_a_quote_may_cross_a_line_end(measured: Approve) -> None:
    toy = measured()
    assert by_model(toy, {"rate": 2.0}) == "e0001"


PROMISE = {
    "script": "work/e0001/look.py",
    "output": "work/e0001/look.txt",
    "question": "did the curve move?",
    "expected_if_helped": "higher",
    "expected_if_not": "the same",
}
PLAN = {
    "hypothesis": "a higher rate moves it up",
    "change": {"rate": 2.0},
    "anchor": ANCHOR,
    "deliverables": [PROMISE],
}
BAD_PLANS: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "is no JSON"),
    "a list": ("[]", "is not of type 'object'"),
    "no anchor": (json.dumps({**PLAN, "anchor": None}), "anchor"),
    "an unknown key": (json.dumps({**PLAN, "note": "x"}), "note"),
    "two parameters": (json.dumps({**PLAN, "change": {"rate": 2.0, "width": 3}}), "change"),
    "nothing promised": (json.dumps({**PLAN, "deliverables": []}), "deliverables"),
    "an output outside work": (
        json.dumps({**PLAN, "deliverables": [{**PROMISE, "output": "runs/x"}]}),
        "output",
    ),
    "too long": (" " * (planning.LARGEST + 1), "too large"),
}


@pytest.mark.parametrize(("text", "why"), BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_plan_file_that_can_not_be_read_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError, match=why):
        planning.read(str(tmp_path), "plan.json")


def test_every_fault_of_a_plan_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"hypothesis": "short", "change": {}}))
    with pytest.raises(UsageError) as told:
        planning.read(str(tmp_path), "plan.json")
    assert all(word in str(told.value) for word in ("hypothesis", "anchor", "deliverables"))


def test_a_sound_plan_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    assert planning.read(str(tmp_path), "plan.json") == PLAN


def test_a_plan_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        planning.read(str(tmp_path), "work/plan.json")
