"""What a campaign needs next, as a function of the ledger's standing and the sealed program."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.toy_project import REPO, Blocks, blocks
from mlresearch import program
from mlresearch.campaign import rules
from mlresearch.envelope import Envelope
from mlresearch.program import Program
from mlresearch.standing import Standing

NOW = 1_000_000.0
TEMPLATE = (REPO / "program.template.md").read_text()


def read(changes: Blocks | None = None) -> Program:
    return program.parse(program.written(TEMPLATE, blocks(changes)))


def run(value: float | None, purpose: str = "screen", stage: str = "COMPLETED", exit_code: int = 0) -> dict[str, Any]:
    return {"job": "j0001", "purpose": purpose, "seed": 1, "value": value, "stage": stage, "exit_code": exit_code}


def lost(purpose: str = "screen") -> dict[str, Any]:
    return run(None, purpose, "LOST")


def experiment(
    stage: str = "screen", *runs: dict[str, Any], by: str = "sampler", analysed: bool = False
) -> dict[str, Any]:
    return {"stage": stage, "runs": list(runs), "by": by, "analysed": analysed, "config": {}, "files": {}}


def job(name: str | None, campaign: str = "c") -> dict[str, Any]:
    return {"experiment": name, "campaign": campaign, "reserved_s": 60, "ceiling_micro": 0, "purpose": "screen"}


def standing(**changes: Any) -> Standing:
    """A started campaign with a decided baseline, nothing under way."""
    made = Standing()
    made.campaign, made.started = "c", True
    made.baseline = {"values": [0.88, 0.9, 0.89], "sigma": 0.01, "mean": 0.89, "files": {}}
    made.incumbent = {"experiment": "baseline", "values": [0.88, 0.9, 0.89], "mean": 0.89, "config": {}, "files": {}}
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def next_step(found: Standing, changes: Blocks | None = None) -> rules.Step:
    made = read(changes)
    stored, envelope = made.stored(), made.envelope
    return rules.next_step(found, stored, envelope, rules.run_request(stored, 0, 0), NOW)


STEPS: dict[str, tuple[Standing, Blocks, str, str | None]] = {
    "nothing was started": (standing(started=False), {}, "start", None),
    "the baseline has no runs": (
        standing(baseline=None, incumbent=None, experiments={"baseline": experiment("baseline")}),
        {}, "submit", "baseline",
    ),
    "a measured baseline is decided": (
        standing(
            baseline=None, incumbent=None,
            experiments={"baseline": experiment("baseline", *[run(0.9, "baseline")] * 3)},
        ),
        {}, "decide", "baseline",
    ),
    "a crashed baseline run asks for no further run": (
        standing(
            baseline=None, incumbent=None,
            experiments={"baseline": experiment("baseline", run(None, "baseline", "FAILED", 1))},
        ),
        {}, "decide", "baseline",
    ),
    "an idle campaign plans": (standing(), {}, "plan", None),
    "a planned experiment is submitted": (standing(experiments={"e0001": experiment()}), {}, "submit", "e0001"),
    "a sampler's measured screen is decided": (
        standing(experiments={"e0001": experiment("screen", run(0.9))}), {}, "decide", "e0001",
    ),
    "a model's measured screen is analysed first": (
        standing(experiments={"e0001": experiment("screen", run(0.9), by="model")}), {}, "analyse", "e0001",
    ),
    "an analysed one is decided": (
        standing(experiments={"e0001": experiment("screen", run(0.9), by="model", analysed=True)}),
        {}, "decide", "e0001",
    ),
    "a confirmation goes before a screen": (
        standing(experiments={"e0001": experiment(), "e0002": experiment("confirm", run(0.9))}),
        {}, "submit", "e0002",
    ),
    "screen runs do not count as confirmation": (
        standing(experiments={"e0001": experiment("confirm", run(0.9), run(0.9))}), {}, "submit", "e0001",
    ),
    "a full queue is waited for": (
        standing(experiments={"e0001": experiment()}, open={"j1": job("e0001"), "j2": job(None), "j3": job(None)}),
        {}, "collect", None,
    ),
    "a lost run is repeated": (
        standing(experiments={"e0001": experiment("screen", lost(), lost())}), {}, "submit", "e0001",
    ),
    "the third lost run is a result": (
        standing(experiments={"e0001": experiment("screen", lost(), lost(), lost())}), {}, "decide", "e0001",
    ),
    "a run killed from outside is repeated": (
        standing(experiments={"e0001": experiment("screen", run(None, stage="FAILED", exit_code=137))}),
        {}, "submit", "e0001",
    ),
    "a run out of memory is a result": (
        standing(experiments={"e0001": experiment("screen", run(None, stage="OOM", exit_code=137))}),
        {}, "decide", "e0001",
    ),
    "open runs of the last experiment are awaited before the end": (
        standing(next_experiment=5, experiments={"e0004": experiment()}, open={"j1": job("e0004")}),
        {}, "collect", None,
    ),
    "a recorded stop leads to the final evaluation": (
        standing(stopped={"reason": "denied", "message": "m"}, experiments={"e0001": experiment()}),
        {}, "finalize", None,
    ),
    "opened sealed data is finished with": (
        standing(final={"finalists": {}, "seed_base": 3, "runs": []}), {}, "finalize", None,
    ),
    "a finalized campaign is done": (standing(finalized=True), {}, "done", None),
    "nothing to start and nothing open needs a person": (
        standing(baseline=None, incumbent=None), {}, "person", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_the_next_step(name: str) -> None:
    found, changes, do, which = STEPS[name]
    step = next_step(found, changes)
    assert (step.do, step.experiment) == (do, which)
    assert step.why


STOPS: dict[str, tuple[Standing, Blocks, str | None]] = {
    "nothing speaks against another experiment": (standing(), {}, None),
    "the target is reached": (standing(), {"Goal": {"target": 0.89}}, "target"),
    "the target is not reached": (standing(), {"Goal": {"target": 0.8901}}, None),
    "a minimized metric reaches its target from above": (
        standing(), {"Goal": {"direction": "minimize", "target": 0.89}}, "target",
    ),
    "as many experiments as allowed": (standing(next_experiment=5), {}, "experiments"),
    "no gain": (standing(no_gain=10), {}, "no_gain"),
    # 1 screen + 2 confirmations + 4 final runs = 7 of 60, and 6 are kept for the end
    "exactly enough jobs": (standing(jobs=51), {}, None),
    "one job too few": (standing(jobs=52), {}, "budget"),
    "just enough jobs for the final evaluation": (
        standing(jobs=53), {"Budget envelope": {"reserve_final": 0}}, None,
    ),
    "one job too few for the final evaluation": (
        standing(jobs=54), {"Budget envelope": {"reserve_final": 0}}, "budget",
    ),
    "confirmations to come are kept free": (
        standing(jobs=51, experiments={"e0001": experiment()}), {}, "budget",
    ),
    "job time runs out": (standing(seconds=4 * 3600), {}, "budget"),
    "money runs out": (standing(micro=1), {}, "budget"),
    "the clock runs out": (standing(), {"Budget envelope": {"deadline": "1970-01-02T00:00Z"}}, "budget"),
    "a recorded stop stays": (standing(stopped={"reason": "exhausted", "message": "m"}), {}, "exhausted"),
    "no incumbent, no opinion": (standing(incumbent=None, jobs=60), {}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_when_no_further_experiment_may_be_proposed(name: str) -> None:
    found, changes, reason = STOPS[name]
    made = read(changes)
    stored = made.stored()
    halt = rules.stop(found, stored, made.envelope, rules.run_request(stored, 0, 0), NOW)
    assert (halt.reason if halt else None) == reason


def test_jobs_of_an_earlier_campaign_are_not_under_way() -> None:
    found = standing(experiments={"e0001": experiment()}, open={"j1": job("e0001", campaign="earlier")})
    assert rules.under_way(found, "e0001") == []
    assert rules.missing(found, "e0001", read().stored()["criteria"]) == 1


def test_seeds_are_fixed_by_the_approval_and_differ() -> None:
    seeds = [rules.seed_of("salt", index) for index in range(100)]
    assert seeds == [rules.seed_of("salt", index) for index in range(100)]
    assert len(set(seeds)) == 100
    assert rules.seed_of("other", 0) != seeds[0]
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_room_never_goes_below_nothing() -> None:
    envelope: Envelope = read().envelope
    crowded = standing(open={f"j{number}": job(None) for number in range(5)})
    assert rules.room(crowded, envelope) == 0
    assert rules.room(standing(), envelope) == 3


def test_two_faults_are_forgiven_and_the_third_counts() -> None:
    sound = run(0.9)
    assert rules.counted([lost(), sound, lost()]) == [sound]
    assert rules.counted([lost()] * 3) == [lost()]


def test_a_fault_that_ends_all_runs_at_once_is_one_of_two_for_each() -> None:
    assert rules.counted([lost()] * 6, wanted=3) == []
    assert rules.counted([lost()] * 7, wanted=3) == [lost()]
