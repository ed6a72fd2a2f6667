"""What stands between a step and its job: a submit that was made already, the approval, the limits, the invariant.

Submits nothing and books nothing. The same limits are checked again by the submit itself, under the ledger's lock; here
a task learns of them before it tries, and stops with the reason instead of ending the approval.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlresearch import backends, envelope, gates, jobs, ledger, money, program, seal
from mlresearch.envelope import Breach, Request
from mlresearch.errors import ResearchError, UsageError
from mlresearch.jobs import Order
from mlresearch.jobs.order import placed
from mlresearch.pipeline import journal, retries, taxonomy
from mlresearch.pipeline.job_plans import JobPlan, plan
from mlresearch.pipeline.task import Halt, State

# steps whose jobs are started under a person's approval; the smoke run is free and needs none
PAID = ("gpu_preflight", "full_job", "evaluate")
_COSTS = {"gpu_preflight": "cost_cap_preflight", "full_job": "cost_cap_full_job"}
_UNFIT = {"gpu_preflight": "submit_invariant_preflight", "full_job": "submit_invariant_full"}
_TIME = ("max_walltime", "deadline")


@dataclass(frozen=True)
class Submitted:
    """A job of this very attempt that the ledger has already; `stage` is None while it is open.

    `is_known` is False for a submit that was cut short: its backend may have the job or not.
    """

    job: str
    stage: str | None
    is_known: bool = True


def submitted(state: State, job: JobPlan) -> Submitted | None:
    """The newest job with these bytes, arguments, hardware and limit whose failure is not recorded; None for none.

    Whoever goes on after a kill finds it here and does not pay twice.
    """
    script = Path(state.task.root, job.script)
    if not script.is_file():
        return None
    known = {failed.job for past in state.failures.values() for failed in past}
    wanted = (job.backend, job.flavor, job.timeout_s, job.is_smoke, job.args_sha256)
    sha256, found = gates.sha256(script), dict[str, Submitted]()
    for row in ledger.rows(state.task.root):
        is_same = row["event"] == "reserved" and _described(row) == wanted
        if is_same and sha256 in row.get("files", {}).values():
            found[str(row["job"])] = Submitted(str(row["job"]), None, is_known=False)
        else:
            _follow(found, row)
    left = [job for name, job in found.items() if name not in known]
    return left[-1] if left else None


def is_unchanged(state: State, step: str, job: JobPlan) -> bool:
    """Whether this job would be the one that failed last, to the byte; only a fault of machine or network repeats."""
    past, script = state.failures.get(step, ()), Path(state.task.root, job.script)
    if not past or past[-1].job is None or taxonomy.BY_NAME[past[-1].failure.category].needs == "nothing":
        return False
    if not script.is_file():
        return False
    parts = (gates.sha256(script), job.args_sha256, job.flavor, str(job.timeout_s))
    return retries.digest(parts) == past[-1].failure.bytes_sha256


def unclaimed(state: State) -> Submitted | None:
    """The same for a step that no plan describes: the newest job of a script as it lies in the task's work folder."""
    task = state.task
    began = journal.rows(task.root, task.name)[0]["ts"]
    own = {gates.sha256(path) for path in Path(task.root, "work", task.name).rglob("*.py")}
    claimed = {failed.job for past in state.failures.values() for failed in past}
    claimed |= {output.get("jobId") for output in state.results.values()}
    found = dict[str, Submitted]()
    for row in ledger.rows(task.root):
        is_here = row["event"] == "reserved" and row["backend"] == task.backend and row["ts"] >= began - 1
        if is_here and not row.get("is_smoke") and own & set(row.get("files", {}).values()):
            found[str(row["job"])] = Submitted(str(row["job"]), None, is_known=False)
        else:
            _follow(found, row)
    left = [job for name, job in found.items() if name not in claimed]
    return left[-1] if left else None


def _follow(found: dict[str, Submitted], row: dict[str, Any]) -> None:
    """What became of a job that was reserved."""
    name, event = str(row.get("job")), row["event"]
    if event == "released":
        found.pop(name, None)
    elif name in found and event in ("submitted", "adopted"):
        found[name] = Submitted(name, None)
    elif name in found and event == "settled":
        found[name] = Submitted(name, str(row["stage"]))


def _described(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["backend"], row["flavor"], row["timeout_s"], row.get("is_smoke"), row.get("args_sha256")


@dataclass(frozen=True)
class Approval:
    """`state` as seal.py names it; `faults` of program.md, or the `digest` that a person would approve."""

    state: str
    digest: str = ""
    faults: str = ""

    @property
    def holds(self) -> bool:
        return self.state == "sealed"


def approval(root: str) -> Approval:
    state = seal.state(root, seal.load(root), time.time())
    if state == "sealed":
        return Approval(state)
    try:
        return Approval(state, program.load(root).digest[:16])
    except ResearchError as error:
        return Approval(state, faults=str(error))


def denied(root: str) -> str | None:
    """Why the approval that stands here was ended by a breach; None when it was not."""
    approved, standing = seal.load(root), ledger.standing(root)
    if approved is None or approved.campaign != standing.campaign or standing.stopped is None:
        return None
    return str(standing.stopped["message"])


def stop(state: State, step: str, job: JobPlan) -> Halt | None:
    """Why this job must not be submitted at all; None when it may. Needs an approval that holds.

    Raises Unavailable when the prices can not be read: then nothing is known, and nothing stops.
    """
    root = state.task.root
    why = denied(root)
    if why is not None:
        return Halt("budget_denied", why)
    unfit = _unfit(root, job)
    if unfit:
        return Halt(_UNFIT.get(step, "evaluation_failed"), unfit)
    terminal = [breach for breach in breaches(root, job) if breach.terminal]
    if not terminal:
        return None
    told = "; ".join(map(str, terminal))
    return Halt(_reason(step, terminal), told)


def _reason(step: str, terminal: list[Breach]) -> str:
    names = {breach.limit for breach in terminal}
    if names == {"max_usd"}:
        return _COSTS.get(step, "budget_denied")
    return "walltime_reached" if names <= set(_TIME) else "budget_denied"


def _unfit(root: str, job: JobPlan) -> str:
    """What the submit invariant would refuse, in one text; empty when nothing."""
    args = tuple(placed(arg, root) for arg in job.args)
    script = str(Path(root, job.script))
    order = Order(job.backend, script, job.flavor, job.timeout_s, args, secrets=job.secrets)
    try:
        return "; ".join(f"{fault.where}: {fault.wrong}" for fault in jobs.faults(root, order))
    except UsageError as error:
        return error.wrong


def breaches(root: str, job: JobPlan) -> list[Breach]:
    """Every limit of the approval that this job would pass."""
    approved = seal.require(root, time.time())
    backend = backends.get(job.backend, root)
    request = _request(job, jobs.prices.read(backend), backend.start_allowance_s)
    if request is None:
        return [Breach("allowed_flavors", job.flavor, f"{job.backend} has no such hardware at a price")]
    return envelope.check(approved.envelope, ledger.standing(root).spent(), request, time.time())


def _request(job: JobPlan, prices: Mapping[str, int], start_s: int) -> Request | None:
    """What a submit of this job would reserve; None for hardware without a price."""
    if job.flavor not in prices:
        return None
    reserved_s = job.timeout_s + start_s
    ceiling = money.job_ceiling(1, reserved_s, prices[job.flavor])
    return Request(job.backend, job.flavor, job.timeout_s, reserved_s, ceiling)


def ceilings(state: State) -> dict[str, int]:
    """The most that one run of each job of the task can cost, in micro-dollars; empty when no price can be read."""
    planned = {step: job for step in PAID if (job := plan(state, step)) is not None}
    try:
        backend = backends.get(state.task.backend, state.task.root)
        prices = jobs.prices.read(backend) if planned else {}
    except ResearchError:
        return {}
    asked = {step: _request(job, prices, backend.start_allowance_s) for step, job in planned.items()}
    return {step: request.ceiling_micro for step, request in asked.items() if request is not None}
