"""A whole campaign without a model: to the end, from anywhere, once."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fakes.toy_project import STARTED, Approve, Blocks, Toy, assert_books_match
from mlresearch import ledger, store
from mlresearch.campaign import judging, loop, opening, running
from mlresearch.campaign.rules import Step
from mlresearch.campaign.state import Campaign
from mlresearch.errors import EnvelopeBreach, GateError, LedgerError
from mlresearch.jobs import Order


def silent(step: Step, campaign: Campaign) -> None:
    """Draw nothing."""


def run(toy: Toy) -> dict[str, Any]:
    return loop.run(toy.path, silent)


def test_a_campaign_runs_to_its_end_by_itself(approved: Approve) -> None:
    toy = approved()
    row = run(toy)
    assert row["event"] == "finalized"
    assert len(toy.rows("planned")) == 4
    assert toy.rows("stopped")[0]["reason"] == "experiments"
    assert_books_match(toy)


def test_a_finished_campaign_is_not_run_again(approved: Approve) -> None:
    toy = approved({"Keep or discard": {"max_experiments": 1}})
    first = run(toy)
    before = toy.rows()
    assert run(toy) == first
    assert toy.rows() == before


def test_a_campaign_that_reached_its_target_stops(approved: Approve) -> None:
    toy = approved({"Goal": {"target": 0.5}})
    run(toy)
    assert toy.rows("stopped")[0]["reason"] == "target"
    assert not toy.rows("planned")


def test_every_proposal_moves_one_lever_and_none_comes_twice(approved: Approve) -> None:
    toy = approved({"Keep or discard": {"max_experiments": 8, "stop_after_no_gain": 99}})
    run(toy)
    planned = toy.rows("planned")
    assert len(planned) == 8
    configs = [tuple(sorted(row["config"].items())) for row in planned]
    assert len(set(configs)) == 8
    assert {row["lever"] for row in planned} == {"rate", "width", "mode"}
    assert_books_match(toy)


SMALL: Blocks = {
    "Run": {
        "parameters": {
            "mode": {"flag": "--mode", "kind": "choice", "choices": ["plain", "fancy", "bold"], "default": "plain"}
        }
    },
    "Keep or discard": {"max_experiments": 30},
}


def test_a_space_that_is_used_up_ends_the_campaign_after_its_last_decision(approved: Approve) -> None:
    toy = approved(SMALL)
    run(toy)
    assert toy.rows("stopped")[0]["reason"] == "exhausted"
    assert len(toy.rows("planned")) == 2
    last = [row["state"] for row in toy.rows("decided")]
    assert len([state for state in last if state != "candidate"]) == 2
    assert_books_match(toy)


def test_the_hypothesis_says_which_way_is_better() -> None:
    goal = {"metric": "loss", "direction": "minimize"}
    told = loop.hypothesis({"rate": 0.125}, {}, goal)
    assert told == "rate at 0.125 instead of the script's default moves loss down"
    told = loop.hypothesis({"mode": "bold"}, {"mode": "plain"}, {"metric": "accuracy", "direction": "maximize"})
    assert told == "mode at bold instead of plain moves accuracy up"


def test_a_second_run_of_the_same_campaign_is_refused_at_once(approved: Approve) -> None:
    toy = approved()
    with store.locked(toy.path, "run"), pytest.raises(LedgerError, match=r"run\.lock"):
        run(toy)
    assert not toy.rows("started")


def test_callers_that_step_at_once_start_every_run_once(approved: Approve) -> None:
    toy = approved({"Budget envelope": {"max_parallel": 12}})
    opening.start(toy.path)
    threads = [threading.Thread(target=running.submit, args=(toy.path, "baseline")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    toy.measure("baseline")
    assert len(toy.starts()) == len(toy.rows("submitted")) == 3


def test_a_denial_that_the_hook_noted_leads_to_the_final_evaluation(measured: Approve) -> None:
    toy = measured()
    store.put(f"{store.root_dir(toy.path)}/denied.json", {"ts": time.time() + 1, "reason": "max_usd: asked $9"})
    run(toy)
    (row,) = toy.rows("stopped")
    assert (row["reason"], row["message"]) == ("denied", "max_usd: asked $9")
    assert not toy.rows("planned")
    assert len(toy.rows("finalized")) == 1


def test_a_breach_in_the_middle_is_recorded_and_the_final_evaluation_still_runs(measured: Approve) -> None:
    """Jobs of somebody else used up the share of the search between the plan and its run."""
    toy = measured({"Budget envelope": {"max_jobs": 12, "reserve_final": 0.4}})
    name = toy.propose({"rate": 3.0})
    for number in range(4):
        ledger.append(
            toy.path, "reserved", job=f"j10{number:02d}", label=f"l{number}", experiment=None, purpose="free",
            seed=None, seed_index=None, train_job=None, backend="local", flavor="cpu", timeout_s=60, reserved_s=60,
            ceiling_micro=0,
        )  # fmt: skip
        ledger.append(toy.path, "submitted", job=f"j10{number:02d}", job_id=f"j10{number:02d}", url=None)
        ledger.append(
            toy.path, "settled", job=f"j10{number:02d}", stage="COMPLETED", exit_code=0, billed_s=1, billed_micro=0,
            started_at=1.0, ended_at=2.0, log_sha256="",
        )  # fmt: skip
    row = run(toy)
    assert toy.rows("stopped")[0]["reason"] == "denied"
    assert "max_jobs" in toy.rows("stopped")[0]["message"]
    assert row["incumbent"]["experiment"] == "baseline"
    assert name in toy.standing().experiments
    assert ledger.verify(toy.path) == []


def test_a_run_that_the_guard_does_not_allow_ends_the_loop_with_its_reason(approved: Approve) -> None:
    toy = approved()

    def refuse(order: Order) -> None:
        raise EnvelopeBreach("not from here", terminal=False)

    with pytest.raises(EnvelopeBreach, match="not from here"):
        loop.run(toy.path, silent, refuse)
    assert not toy.starts()


def test_what_only_a_model_can_do_is_left_to_it(measured: Approve) -> None:
    toy = measured()
    (toy.root / "runs" / "notes.txt").write_text("evidence\n")
    anchor = {"file": "runs/notes.txt", "quote": "evidence", "reason": "it is there"}
    toy.propose({"rate": 3.0}, "model", anchor=anchor)
    with pytest.raises(GateError, match="can not go on by itself"):
        run(toy)


def test_a_baseline_without_a_metric_ends_with_its_reason(toy: Toy, approved: Approve) -> None:
    (toy.root / "train.py").write_text(STARTED + "print('nothing')\n")
    approved()
    with pytest.raises(GateError, match="no line of the log matches"):
        run(toy)
    with pytest.raises(GateError, match="no baseline to re-measure"):
        run(toy)
    assert toy.rows("stopped")[0]["reason"] == "unrecoverable"


def test_what_is_under_way_counts_as_good_as_the_incumbent(measured: Approve) -> None:
    toy = measured()
    toy.propose({"rate": 3.0})
    standing = toy.standing()
    assert standing.incumbent is not None
    past = loop.history(toy.path, standing)
    assert [trial.config for trial in past] == [{}, {"rate": 3.0}]
    assert past[-1].value == standing.incumbent["mean"]


def test_a_crash_is_told_to_the_sampler_as_one(toy: Toy, approved: Approve) -> None:
    script = (toy.root / "train.py").read_text()
    (toy.root / "train.py").write_text(script + "if options.rate == 5:\n    raise SystemExit(1)\n")
    approved()
    toy.baseline()
    name = toy.propose({"rate": 5.0})
    toy.measure(name)
    judging.decide(toy.path, name)
    assert loop.history(toy.path, toy.standing())[-1].value is None
