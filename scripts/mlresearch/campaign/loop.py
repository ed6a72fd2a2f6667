"""The whole campaign without a model: the same steps a session takes, with a sampler in the proposer's place.

Keeps no state of its own: killed anywhere, the next call reads the ledger and goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from mlresearch import ledger, sampler, stats, store
from mlresearch.campaign import closing, judging, opening, planning, running, state
from mlresearch.campaign.rules import Step, seed_of
from mlresearch.campaign.state import Campaign
from mlresearch.errors import EnvelopeBreach, GateError, Unavailable
from mlresearch.jobs import Permission
from mlresearch.jobs.patience import Patience, Tell, silent
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.sampler import Parameter, Trial
from mlresearch.standing import Standing

# called after each step with what was done; it may draw progress, and it may not write
Progress = Callable[[Step, Campaign], None]

WAIT_S, WAIT_ELSEWHERE_S = 20.0, 300.0


def run(root: str, progress: Progress, permit: Permission | None = None, tell: Tell = silent) -> dict[str, Any]:
    """Step until the campaign is finalized; returns the `finalized` row. Raises GateError when a person must look.

    One at a time for a folder: a second one raises LedgerError at once, since both would propose the same.
    """

    def step_on() -> dict[str, Any] | None:
        finished = state.finished(root)
        if finished is None:
            running.collect(root)
            campaign = state.load(root)
            step = campaign.next_step()
            progress(step, campaign)
            _take(step, campaign, permit)
        return finished

    with store.locked(root, "run", wait_s=0.0):
        return patiently(step_on, tell)


def finalize(root: str, tell: Tell = silent) -> dict[str, Any]:
    """The final evaluation alone, to its end; returns the `finalized` row."""

    def step_on() -> dict[str, Any] | None:
        finished = state.finished(root)
        if finished is None:
            state.load(root)
            _ = closing.finalize_step(root) or _wait(root)
        return finished

    return patiently(step_on, tell)


def patiently(step_on: Callable[[], dict[str, Any] | None], tell: Tell) -> dict[str, Any]:
    """Repeat until an answer comes; a backend that does not answer is asked again, see `Patience`.

    Safe because every step can be repeated: what a lost call may have started is looked up by its label.
    """
    patience = Patience(math.inf, tell)
    while True:
        try:
            found = step_on()
        except Unavailable as error:
            time.sleep(patience.bear({"": error}))
            continue
        patience.bear({})
        if found is not None:
            return found


def _take(step: Step, campaign: Campaign, permit: Permission | None) -> None:
    root, name = campaign.root, step.experiment or ""
    steps: dict[str, Callable[[], object]] = {
        "start": lambda: opening.start(root),
        "submit": lambda: _submit(root, name, permit) or _wait(root),
        "decide": lambda: judging.decide(root, name),
        "plan": lambda: _propose(campaign),
        "collect": lambda: _wait(root),
        "finalize": lambda: closing.finalize_step(root, permit) or _wait(root),
        "done": lambda: closing.finalize_step(root),
    }
    if step.do not in steps:
        raise GateError(f"the campaign can not go on by itself: {step.why}", next_step="campaign.py status")
    steps[step.do]()


def _wait(root: str) -> list[dict[str, Any]]:
    """Until a job ends. Long where a provider is asked, since each wait begins with short pauses."""
    places = {job["backend"] for job in ledger.standing(root).open.values()}
    return running.collect(root, WAIT_S if places <= {*FREE_BACKENDS} else WAIT_ELSEWHERE_S)


def _submit(root: str, name: str, permit: Permission | None) -> bool:
    """Whether something was started, or the envelope ended the campaign: then the final evaluation comes next."""
    try:
        return bool(running.submit(root, name, permit))
    except EnvelopeBreach:
        if not ledger.standing(root).stopped:
            raise
        return True


def _propose(campaign: Campaign) -> None:
    """Plan what the sampler proposes, or stop the campaign when it has nothing left to try."""
    program, standing = campaign.program, campaign.standing
    assert standing.incumbent is not None
    incumbent = standing.incumbent["config"]
    proposed = sampler.propose(
        {name: parameter_of(stored) for name, stored in program["run"]["parameters"].items()},
        history(campaign.root, standing),
        incumbent,
        standing.next_experiment,
        seed_of(campaign.seal.salt, -1),
        program["goal"]["direction"],
    )
    change = {} if proposed is None else {k: v for k, v in proposed.items() if incumbent.get(k) != v}
    if change:
        proposal = {"hypothesis": hypothesis(change, incumbent, program["goal"]), "change": change}
        planning.plan(campaign.root, proposal, "sampler", campaign.request)
    elif standing.experiments:
        _wait(campaign.root)
    else:
        ledger.append(campaign.root, "stopped", reason="exhausted", message="the sampler has nothing left to try")


def hypothesis(change: Mapping[str, Any], incumbent: Mapping[str, Any], goal: Mapping[str, Any]) -> str:
    ((name, value),) = change.items()
    told = f"{value:.4g}" if isinstance(value, float) else str(value)
    before = incumbent.get(name, "the script's default")
    way = "up" if goal["direction"] == "maximize" else "down"
    return f"{name} at {told} instead of {before} moves {goal['metric']} {way}"


def parameter_of(stored: dict[str, Any]) -> Parameter:
    fields = {key: value for key, value in stored.items() if key != "choices"}
    return Parameter(**fields, choices=tuple(stored.get("choices", ())))


def history(root: str, standing: Standing) -> list[Trial]:
    """Every configuration tried in this campaign with the mean over its runs; None for a crash.

    One that is under way counts as good as the incumbent, so that a parallel proposal neither repeats nor shuns it.
    """
    configs: dict[str, dict[str, Any]] = {}
    values: dict[str, list[float]] = {}
    here = ""
    for row in ledger.rows(root):
        here = row["campaign"] if row["event"] == "approved" else here
        if here != standing.campaign:
            continue
        if row["event"] == "planned":
            configs[row["experiment"]] = row["config"]
        elif row["event"] == "baseline":
            configs["baseline"], values["baseline"] = {}, row["values"]
        elif row["event"] == "measured" and row["value"] is not None and row["experiment"] in configs:
            values.setdefault(row["experiment"], []).append(row["value"])
    for name in standing.experiments:
        values.setdefault(name, [standing.incumbent["mean"]] if standing.incumbent else [])
    return [Trial(config, stats.mean(values[name]) if values.get(name) else None) for name, config in configs.items()]
