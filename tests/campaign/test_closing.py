"""Finalize: fresh seeds, the sealed data opened once, everything back in its place. And approval that goes on."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import pytest

from fakes.toy_project import Approve, Toy, assert_books_match
from mlresearch import ledger, seal, store
from mlresearch.campaign import approval, closing, judging, opening, rules, running, state
from mlresearch.errors import EnvelopeBreach, GateError, SealError, UsageError
from mlresearch.jobs import Order

DATA = Path("data/test.txt")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def decide(toy: Toy, rate: float) -> str:
    name = toy.propose({"rate": rate})
    while name in toy.standing().experiments:
        toy.measure(name)
        judging.decide(toy.path, name)
    return name


def finalize(toy: Toy) -> int:
    """Step to the end; how many steps it took."""
    steps = 1
    while not closing.finalize_step(toy.path):
        running.collect(toy.path, 10.0)
        steps += 1
    return steps


def test_sealed_data_is_out_of_the_project_until_the_end_and_back_to_the_byte(approved: Approve) -> None:
    toy = approved()
    before = digest(toy.root / DATA)
    toy.baseline()
    assert not (toy.root / DATA).exists()
    assert digest(opening.sealed_folder(toy.path) / DATA) == before
    assert toy.rows("started")[0]["data"] == {str(DATA): before}
    finalize(toy)
    assert digest(toy.root / DATA) == before
    assert not opening.sealed_folder(toy.path).exists()


def test_both_finalists_are_trained_on_the_same_fresh_seeds_and_scored_once(measured: Approve) -> None:
    toy = measured({"Keep or discard": {"final_seeds": 2}})
    name = decide(toy, 3.0)
    finalize(toy)
    finals = [row for row in toy.rows("reserved") if row["purpose"].startswith("final")]
    plan = [(row["experiment"], row["purpose"]) for row in finals]
    assert sorted(plan) == sorted([(n, p) for n in ("baseline", name) for p in ("final_train", "final_score")] * 2)
    searched = {row["seed"] for row in toy.rows("reserved") if not row["purpose"].startswith("final")}
    fresh = {row["seed"] for row in finals}
    assert len(fresh) == 2
    assert not fresh & searched
    (row,) = toy.rows("finalized")
    for told in (row["baseline"], row["incumbent"]):
        assert len(told["fresh"]) == len(told["sealed"]) == 2
        assert [sealed - value for value, sealed in zip(told["fresh"], told["sealed"], strict=True)] == [
            pytest.approx(-0.003)
        ] * 2
    assert row["gap"] == pytest.approx(sum(row["incumbent"]["sealed"]) / 2 - row["incumbent"]["search"])
    assert_books_match(toy)


def test_the_data_is_opened_once_whatever_is_killed_and_repeated(measured: Approve) -> None:
    toy = measured()
    decide(toy, 3.0)
    assert not closing.finalize_step(toy.path)
    assert not closing.finalize_step(toy.path)
    finalize(toy)
    assert len(toy.rows("opened")) == len(toy.rows("finalized")) == 1
    assert_books_match(toy)


def test_a_second_finalize_does_no_harm(measured: Approve) -> None:
    toy = measured()
    decide(toy, 3.0)
    finalize(toy)
    before = toy.rows()
    (toy.root / DATA).write_text("edited afterwards")
    assert closing.finalize_step(toy.path)
    assert toy.rows() == before
    assert (toy.root / DATA).read_text() == "edited afterwards"
    assert state.finished(toy.path) == toy.rows("finalized")[0]


def test_a_kill_between_the_last_row_and_the_closing_is_made_good(measured: Approve) -> None:
    toy = measured()
    decide(toy, 3.0)
    finalize(toy)
    # as it was before the last two acts
    campaign = toy.standing().campaign
    Path(f"{store.root_dir(toy.path)}/closed-{campaign}.json").rename(store.seal_path(toy.path))
    opening.put_away(toy.path, [str(DATA)])
    assert state.finished(toy.path) is None
    assert closing.finalize_step(toy.path)
    assert (toy.root / DATA).exists()
    assert seal.load(toy.path) is None
    assert len(toy.rows("finalized")) == 1


def test_after_finalize_nothing_is_authorized(measured: Approve) -> None:
    toy = measured()
    decide(toy, 3.0)
    finalize(toy)
    with pytest.raises(SealError):
        running.submit(toy.path, "baseline")


def test_finalize_without_a_baseline_is_refused(approved: Approve) -> None:
    toy = approved()
    with pytest.raises(GateError, match="no baseline"):
        closing.finalize_step(toy.path)
    assert not toy.rows("opened")


def test_finalize_refuses_an_edited_evaluation(measured: Approve) -> None:
    toy = measured()
    (toy.root / "evaluate.py").write_text("print('test_accuracy: 1.0')\n")
    with pytest.raises(GateError, match=r"evaluate\.py"):
        closing.finalize_step(toy.path)
    assert not toy.rows("opened")


def test_finalize_refuses_sealed_data_that_is_not_what_was_sealed(measured: Approve) -> None:
    toy = measured()
    (opening.sealed_folder(toy.path) / DATA).write_text("0.0")
    with pytest.raises(GateError, match=r"data/test\.txt"):
        closing.finalize_step(toy.path)
    assert not toy.rows("opened")


def test_finalize_in_the_middle_says_that_it_was_asked(measured: Approve) -> None:
    toy = measured()
    toy.propose({"rate": 3.0})
    finalize(toy)
    (row,) = toy.rows("stopped")
    assert row["reason"] == "asked"
    assert toy.rows("finalized")[0]["incumbent"]["experiment"] == "baseline"


def test_no_experiment_is_planned_once_the_data_is_open(measured: Approve) -> None:
    toy = measured()
    closing.finalize_step(toy.path)
    with pytest.raises(GateError, match="takes no plan now"):
        toy.propose({"rate": 3.0})


def test_a_scoring_run_that_fails_leaves_no_number(toy: Toy, approved: Approve) -> None:
    (toy.root / "evaluate.py").write_text("raise SystemExit(1)\n")
    approved()
    toy.baseline()
    finalize(toy)
    (row,) = toy.rows("finalized")
    assert (row["incumbent"]["sealed"], row["gap"]) == ([None], None)


def test_without_a_sealed_evaluation_the_fresh_runs_are_the_result(approved: Approve) -> None:
    toy = approved({"Goal": {"final": None}})
    toy.baseline()
    finalize(toy)
    (row,) = toy.rows("finalized")
    assert (len(row["baseline"]["fresh"]), row["baseline"]["sealed"], row["gap"]) == (1, [], None)


def test_the_guard_is_asked_for_every_final_run(measured: Approve) -> None:
    toy = measured()

    def refuse(order: Order) -> None:
        raise EnvelopeBreach("not from here", terminal=False)

    with pytest.raises(EnvelopeBreach, match="not from here"):
        closing.finalize_step(toy.path, refuse)
    assert not [row for row in toy.rows("reserved") if row["purpose"].startswith("final")]


# the search may use 5 of 10 jobs, the final evaluation the rest
def test_the_share_that_was_kept_pays_for_the_final_evaluation(measured: Approve) -> None:
    toy = measured({"Budget envelope": {"max_jobs": 8, "reserve_final": 0.5}})
    with pytest.raises(GateError, match=r"stops here \(budget\)"):
        toy.propose({"rate": 3.0})
    finalize(toy)
    assert toy.rows("stopped")[0]["reason"] == "budget"
    assert_complete(toy)


def assert_complete(toy: Toy) -> None:
    assert len(toy.rows("finalized")) == 1
    assert ledger.verify(toy.path) == []
    assert not toy.standing().open


def test_a_campaign_is_started_once(measured: Approve) -> None:
    toy = measured()
    with pytest.raises(UsageError, match="already started"):
        opening.start(toy.path)
    assert len(toy.rows("started")) == 1


def test_a_start_that_was_killed_after_moving_the_data_is_repeated(approved: Approve) -> None:
    toy = approved()
    before = digest(toy.root / DATA)
    opening.put_away(toy.path, [str(DATA)])
    opening.start(toy.path)
    assert toy.rows("started")[0]["data"] == {str(DATA): before}


@pytest.mark.parametrize("name", ["train.py", "evaluate.py", "data/test.txt"])
def test_a_start_with_a_missing_file_moves_nothing(name: str, approved: Approve) -> None:
    toy = approved()
    (toy.root / name).unlink()
    with pytest.raises(GateError, match=name):
        opening.start(toy.path)
    assert not toy.rows("started")
    assert name == str(DATA) or (toy.root / DATA).exists()


def test_different_data_under_a_sealed_name_overwrites_neither(measured: Approve) -> None:
    toy = measured()
    (toy.root / DATA).write_text("other")
    with pytest.raises(GateError, match="differs from the data that was sealed"):
        opening.put_away(toy.path, [str(DATA)])
    approval.revoke(toy.path)
    assert (toy.root / DATA).read_text() == "other"
    assert (toy.root / "data" / "test.txt.sealed").read_text() == "0.003"


def test_the_half_of_a_killed_copy_is_not_brought_back(measured: Approve) -> None:
    toy = measured()
    (opening.sealed_folder(toy.path) / "data" / ("test.txt" + opening.PARTIAL)).write_text("0.0")
    approval.revoke(toy.path)
    assert [path.name for path in (toy.root / "data").iterdir()] == ["test.txt"]
    assert not opening.sealed_folder(toy.path).exists()


def test_sealed_data_that_finds_no_free_name_stays_in_the_store(measured: Approve) -> None:
    toy = measured()
    (toy.root / DATA).write_text("other")
    (toy.root / "data" / "test.txt.sealed").write_text("a third")
    approval.revoke(toy.path)
    assert (opening.sealed_folder(toy.path) / DATA).read_text() == "0.003"


def test_sealed_data_may_not_lead_out_of_the_project(approved: Approve, tmp_path: Path) -> None:
    toy = approved()
    (tmp_path / "outside").write_text("x")
    (toy.root / DATA).unlink()
    (toy.root / DATA).symlink_to(tmp_path / "outside")
    with pytest.raises(GateError, match="leads out of the project"):
        opening.start(toy.path)
    assert (tmp_path / "outside").exists()


def test_approval_with_higher_limits_keeps_totals_seeds_and_experiments(measured: Approve) -> None:
    toy = measured()
    name = decide(toy, 3.0)
    before, salt = toy.standing(), toy.seal().salt
    toy.rewrite({"Budget envelope": {"max_jobs": 90}})
    with pytest.raises(SealError, match="differs from what was approved"):
        toy.propose({"width": 3})
    time.sleep(0.01)
    toy.approve()
    after = toy.standing()
    assert toy.seal().envelope.max_jobs == 90
    assert toy.seal().salt == salt
    assert after.campaign == before.campaign
    assert (after.jobs, after.seconds, after.next_seed) == (before.jobs, before.seconds, before.next_seed)
    assert after.incumbent == before.incumbent
    assert after.incumbent is not None
    assert after.incumbent["experiment"] == name
    decide(toy, 2.9)
    seeds = [row["seed"] for row in toy.rows("reserved")]
    assert len(set(seeds)) == len(seeds)


def test_approval_reopens_a_campaign_that_a_breach_had_ended(measured: Approve) -> None:
    toy = measured({"Budget envelope": {"max_jobs": 8}})
    ledger.append(toy.path, "stopped", reason="denied", message="max_jobs")
    toy.rewrite()
    toy.approve()
    assert toy.standing().stopped is None
    assert toy.propose({"rate": 3.0}) == "e0001"


def test_spending_before_the_start_counts_when_the_person_approves_again(approved: Approve) -> None:
    toy = approved()
    ledger.append(
        toy.path, "reserved", job="j0001", label="l", experiment=None, purpose="free", seed=None, seed_index=None,
        train_job=None, backend="local", flavor="cpu", timeout_s=60, reserved_s=60, ceiling_micro=0,
    )  # fmt: skip
    toy.rewrite({"Budget envelope": {"max_jobs": 90}})
    toy.approve()
    assert toy.standing().spent().jobs == 1


def test_a_revoked_campaign_goes_on_with_its_data_sealed_again(measured: Approve) -> None:
    toy = measured()
    campaign, salt = toy.standing().campaign, toy.seal().salt
    approval.revoke(toy.path)
    assert (toy.root / DATA).exists()
    with pytest.raises(SealError):
        running.submit(toy.path, "baseline")
    toy.approve()
    assert (toy.standing().campaign, toy.seal().salt) == (campaign, salt)
    assert not (toy.root / DATA).exists()
    decide(toy, 3.0)
    finalize(toy)
    assert_books_match(toy)


def test_sealed_data_edited_while_revoked_is_noticed_before_it_is_opened(measured: Approve) -> None:
    toy = measured()
    approval.revoke(toy.path)
    (toy.root / DATA).write_text("0.0")
    toy.approve()
    with pytest.raises(GateError, match=r"data/test\.txt"):
        closing.finalize_step(toy.path)


def test_a_finalized_campaign_is_followed_by_a_new_one(measured: Approve) -> None:
    toy = measured()
    decide(toy, 3.0)
    finalize(toy)
    first, jobs = toy.standing().campaign, toy.standing().next_job
    toy.approve()
    assert toy.standing().campaign != first
    assert toy.standing().spent().jobs == 0
    toy.baseline()
    assert toy.standing().next_job == jobs + 3
    name = toy.propose({"rate": 3.0})
    assert rules.missing(toy.standing(), name, toy.seal().program["criteria"]) == 1


def test_a_damaged_seal_is_replaced_by_a_new_approval(measured: Approve) -> None:
    toy = measured()
    Path(store.seal_path(toy.path)).write_text("{")
    with pytest.raises(SealError):
        running.submit(toy.path, "baseline")
    toy.approve()
    assert toy.seal().campaign == toy.standing().campaign


@pytest.mark.parametrize("wrong", ["", "0", "f" * 64])
def test_only_the_programs_own_digest_is_approved(wrong: str, toy: Toy) -> None:
    with pytest.raises(SealError, match="is not the program's"):
        approval.approve(toy.path, wrong)
    assert seal.load(toy.path) is None


def test_a_ledger_that_was_moved_away_is_followed_by_a_new_one(measured: Approve, tmp_path: Path) -> None:
    toy = measured()
    shutil.move(ledger.path_of(toy.path), tmp_path / "old.jsonl")
    shutil.rmtree(toy.root / "runs" / "jobs")
    toy.starts_file.unlink()
    toy.approve()
    toy.baseline()
    assert toy.standing().seq == len(toy.rows())
    assert ledger.verify(toy.path) == []


def test_revoking_nothing_is_refused(toy: Toy) -> None:
    with pytest.raises(SealError, match="no approval"):
        approval.revoke(toy.path)


def test_an_approval_of_another_measure_begins_another_campaign(measured: Approve) -> None:
    toy = measured()
    before = toy.standing()
    assert before.incumbent is not None
    toy.rewrite({"Goal": {"direction": "minimize"}})
    toy.approve()
    after = toy.standing()
    assert after.campaign != before.campaign
    assert after.incumbent is None and after.jobs == 0
