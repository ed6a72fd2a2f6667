"""Decisions: by the rule in program.md, on the ledger's numbers, with the evidence that the plan promised."""

from __future__ import annotations

import os
from typing import Any

import pytest

from fakes.toy_project import STARTED, TRAIN, Approve, Toy, assert_books_match
from mlresearch import ledger, seal
from mlresearch.campaign import judging, opening, running
from mlresearch.errors import GateError, UsageError

ANCHOR = {"file": "runs/notes.txt", "quote": "the rate is too low", "reason": "the log says so"}
DELIVERABLE = {
    "script": "work/e0001/look.py",
    "output": "work/e0001/look.txt",
    "question": "did it move?",
    "expected_if_helped": "higher",
    "expected_if_not": "the same",
}
BETTER = TRAIN.replace("default=1.0)", "default=3.0)")
WORSE = TRAIN.replace("default=1.0)", "default=0.1)")


def by_model(toy: Toy, text: str | None = None, change: dict[str, Any] | None = None) -> str:
    (toy.root / "runs" / "notes.txt").write_text("we saw that the rate is too low\n")
    if text is not None:
        (toy.root / "train.py").write_text(text)
    return toy.propose(change or {}, "model", anchor=ANCHOR, deliverables=[DELIVERABLE])


def write_analysis(toy: Toy, text: str = "it moved\n") -> None:
    folder = toy.root / "work" / "e0001"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "look.txt").write_text(text)
    (folder / "analysis.md").write_text("see look.txt\n")


def decided(toy: Toy, name: str) -> list[dict[str, Any]]:
    """Judge an experiment to its end; every decision row on the way."""
    while name in toy.standing().experiments:
        toy.measure(name)
        experiment = toy.standing().experiments[name]
        if experiment["by"] == "model" and not experiment["analysed"]:
            write_analysis(toy)
            judging.analyse(toy.path, name, "work/e0001/analysis.md")
        judging.decide(toy.path, name)
    return [row for row in toy.rows("decided") if row["experiment"] == name]


def test_a_baseline_is_the_mean_and_the_noise_of_its_seeds(measured: Approve) -> None:
    toy = measured()
    (row,) = toy.rows("baseline")
    values = [run["value"] for run in toy.rows("measured")]
    assert row["values"] == values
    assert row["mean"] == pytest.approx(sum(values) / 3)
    assert row["sigma"] > 0


def test_a_strong_change_is_confirmed_on_fresh_runs_and_becomes_the_incumbent(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 3.0})
    first, last = decided(toy, name)
    assert (first["state"], last["state"], last["decision"]) == ("candidate", "confirmed", "keep")
    assert len(last["values"]) == 2
    assert not set(first["values"]) & set(last["values"])
    incumbent = toy.standing().incumbent
    assert incumbent is not None
    assert (incumbent["experiment"], incumbent["config"]) == (name, {"rate": 3.0})
    seeds = [row["seed"] for row in toy.rows("reserved")]
    assert len(set(seeds)) == len(seeds)


def test_a_worse_change_is_discarded_after_one_run(measured: Approve) -> None:
    toy = measured()
    (row,) = decided(toy, toy.propose({"rate": 0.0}))
    assert (row["state"], row["decision"], row["gain"] < 0) == ("below_screen", "discard", True)
    assert toy.standing().no_gain == 1


def test_a_change_of_the_code_that_is_kept_becomes_the_working_copy(measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, BETTER)
    assert decided(toy, name)[-1]["decision"] == "keep"
    assert (toy.root / "train.py").read_text() == BETTER


def test_a_change_of_the_code_that_is_discarded_leaves_the_incumbents_bytes(measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, WORSE)
    assert decided(toy, name)[-1]["decision"] == "discard"
    assert (toy.root / "train.py").read_text() == TRAIN


def test_a_decision_follows_from_the_rows_before_it(measured: Approve) -> None:
    toy = measured()
    for change in ({"rate": 3.0}, {"width": 5}, {"rate": 0.0}):
        decided(toy, toy.propose(change))
    assert_books_match(toy)


def test_a_crash_has_no_metric_and_is_no_zero(measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, STARTED + "raise SystemExit(1)\n")
    (row,) = decided(toy, name)
    assert (row["state"], row["decision"], row["values"], row["gain"]) == ("crash", "crash", [None], None)
    assert (toy.root / "train.py").read_text() == TRAIN


def test_a_candidate_that_crashes_when_confirmed_is_refuted(measured: Approve) -> None:
    toy = measured()
    crashing = BETTER.replace("value =", "if toy_file.exists():\n    raise SystemExit(1)\nvalue =")
    there = f"import pathlib\ntoy_file = pathlib.Path({str(toy.root / 'crash')!r})\n"
    name = by_model(toy, there + crashing)
    toy.measure(name)
    write_analysis(toy)
    judging.analyse(toy.path, name, "work/e0001/analysis.md")
    assert judging.decide(toy.path, name)["state"] == "candidate"
    (toy.root / "crash").write_text("")
    toy.measure(name)
    row = judging.decide(toy.path, name)
    assert (row["state"], row["decision"]) == ("refuted", "discard")


def test_an_unmeasured_experiment_is_not_decided(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 3.0})
    with pytest.raises(GateError, match="not measured yet"):
        judging.decide(toy.path, name)


def test_a_models_experiment_is_not_decided_without_its_analysis(measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, change={"rate": 3.0})
    toy.measure(name)
    with pytest.raises(GateError, match="analysis of e0001 is missing"):
        judging.decide(toy.path, name)


def test_a_decided_experiment_is_not_decided_again(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 0.0})
    decided(toy, name)
    with pytest.raises(UsageError, match="is not undecided"):
        judging.decide(toy.path, name)


def test_nothing_is_decided_while_a_sealed_file_differs(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 3.0})
    toy.measure(name)
    (toy.root / "evaluate.py").write_text("print()\n")
    with pytest.raises(GateError, match="sealed files differ"):
        judging.decide(toy.path, name)


SPOILED: dict[str, tuple[str, str]] = {
    "missing": ("missing", r"work/e0001/look\.txt does not exist"),
    "empty": ("empty", r"work/e0001/look\.txt is empty"),
    "older than the plan": ("older", r"work/e0001/look\.txt is older than the plan"),
    "outside the project": ("outside", "leads out of the project"),
}


@pytest.mark.parametrize(("how", "why"), SPOILED.values(), ids=SPOILED)
def test_an_analysis_needs_every_promised_file(how: str, why: str, measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, change={"rate": 3.0})
    toy.measure(name)
    write_analysis(toy, "" if how == "empty" else "it moved\n")
    output = toy.root / "work" / "e0001" / "look.txt"
    if how == "missing":
        output.unlink()
    elif how == "older":
        os.utime(output, (1, 1))
    elif how == "outside":
        output.unlink()
        output.symlink_to("/etc/hostname")
    with pytest.raises(GateError, match=why):
        judging.analyse(toy.path, name, "work/e0001/analysis.md")
    assert not toy.rows("analysed")


def test_a_missing_analysis_text_is_named(measured: Approve) -> None:
    toy = measured()
    name = by_model(toy, change={"rate": 3.0})
    toy.measure(name)
    write_analysis(toy)
    with pytest.raises(GateError, match=r"work/e0001/other\.md does not exist"):
        judging.analyse(toy.path, name, "work/e0001/other.md")


def test_an_analysis_waits_for_the_runs(measured: Approve) -> None:
    toy = measured({"Run": {"args": ["--out", "{out}", "--sleep", "0.5"]}})
    name = by_model(toy, change={"rate": 3.0})
    running.submit(toy.path, name)
    with pytest.raises(GateError, match="still under way"):
        judging.analyse(toy.path, name, "work/e0001/analysis.md")


def test_a_baseline_whose_seeds_change_nothing_is_refused_and_stops(toy: Toy, approved: Approve) -> None:
    (toy.root / "train.py").write_text(STARTED + "print('val_accuracy: 0.9')\n")
    approved()
    opening.start(toy.path)
    toy.measure("baseline")
    with pytest.raises(GateError, match="the seed is not wired"):
        judging.decide(toy.path, "baseline")
    (row,) = toy.rows("stopped")
    assert row["reason"] == "unrecoverable"


def test_a_baseline_that_crashes_names_its_log_and_begins_anew_when_mended(toy: Toy, approved: Approve) -> None:
    (toy.root / "train.py").write_text(STARTED + "raise SystemExit(1)\n")
    approved()
    opening.start(toy.path)
    toy.measure("baseline")
    with pytest.raises(GateError, match=r"runs/jobs/j000\d/log\.txt"):
        judging.decide(toy.path, "baseline")
    campaign = toy.standing().campaign
    (toy.root / "train.py").write_text(TRAIN)
    toy.approve()
    assert toy.standing().campaign != campaign
    toy.baseline()
    assert toy.standing().baseline is not None
    assert not (toy.root / "data" / "test.txt").exists()
    assert ledger.verify(toy.path) == []


@pytest.mark.parametrize(
    ("simpler", "values", "state"),
    [
        (True, [0.9000, 0.9001], "confirmed"),
        (True, [0.8990, 0.8991], "confirmed"),
        (True, [0.8970, 0.8971], "refuted"),
        (False, [0.9000, 0.9001], "refuted"),
    ],
    ids=["simpler and equal", "simpler, within half the noise", "simpler, and worse", "equal, not simpler"],
)
def test_fewer_lines_are_kept_unless_they_cost_half_the_noise(
    measured: Approve, simpler: bool, values: list[float], state: str
) -> None:
    toy = measured()
    standing, approved = toy.standing(), seal.load(toy.path)
    assert standing.baseline is not None and standing.incumbent is not None and approved is not None
    known = [0.898, 0.900, 0.902]
    standing.baseline |= {"values": known, "sigma": 0.002, "mean": 0.9}
    standing.incumbent |= {"values": known, "mean": 0.9}
    runs = [{"purpose": "confirm", "value": value, "stage": "COMPLETED", "job": "j"} for value in values]
    experiment = {"stage": "confirm", "runs": runs, "by": "model"}
    assert judging.judge(standing, experiment, approved, simpler)["state"] == state


def test_an_edit_with_fewer_lines_is_noticed(toy: Toy, approved: Approve) -> None:
    (toy.root / "train.py").write_text(TRAIN + "\n".join(f"spare_{n} = {n}" for n in range(5)) + "\n")
    approved({"Keep or discard": {"prefer_simpler": True}})
    toy.baseline()
    name = by_model(toy, TRAIN)
    assert decided(toy, name)[0]["simpler"]
