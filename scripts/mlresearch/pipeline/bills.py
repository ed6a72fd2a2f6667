"""The jobs of a task and what they cost, as the ledger has them. Trusts no answer for a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlresearch import ledger, money
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.pipeline.task import State


@dataclass(frozen=True)
class Job:
    """A job of the task as the ledger has it; `stage` is None while it is open. Micro-dollars, seconds."""

    name: str
    step: str
    backend: str
    flavor: str
    stage: str | None
    billed_s: int
    billed_micro: int
    url: str = ""


def jobs(state: State) -> list[Job]:
    """Every job that this folder's ledger holds since the task began, the oldest first; released ones never ran."""
    steps, found = _steps_of_jobs(state), dict[str, Job]()
    for row in ledger.rows(state.task.root):
        name = str(row.get("job"))
        if row["event"] == "reserved" and row["ts"] >= state.started_at - 1:
            found[name] = Job(name, steps.get(name, "-"), row["backend"], row["flavor"], None, 0, 0)
        elif row["event"] == "released":
            found.pop(name, None)
        elif row["event"] in ("submitted", "adopted") and name in found:
            found[name] = replace(found[name], url=str(row.get("url") or ""))
        elif row["event"] == "settled" and name in found:
            billed_s, billed_micro = int(row["billed_s"]), int(row["billed_micro"])
            found[name] = replace(found[name], stage=str(row["stage"]), billed_s=billed_s, billed_micro=billed_micro)
    return list(found.values())


def approved_micro(state: State) -> int | None:
    """The dollars that a person approved for this task, in micro-dollars: the last time; None when nobody did."""
    began = state.started_at - 1
    rows = [row for row in ledger.rows(state.task.root) if row["event"] == "approved" and row["ts"] >= began]
    return int(rows[-1]["limits"]["max_usd_micro"]) if rows else None


def spent_micro(found: Iterable[Job]) -> int:
    """What jobs were billed together, in micro-dollars."""
    return sum(job.billed_micro for job in found)


def spending(state: State) -> str:
    """What was spent and what had been approved, in one line; what the user gave as a cap is neither."""
    approved = approved_micro(state)
    told = "no limit was approved" if approved is None else f"approved: at most {money.show(approved)}"
    free = f" (jobs on backend {state.task.backend} are free)" if state.task.backend in FREE_BACKENDS else ""
    return f"spent {money.show(spent_micro(jobs(state)))}; {told}{free}"


def _steps_of_jobs(state: State) -> dict[str, str]:
    known = {str(failed.job): f"{step} (failed)" for step, past in state.failures.items() for failed in past}
    for step, output in state.results.items():
        for key in ("jobId", "baselineJobId"):
            if output.get(key):
                known[str(output[key])] = step
    return known
