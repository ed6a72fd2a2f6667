"""runs/experiments.jsonl, runs/summary.md and runs/report.html follow from the ledger and can be made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes.toy_project import STARTED, Approve, Toy
from mlresearch import ledger
from mlresearch.campaign import closing, derived, judging, running
from mlresearch.errors import SealError

FIELDS = [
    "iter", "ts", "hypothesis", "config", "job_id", "status", "metric", "hub_url", "decision", "best_so_far", "timeout",
]  # fmt: skip


def lines(toy: Toy) -> list[dict[str, Any]]:
    text = Path(derived.write(toy.path)["experiments.jsonl"]).read_text()
    return [json.loads(line) for line in text.splitlines()]


def decide(toy: Toy, change: dict[str, Any]) -> None:
    name = toy.propose(change)
    while name in toy.standing().experiments:
        toy.measure(name)
        judging.decide(toy.path, name)


def test_every_experiment_is_one_line_with_exactly_these_fields(measured: Approve) -> None:
    toy = measured()
    decide(toy, {"rate": 3.0})
    decide(toy, {"rate": 0.0})
    found = lines(toy)
    assert [list(line) for line in found] == [FIELDS] * 3
    baseline, kept, dropped = found
    assert [line["iter"] for line in found] == [0, 1, 2]
    assert [line["decision"] for line in found] == ["keep", "keep", "discard"]
    assert [line["status"] for line in found] == ["completed"] * 3
    assert [len(line["job_id"]) for line in found] == [3, 3, 1]
    assert {line["timeout"] for line in found} == {"1m"}
    assert kept["config"] == {"rate": 3.0}
    assert kept["metric"] == kept["best_so_far"] == dropped["best_so_far"] > baseline["best_so_far"]
    assert all(set(line["job_id"]) <= {row["job_id"] for row in toy.rows("submitted")} for line in found)


def test_a_crash_has_no_metric(toy: Toy, approved: Approve) -> None:
    script = (toy.root / "train.py").read_text()
    (toy.root / "train.py").write_text(script + "if options.rate == 5:\n    raise SystemExit(1)\n")
    approved()
    toy.baseline()
    decide(toy, {"rate": 5.0})
    line = lines(toy)[-1]
    assert (line["metric"], line["decision"], line["status"]) == (None, "crash", "error")
    assert line["best_so_far"] == lines(toy)[0]["metric"]


def test_what_is_under_way_has_no_decision_yet(measured: Approve) -> None:
    toy = measured({"Run": {"args": ["--out", "{out}", "--sleep", "0.3"]}})
    planned = toy.propose({"rate": 3.0})
    assert (lines(toy)[-1]["status"], lines(toy)[-1]["job_id"]) == ("planned", [])
    running.submit(toy.path, planned)
    assert (lines(toy)[-1]["status"], lines(toy)[-1]["decision"]) == ("submitted", None)


def test_final_and_free_jobs_are_no_experiments_runs(measured: Approve) -> None:
    toy = measured()
    decide(toy, {"rate": 3.0})
    before = lines(toy)
    while not closing.finalize_step(toy.path):
        running.collect(toy.path, 10.0)
    ledger.append(
        toy.path, "reserved", job="j0999", label="l", experiment="e0001", purpose="free", seed=None, seed_index=None,
        train_job=None, backend="local", flavor="cpu", timeout_s=7, reserved_s=7, ceiling_micro=0,
    )  # fmt: skip
    ledger.append(toy.path, "submitted", job="j0999", job_id="j0999", url=None)
    assert lines(toy) == before


def test_the_files_are_made_again_to_the_byte(measured: Approve) -> None:
    toy = measured()
    decide(toy, {"rate": 3.0})
    written = derived.write(toy.path)
    names = ("experiments.jsonl", "summary.md", "report.html")
    first = {name: Path(written[name]).read_bytes() for name in names}
    for name in names:
        Path(written[name]).unlink()
    derived.write(toy.path)
    assert {name: Path(written[name]).read_bytes() for name in names} == first
    assert all(first.values())


def test_a_campaign_that_is_over_can_still_be_told(measured: Approve) -> None:
    toy = measured()
    decide(toy, {"rate": 3.0})
    while not closing.finalize_step(toy.path):
        running.collect(toy.path, 10.0)
    assert derived.write(toy.path)["headline"].startswith("won: baseline")


def test_only_the_last_campaign_is_told(measured: Approve) -> None:
    toy = measured()
    while not closing.finalize_step(toy.path):
        running.collect(toy.path, 10.0)
    toy.approve()
    assert lines(toy) == []
    toy.baseline()
    assert [line["iter"] for line in lines(toy)] == [0]


def test_a_folder_without_a_campaign_has_nothing_to_tell(toy: Toy) -> None:
    with pytest.raises(SealError, match="there was no campaign"):
        derived.write(toy.path)


def test_a_retried_run_is_listed_with_the_others(toy: Toy, approved: Approve) -> None:
    dying = (
        STARTED
        + f"""
import pathlib
mark = pathlib.Path({str(toy.root / "died")!r})
if not mark.exists():
    mark.write_text("")
    os.kill(os.getpid(), 9)
"""
    )
    script = (toy.root / "train.py").read_text()
    (toy.root / "train.py").write_text(dying + script.removeprefix(STARTED))
    approved({"Budget envelope": {"max_parallel": 1}})
    toy.baseline()
    assert len(lines(toy)[0]["job_id"]) == 4
    assert toy.standing().baseline is not None
