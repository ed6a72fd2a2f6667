"""A task's report: what was asked and done, what it cost, what came out; from the journal and the ledger alone.

Every number is one that a gate accepted or that the ledger booked; nothing is taken from a session's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlresearch import durations, ledger, money
from mlresearch.pipeline import journal
from mlresearch.pipeline.task import Output, State


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


def path(task: str) -> str:
    return f"runs/{task}/report.md"


def jobs(state: State) -> list[Job]:
    """Every job that this folder's ledger holds since the task began, the oldest first; released ones never ran."""
    root, began = state.task.root, journal.rows(state.task.root, state.task.name)[0]["ts"]
    steps, found = _steps_of_jobs(state), dict[str, Job]()
    for row in ledger.rows(root):
        name = str(row.get("job"))
        if row["event"] == "reserved" and row["ts"] >= began - 1:
            found[name] = Job(name, steps.get(name, "-"), row["backend"], row["flavor"], None, 0, 0)
        elif row["event"] == "released":
            found.pop(name, None)
        elif row["event"] == "settled" and name in found:
            held = found[name]
            bill = (str(row["stage"]), int(row["billed_s"]), int(row["billed_micro"]))
            found[name] = Job(held.name, held.step, held.backend, held.flavor, *bill)
    return list(found.values())


def _steps_of_jobs(state: State) -> dict[str, str]:
    known = {str(failed.job): f"{step} (failed)" for step, past in state.failures.items() for failed in past}
    for step, output in state.results.items():
        for key in ("jobId", "baselineJobId"):
            if output.get(key):
                known[str(output[key])] = step
    return known


def report(state: State, ended: Output) -> str:
    """The whole report; `ended` says how the task ended, as the journal's last row will have it."""
    parts = [*_head(state, ended), *_result(state), *_asked(state), *_recipe(state), *_data(state)]
    return "\n".join([*parts, *_jobs(state), *_failures(state), *_links(state)]) + "\n"


def _head(state: State, ended: Output) -> Iterator[str]:
    yield f"# {state.task.name}"
    yield ""
    yield f"> {_line(state.task.text)}"
    yield ""
    yield f"Ended: **{ended['reason']}**: {_line(ended['message'])}."
    yield f"Conforms: **{'yes' if ended['conforms'] else 'no'}**. Next: {_line(ended['next'])}."
    yield from (f"- missing: {_line(each)}" for each in ended["missing"])
    if ended["reason"] == "answered":
        yield from ("", "## Answer", "", str(ended.get("what", "")))


def _result(state: State) -> Iterator[str]:
    found = state.results.get("evaluate")
    if found is None:
        return
    yield from ("", "## Result", "")
    stderr = "standard error unknown" if found.get("stderr") is None else f"standard error {found['stderr']}"
    before = "not measured" if found["baselineValue"] is None else found["baselineValue"]
    yield f"{found['metric']}: **{found['value']}** (n = {found['n']}, {stderr}); before: {before}."
    place = found.get("modelUrl") or found.get("modelPath")
    yield f"The model: {place or 'see the jobs'}. Measured by {found['jobId']}."


def _asked(state: State) -> Iterator[str]:
    plan = state.results.get("plan")
    if plan is None:
        return
    yield from ("", "## What was asked", "")
    yield from (f"- {name}: {value}" for name, value in plan["baseline"].items() if value is not None)
    yield f"- at most {money.show(state.task.cost_cap_micro)}, on backend {state.task.backend}"
    yield from (f"- assumed: {_line(each)}" for each in plan["assumptions"])


def _recipe(state: State) -> Iterator[str]:
    found = state.results.get("research.recipe")
    if found is None:
        return
    best, sources = found["recipe"][0], found["sources"]
    yield from ("", "## The recipe", "")
    link = sources[best["source"]]["url"] if best["source"] < len(sources) else ""
    yield f"{_line(best['result'])} ({best['model']}, {best['dataset']}, {best['method']}): {link}"
    yield _line(best["insight"])
    yield from (f"- {name}: {value}" for name, value in best["hyperparameters"].items())


def _data(state: State) -> Iterator[str]:
    found = state.results.get("data_audit")
    if found is None:
        return
    yield from ("", "## The data", "")
    splits = ", ".join(f"{name} {'?' if rows is None else rows}" for name, rows in found["splits"].items())
    yield f"{found['dataset']}: {splits}."
    if found["mapping"]:
        yield f"Mapping: {', '.join(f'{old} from {new}' for old, new in found['mapping'].items())}."
    yield from (f"- {_line(each)}" for each in found["notable"])


def _jobs(state: State) -> Iterator[str]:
    known = jobs(state)
    yield from ("", "## Jobs", "")
    if not known:
        yield "None ran."
        return
    yield "| job | step | where | ended | time | cost |"
    yield "|---|---|---|---|---|---|"
    for job in known:
        cells = (job.name, job.step, f"{job.backend} {job.flavor}", job.stage or "open", durations.show(job.billed_s))
        yield f"| {' | '.join(cells)} | {money.show(job.billed_micro)} |"
    total = sum(job.billed_micro for job in known)
    yield ""
    yield f"Together {money.show(total)} of {money.show(state.task.cost_cap_micro)}."


def _failures(state: State) -> Iterator[str]:
    past = [(step, failed) for step, failures in state.failures.items() for failed in failures]
    if past:
        yield from ("", "## What failed on the way", "")
    for step, failed in past:
        told = failed.analysis
        why = f"{_line(told['rootCause'])} {_line(told['minimalFix'])}"
        yield f"- {step} ({failed.job or 'no job'}), {told['category']}: {why}"


def _links(state: State) -> Iterator[str]:
    found = dict[str, str]()
    for output in state.results.values():
        found |= {str(one["where"]): str(one["what"]) for one in _objects(output.get("artifacts"))}
        found |= {str(one["url"]): str(one["title"]) for one in _objects(output.get("sources"))}
        found |= {str(output[key]): key for key in ("dashboardUrl", "evalUrl", "modelUrl") if output.get(key)}
    if found:
        yield from ("", "## Links", "")
    yield from (f"- {_line(what)}: {where}" for where, what in found.items())


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return value if isinstance(value, list | tuple) else ()


def _line(text: object) -> str:
    return " ".join(str(text).split())
