"""Moves a task from step to step: accepts an answer, grants one more try, or stops. Every change is one journal row.

Owns the order: schema first, then the step's gate, then the record. It believes nothing that an answer claims; that is
the gates' work. A kill at any line leaves the task before or after the row, never between.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mlresearch import gates as files
from mlresearch import schema, store
from mlresearch.errors import GateError, NotFound, UsageError, shown
from mlresearch.pipeline import derived, fold, journal, paying, retries, script_scope, steps, taxonomy
from mlresearch.pipeline.gates import GATES
from mlresearch.pipeline.job_plans import amended, plan
from mlresearch.pipeline.retries import Answer, Failure
from mlresearch.pipeline.steps import Step
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.task import Accept, Failed, Halt, Output, Refuse, SendBack, State, Task, Verdict, World

LARGEST_OUTPUT = 4 << 20

Gates = Mapping[str, Callable[[State, Output, World], Verdict]]

# Where a step without tries of its own can not be done at all.
_GIVEN_UP = {
    "plan": "planning_failed",
    "research": "research_unverified",
    "verify_research": "research_unverified",
    "resources": "resource_unavailable",
    "data_audit": "dataset_format_incompatible",
    "format_critic": "dataset_format_incompatible",
    "implement": "implementation_failed",
    "code_review": "code_review_blocked",
    "readiness": "preflight_checklist_unsatisfied",
    "evaluate": "evaluation_failed",
    "final_verification": "evaluation_failed",
}


def start(root: str, text: str, **given: Any) -> State:
    """Open a task; refused while another one is open here, since one approval and one ledger serve one task."""
    if not text.strip():
        raise UsageError("the task is empty", "one sentence: what to train, on what, with which limit")
    with store.locked(root, "task-start"):
        last = unfinished(root)
        if last is not None:
            ended = load(root, last).stopped is not None
            step = f"pipeline.py {'finalize' if ended else 'next'} --task {last}"
            raise UsageError(f"task {last} is open here", "one task at a time", step)
        name = f"{_slug(text)}-{secrets.token_hex(2)}"
        task = Task(name=name, root=os.path.realpath(root), text=text.strip(), **given)
        Path(root, "work", name).mkdir(parents=True, exist_ok=True)
        with journal.held(root, name):
            journal.append(root, name, "started", task=asdict(task))
    return load(root, name)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))[:32].strip("-") or "task"


def current(root: str) -> str | None:
    """The task that is open here, None when there is none."""
    return next((name for name in reversed(journal.tasks(root)) if load(root, name).stopped is None), None)


def unfinished(root: str) -> str | None:
    """The task that nobody has finalized yet: open, or stopped with its approval still standing."""
    return next((name for name in reversed(journal.tasks(root)) if not is_closed(load(root, name))), None)


def is_closed(state: State) -> bool:
    return state.stopped is not None and "conforms" in state.stopped


def chosen(root: str, name: str | None) -> str:
    """The task that a command means: the named one, else the open one, else the last; raises NotFound for none."""
    known = journal.tasks(root)
    found = name or unfinished(root) or (known[-1] if known else None)
    if found is None or found not in known:
        wrong = f"there is no task {shown(name)} here" if name else "there is no task here"
        raise NotFound(wrong, f"tasks: {', '.join(known) or 'none'}", "pipeline.py start TASK")
    return found


def load(root: str, name: str) -> State:
    return fold.state(journal.rows(root, name))


def complete(root: str, name: str, step_name: str, output_file: str, world: World, gates: Gates = GATES) -> Verdict:
    """Judge one step's answer and record what follows; raises GateError with every fault of one that does not stand."""
    with journal.held(root, name):
        state = load(root, name)
        step = _open_step(state, step_name)
        output = _read(root, name, output_file)
        faults = schema.faults(f"pipeline/{step.schema}", output)
        if faults:
            raise _refusal(step, faults)
        verdict = _judged(gates, state, step, output, world)
        if isinstance(verdict, Refuse):
            raise _refusal(step, list(verdict.faults))
        _record(state, step, output, verdict)
        derived.write(load(root, name))
        return verdict


def _judged(gates: Gates, state: State, step: Step, output: Output, world: World) -> Verdict:
    """The gate's verdict; a critic that blocks a second time stops the task."""
    verdict = gates[step.name](state, output, world)
    if isinstance(verdict, SendBack) and state.sent_back.get(step.name, 0) >= 1:
        errors = [str(issue["claim"]) for issue in verdict.issues if issue["severity"] == "error"]
        return Halt(step.blocked or "interrupted", "; ".join(errors)[:500])
    return verdict


def _open_step(state: State, name: str) -> Step:
    if state.stopped is not None:
        told = f"the task has stopped: {state.stopped['reason']}"
        raise GateError(told, "nothing more for this task", "pipeline.py status")
    if name not in state.todo:
        known = ", ".join(state.todo) or "none: pipeline.py finalize"
        raise GateError(f"step {shown(name)} is not open", f"open: {known}", "pipeline.py next")
    return steps.BY_NAME[name]


def _refusal(step: Step, faults: list[str], verb: str = "complete") -> GateError:
    count = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
    told = f"{step.name}: {count}: " + " | ".join(faults)
    return GateError(told, "an answer that holds when it is looked up", f"mend it, then {verb} --phase {step.name}")


def _read(root: str, name: str, given: str) -> Output:
    """The answer's file, a JSON object under work/."""
    path = files.inside(root, given)
    if not os.path.realpath(path).startswith(os.path.realpath(Path(root, "work")) + os.sep):
        raise GateError(f"{shown(given)} is not under work/", f"a file under work/{name}/")
    if not path.exists():
        raise GateError(f"{given} does not exist", "the answer, written to the path on the page", "pipeline.py next")
    try:
        if path.stat().st_size > LARGEST_OUTPUT:
            raise GateError(f"{given} is larger than {LARGEST_OUTPUT >> 20} MB", "the answer alone")
        output = json.loads(path.read_bytes())
        json.dumps(output, ensure_ascii=False, allow_nan=False).encode()  # as the journal will write it
    except (OSError, ValueError, RecursionError) as error:
        raise GateError(f"{shown(given)} can not be read as JSON: {error}", "one JSON object") from None
    if not isinstance(output, dict):
        raise GateError(f"{shown(given)} holds no JSON object", "one JSON object")
    return output


def _record(state: State, step: Step, output: Output, verdict: Verdict) -> None:
    root, name = state.task.root, state.task.name
    if isinstance(verdict, Accept):
        rests_on = files.hashes(root, verdict.files)
        frozen = _frozen(state) if step.name == "code_review" else None
        journal.append(
            root, name, "accepted",
            step=step.name, output=output, files=rests_on, notes=list(verdict.notes), frozen=frozen,
        )  # fmt: skip
    elif isinstance(verdict, SendBack):
        issues = [dict(issue) for issue in verdict.issues]
        journal.append(root, name, "sent_back", step=verdict.step, by=step.name, issues=issues)
    elif isinstance(verdict, Halt):
        halt(state, step.name, verdict)


def halt(state: State, step: str, verdict: Halt) -> None:
    """Stop the task, with what a person reads and can do."""
    stop = STOPS[verdict.reason]
    message = stop.told.format(what=verdict.what or "nothing more is known")
    journal.append(
        state.task.root, state.task.name, "stopped",
        reason=stop.reason, step=step, message=message, next=stop.next_step, what=verdict.what,
    )  # fmt: skip


def _frozen(state: State) -> dict[str, list[str]]:
    """The facts of the reviewed script in its full run: what every later change is compared with."""
    job = plan(state, "full_job")
    assert job is not None
    # the text that was accepted and reviewed, not the file, which could change between the gate and this line
    content = str(state.results["implement"]["trainScriptContent"]).encode("utf-8", "replace")
    facts = script_scope.read(content, job.args)
    return {field.name: sorted(getattr(facts, field.name)) for field in fields(facts)}


def fail(root: str, name: str, step_name: str, analysis_file: str, world: World) -> Answer:
    """Judge a diagnosis: one more try, or the end. Raises GateError for a diagnosis that does not hold."""
    with journal.held(root, name):
        state = load(root, name)
        step = _open_step(state, step_name)
        analysis = _read(root, name, analysis_file)
        faults = schema.faults("pipeline/failure", analysis) or _unfounded(state, step, analysis, world)
        if faults:
            raise _refusal(step, faults, "fail")
        if step.tries == 0:
            return _give_up(state, step, analysis)
        failed = Failed(_failure(state, step, analysis, world), analysis, analysis["jobId"])
        answer = _answer(state, step, failed)
        if answer.reason == "refused":
            raise _refusal(step, [answer.what], "fail")
        journal.append(
            root, name, "failed",
            step=step.name, failure=asdict(failed.failure), analysis=analysis, job=failed.job,
        )  # fmt: skip
        if answer.reason is not None:
            halt(state, step.name, Halt(answer.reason, answer.what))
        return answer


def _give_up(state: State, step: Step, analysis: Output) -> Answer:
    """A step without tries is done again by `complete`; only what can not be done at all ends here."""
    if not analysis["unrecoverable"]:
        raise GateError(f"{step.name} has no attempts to count", "complete, with a better answer", "pipeline.py next")
    category = taxonomy.BY_NAME.get(analysis["category"])
    if category is None:
        allowed = ", ".join(taxonomy.BY_NAME)
        raise _refusal(step, [f"category {shown(analysis['category'])} is not one of {allowed}"], "fail")
    reason = category.stops or ("scope_change" if analysis["scopeChange"] else _GIVEN_UP[step.group])
    halt(state, step.name, Halt(reason, str(analysis["rootCause"])))
    return Answer(reason, str(analysis["rootCause"]))


def _unfounded(state: State, step: Step, analysis: Output, world: World) -> list[str]:
    """A job that is left out, open or diagnosed already, and quoted lines that its log does not hold."""
    if analysis["jobId"] is None:
        needed = plan(state, step.name)
        held = None if needed is None else paying.submitted(state, needed)
        return [f"jobId: null, and {held.job} is this attempt's job"] if held is not None else []
    if any(failed.job == analysis["jobId"] for past in state.failures.values() for failed in past):
        return [f"jobId: the failure of {analysis['jobId']} is recorded; run the step again with the change"]
    job = world.job(analysis["jobId"])
    if job is None:
        return [f"jobId: {analysis['jobId']} is not in the ledger"]
    if job.stage is None:
        return [
            f"jobId: {job.job} is still open (next: jobs.py wait --job {job.job}, or jobs.py cancel --job {job.job})"
        ]
    log = "\n".join(job.log)
    missing = [line for line in analysis["evidenceLines"] if line.strip() not in log]
    return [f"evidenceLines: {shown(line)} is not in the log of {job.job}" for line in missing]


def _failure(state: State, step: Step, analysis: Output, world: World) -> Failure:
    job = world.job(analysis["jobId"]) if analysis["jobId"] else None
    needed = plan(state, step.name)
    parts = [] if needed is None else [needed.args_sha256, needed.flavor, str(needed.timeout_s)]
    if job is None:
        log, stage = tuple(analysis["evidenceLines"]), "no job"
    else:
        log, stage, parts = job.log, job.stage or "open", [*sorted(job.files.values()), *parts]
    signature = retries.signature(log, stage)
    return Failure(signature, retries.digest(parts), analysis["category"], analysis["oomLadderRung"])


def _answer(state: State, step: Step, failed: Failed) -> Answer:
    most = state.task.max_job_retries if step.tries is None else step.tries
    past = [one.failure for name in ("gpu_preflight", "full_job", step.name) for one in state.failures.get(name, ())]
    earlier = [one.failure for one in state.failures.get(step.name, ())]
    changed = _scope_change(state, failed.analysis)
    if changed:
        return Answer("scope_change", "; ".join(changed))
    ladder = failed.analysis["category"] == "oom"
    known = list(dict.fromkeys(past)) if ladder else earlier
    answer = retries.judge(step.name, failed.failure, dict(failed.analysis), known, most)
    is_told = answer.reason in (None, "refused") or answer.reason in STOPS
    return answer if is_told else Answer(_GIVEN_UP[step.group], answer.what)


def _scope_change(state: State, analysis: Output) -> list[str]:
    """What the proposed settings would change of the task, by the script that was reviewed, whatever is claimed."""
    job = plan(state, "full_job")
    if job is None or state.frozen is None:
        return []
    try:
        content = Path(state.task.root, job.script).read_bytes()
        args = amended(job.args, analysis["configChanges"])
        now = script_scope.read(content, [arg.replace(f"{state.task.root}/", "{root}/") for arg in args])
    except (OSError, SyntaxError, ValueError):  # what broke the script is being diagnosed; the gate reads it again
        return []
    return script_scope.changes(state.frozen, now)
