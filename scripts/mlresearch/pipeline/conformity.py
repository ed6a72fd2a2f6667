"""Whether a task's work is what was asked: every criterion derived from journal, ledger, files and script.

It owns the list of criteria; a critic's words neither add to it nor take from it. Reads only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from mlresearch import gates as files
from mlresearch import money
from mlresearch.backends import COMPLETED
from mlresearch.errors import GateError, Unavailable
from mlresearch.pipeline import fold, results, script_scope
from mlresearch.pipeline.job_plans import WITH_JOB, plan
from mlresearch.pipeline.task import State, World

LAST = "final_verification"


def missing(state: State, world: World) -> dict[str, str]:
    """What does not hold, by the criterion's name; empty when everything does."""
    found = {name: criterion(state, world) for name, criterion in CRITERIA.items()}
    return {name: told for name, told in found.items() if told}


def is_here(root: str, name: str) -> bool:
    try:
        return files.inside(root, name).exists()
    except GateError:
        return False


def _steps(state: State, world: World) -> str:
    left = [step.name for step in fold.way(state.results) if step.name not in (*state.results, LAST)]
    return f"not done: {', '.join(left)}" if left else ""


def _files(state: State, world: World) -> str:
    """Everything that accepted answers rest on has the bytes it had then, and so have the copies of the answers."""
    copies = results.digests(state, tuple(name for name in state.results if name != LAST))
    wanted = {**state.files, **copies}
    changed = [name for name, digest in wanted.items() if _digest(state.task.root, name) != digest]
    return f"changed or gone: {', '.join(changed)}" if changed else ""


def _digest(root: str, name: str) -> str:
    path = Path(root, name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _jobs(state: State, world: World) -> str:
    told = []
    for step in WITH_JOB:
        output = state.results.get(step)
        job = world.job(output["jobId"]) if output is not None else None
        if output is not None and (job is None or job.stage != COMPLETED):
            told.append(f"{output['jobId']} of {step} did not complete")
    return "; ".join(told)


def _open(state: State, world: World) -> str:
    return ", ".join(world.open_jobs())


def _spending(state: State, world: World) -> str:
    spent, cap = world.spent_micro(), state.task.cost_cap_micro
    return f"{money.show(spent)} of {money.show(cap)}" if spent > cap else ""


def _scope(state: State, world: World) -> str:
    """The script still trains what it trained when it was reviewed."""
    job = plan(state, "full_job")
    if job is None or state.frozen is None:
        return ""
    try:
        facts = script_scope.read(Path(state.task.root, job.script).read_bytes(), job.args)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{job.script}: {error}"
    return "; ".join(script_scope.changes(state.frozen, facts))


def _result(state: State, world: World) -> str:
    output = state.results.get("evaluate")
    if output is None or output["value"] is None:
        return "nothing was measured"
    made = state.results.get("implement")
    if made is None:
        return ""
    try:
        return "" if world.saved(made["persistenceDest"]) else f"{made['persistenceDest']} holds no model"
    except Unavailable as error:
        return f"{made['persistenceDest']} can not be looked up: {error.wrong}"


CRITERIA: Mapping[str, Callable[[State, World], str]] = {
    "steps": _steps,
    "files": _files,
    "jobs": _jobs,
    "open jobs": _open,
    "spending": _spending,
    "scope": _scope,
    "result": _result,
}
