"""What `pipeline.py next` tells: for each open step its goal, inputs, rules, schema, commands, and what went wrong.

Pure reading: it decides nothing and writes nothing. A brief is whole in itself, so that an agent that was given nothing
else, after a compaction or in a new session, can do the step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlresearch import schema
from mlresearch.pipeline import commands, form, notes, paying, results, steps, taxonomy
from mlresearch.pipeline.commands import Line
from mlresearch.pipeline.gates import critics
from mlresearch.pipeline.job_plans import SCRIPTS, JobPlan, plan
from mlresearch.pipeline.paying import Approval, Submitted
from mlresearch.pipeline.rules import RULES
from mlresearch.pipeline.steps import Step
from mlresearch.pipeline.task import State

# what a diagnosis holds where no job can fail; the names of taxonomy that fit there
_GIVING_UP = (
    '{"category": "resource_not_found" (missing), "auth_or_gated", "dataset_schema_mismatch" or "unknown", '
    '"jobId": null, "rootCause": "…", "evidenceLines": ["of the look-up, to the letter"], "minimalFix": "…", '
    '"configChanges": {}, "scopeChange": false, "oomLadderRung": 0, "unrecoverable": true, "recheckedDocs": []}'
)
LONGEST = 118  # lines of one page as text
WIDTH = 118  # of a list that is wrapped


@dataclass(frozen=True)
class Brief:
    """One open step. `attempts` is None where answers are not counted. Paths are from the project's folder."""

    step: Step
    task: str
    attempt: int
    attempts: int | None
    inputs: tuple[str, ...]
    review: Mapping[str, str]
    output: str
    lines: tuple[Line, ...]
    issues: tuple[Mapping[str, Any], ...]
    failures: tuple[Mapping[str, Any], ...]
    rung: int
    notes: tuple[str, ...]
    subjects: tuple[str, ...]
    approval: Approval | None
    held: Submitted | None

    @property
    def complete(self) -> str:
        return f"{SCRIPTS}pipeline.py complete --phase {self.step.name} --output {self.output}"

    @property
    def fail(self) -> str:
        analysis = self.output.replace(".json", ".failure.json")
        return f"{SCRIPTS}pipeline.py fail --phase {self.step.name} --analysis {analysis}"

    def as_dict(self) -> dict[str, Any]:
        step = self.step
        return {
            "task": self.task,
            "step": step.name,
            "phase": step.phase,
            "title": step.title,
            "agent": step.agent,
            "goal": step.goal,
            "attempt": self.attempt,
            "attempts": self.attempts,
            "inputs": list(self.inputs),
            "reviewed": dict(self.review),
            "rules": {rule: RULES[rule] for rule in step.rules},
            "schema": schema.load(f"pipeline/{step.schema}"),
            "commands": [line.as_dict() for line in self.lines],
            "output": self.output,
            "complete": self.complete,
            "fail": self.fail,
            "failure_schema": schema.load("pipeline/failure") if self.failures or self._has_failed else None,
            "issues": [dict(issue) for issue in self.issues],
            "failures": [dict(failure) for failure in self.failures],
            "ladder": {"reached": self.rung, "rungs": list(taxonomy.RUNGS)} if self.attempts is not None else None,
            "notes": list(self.notes),
            "to_check": list(self.subjects),
            "approval": None if self.approval is None else asdict(self.approval),
            "job": None if self.held is None else asdict(self.held),
        }

    @property
    def _has_failed(self) -> bool:
        return self.held is not None and self.held.stage not in (None, "COMPLETED")


def briefs(state: State) -> list[Brief]:
    """One for each open step, in order."""
    return [brief(state, steps.BY_NAME[name]) for name in state.todo]


def brief(state: State, step: Step) -> Brief:
    task, past = state.task, state.failures.get(step.name, ())
    job = plan(state, step.name)
    held = _held(state, step, job)
    approval = _needed(state, step, held)
    review = results.to_review(state, step.name) if step.agent == "critic" else {}
    most = task.max_job_retries if step.tries is None else step.tries
    return Brief(
        step=step,
        task=task.name,
        attempt=len(past) + 1,
        attempts=most or None,
        inputs=tuple(dict.fromkeys([*_inputs(state, step), *review])),
        review=review,
        output=f"work/{task.name}/{step.name}.json",
        lines=tuple(_lines(state, step, approval, held)),
        issues=tuple(state.issues.get(step.name, ())),
        failures=tuple(_failure(one.analysis, one.failure.signature, one.job) for one in past),
        rung=_rung(state),
        notes=tuple(notes.of(state, step, job, held, is_asked=approval is not None)),
        subjects=tuple(critics.subjects(state, step.name)),
        approval=approval,
        held=held,
    )


def _held(state: State, step: Step, job: JobPlan | None) -> Submitted | None:
    if job is not None:
        return paying.submitted(state, job)
    return paying.unclaimed(state) if step.name == "evaluate" else None


def _needed(state: State, step: Step, held: Submitted | None) -> Approval | None:
    """The approval that is missing before this step's job; None when the step needs none, or it holds."""
    if step.name not in paying.PAID or held is not None:
        return None
    found = paying.approval(state.task.root)
    return None if found.holds else found


def _inputs(state: State, step: Step) -> Iterator[str]:
    for name in step.reads:
        if name in state.results:
            yield results.path(state.task.name, name)
    if "implement" in step.reads:
        yield from results.scripts(state)


def _lines(state: State, step: Step, approval: Approval | None, held: Submitted | None) -> Iterator[Line]:
    if approval is not None:
        yield from commands.approving(approval)
        return
    if step.name == "implement" or (step.name == "evaluate" and "implement" not in state.results):
        yield from commands.templates(state)
    yield from commands.lookups(state, step.name)
    yield from commands.running(state, step.name, held)


def _failure(analysis: Mapping[str, Any], signature: str, job: str | None) -> dict[str, Any]:
    kept = {key: analysis[key] for key in ("category", "rootCause", "minimalFix", "configChanges")}
    return {"job": job, "signature": signature, **kept}


def _rung(state: State) -> int:
    return max((one.failure.rung for past in state.failures.values() for one in past), default=0)


def text(found: Brief) -> str:
    """The page that an agent follows, in at most LONGEST lines and then a pointer to --json."""
    lines = [*_head(found), *_way(found), *_past(found), *_answer(found)]
    if len(lines) > LONGEST:
        more = f"… {len(lines) - LONGEST + 4} more lines: pipeline.py next --json"
        lines = [*lines[: LONGEST - 4], more, *lines[-3:]]
    return "\n".join(lines)


def _head(found: Brief) -> Iterator[str]:
    step = found.step
    tries = f", attempt {found.attempt} of {found.attempts}" if found.attempts else ""
    yield f"== {step.name} (phase {step.phase}: {step.title}{tries}) =="
    yield f"who: {step.agent}" if step.agent != "you" else "who: you, in this session"
    yield f"goal: {step.goal}"
    yield from (f"note: {note}" for note in found.notes)
    yield from (f"rule {rule}: {RULES[rule]}" for rule in step.rules)
    yield from (f"read: {path}" for path in found.inputs if path not in found.review)
    if "reviewed" in schema.load(f"pipeline/{step.schema}")["required"]:
        yield from (f"read, and report in reviewed: {path} {digest}" for path, digest in found.review.items())
    else:
        yield from (f"read: {path}" for path in found.review)
    if found.subjects:
        yield "check each of these by tools; checked names every one, spelled as here:"
        yield from textwrap.wrap("; ".join(found.subjects), WIDTH, initial_indent="  ", subsequent_indent="  ",
                                 break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _way(found: Brief) -> Iterator[str]:
    if found.approval is not None and found.approval.faults:
        yield f"first: {found.approval.faults}"
    for line in found.lines:
        yield f"do: {line.why}"
        yield f"  {line.command}"
    if found.approval is not None:
        yield "then run pipeline.py next again: it shows the job's command"


def _past(found: Brief) -> Iterator[str]:
    yield from (f"sent back ({issue['severity']}): {issue['claim']} [{issue['evidence']}]" for issue in found.issues)
    for past in found.failures:
        where = f"{past['job'] or 'no job'}, {past['category']}"
        yield f"failed before ({where}): {past['rootCause']} Fix: {past['minimalFix']}"
    if found.failures or found._has_failed:
        reached = f"{found.rung} ({taxonomy.RUNGS[found.rung]})"
        yield f"memory ladder: rung {reached} is reached"
        ends = " (this category ends the task)"
        yield from (f"if {one.name}: {one.fix}{ends if one.stops else ''}" for one in taxonomy.CATEGORIES)


def _answer(found: Brief) -> Iterator[str]:
    if found._has_failed:
        yield f"the diagnosis: {found.fail.rpartition(' ')[2]}, one JSON object, every field given:"
        yield from form.lines(schema.load("pipeline/failure"))
    elif found.approval is None:
        yield f"the answer: {found.output}, one JSON object, every field given:"
        yield from form.lines(schema.load(f"pipeline/{found.step.schema}"))
    if found.approval is None:
        when = "when it failed" if found.attempts is not None else "when it can not be done as asked (unrecoverable)"
        yield f"{when}: {found.fail}"
        if found.attempts is None:
            yield f"  {_GIVING_UP}"
    if found.approval is None and not found._has_failed:
        yield f"when it is done: {found.complete}"
