"""Ends a task: everything is judged once more, the report is written, the approval closes. Safe to repeat after a kill.

The order matters: the report first, then the row that says so, then the seal; whoever dies in between repeats the rest.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mlresearch import ledger, seal, store
from mlresearch.errors import GateError, NotFound
from mlresearch.pipeline import bills, comparing, derived, drafting, engine, journal, reporting, steps
from mlresearch.pipeline.engine import Gates
from mlresearch.pipeline.gates import GATES
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.task import Accept, Halt, Output, Refuse, State, World

LAST = "final_verification"


def finalize(root: str, name: str, world: World, gates: Gates = GATES, stop: str | None = None) -> State:
    """Close the task and return it as it ended; raises GateError while a step or a job is open."""
    with journal.held(root, name):
        state = engine.load(root, name)
        if not engine.is_closed(state):
            state = _stopped(state, stop)
            _must_be_over(state)
            derived.write(state)
            _close(state, world, gates)
            state = engine.load(root, name)
        derived.write(state)
        _end_approval(state)
        return state


def _stopped(state: State, stop: str | None) -> State:
    if stop is None or state.stopped is not None:
        return state
    engine.halt(state, state.todo[0] if state.todo else LAST, Halt(stop, "said by the session"))
    return engine.load(state.task.root, state.task.name)


def _must_be_over(state: State) -> None:
    if state.stopped is None and state.todo:
        told = f"not done: {', '.join(state.todo)}"
        raise GateError(told, "every step done, or a stop", f"pipeline.py next --task {state.task.name}")
    still = sorted(ledger.standing(state.task.root).open)
    if still:
        told = f"open in the ledger: {', '.join(still)}"
        raise GateError(
            told, "jobs that have ended and are settled", f"jobs.py wait --job {still[0]}, or jobs.py cancel"
        )


def _close(state: State, world: World, gates: Gates) -> None:
    ended = outcome(state, world, gates)
    told = reporting.report(state, ended)
    store.put_text(os.path.join(state.task.root, reporting.path(state.task.name)), told)
    journal.append(state.task.root, state.task.name, "finalized", **ended)


def outcome(state: State, world: World, gates: Gates) -> Output:
    """How the task ended and whether it conforms, by the gate of the last step and nothing else."""
    if state.stopped is not None:
        is_answered = state.stopped["reason"] == "answered"
        missing = [] if is_answered else [steps.BY_NAME[step].title for step in _open(state)]
        return {**state.stopped, "conforms": is_answered, "missing": missing}
    missing = _missing(state, world, gates)
    reason, what = "completed", ""
    if _is_reached(state):
        reason, what = "target_reached", f"{state.results['plan']['successMetric']['name']}"
    message = STOPS[reason].told.format(what=what)
    return {
        "reason": reason,
        "step": LAST,
        "message": message if not missing else "the work is done, and not everything conforms",
        "next": STOPS[reason].next_step,
        "what": what,
        "conforms": not missing,
        "missing": missing,
    }


def _open(state: State) -> list[str]:
    from mlresearch.pipeline.fold import way

    return [step.name for step in way(state.results) if step.name not in state.results]


def _missing(state: State, world: World, gates: Gates) -> list[str]:
    output = state.results[LAST]
    verdict = gates[LAST](state, output, world)
    claimed = [] if output["conforms"] else list(output["missing"]) or ["the last check says that it does not conform"]
    if isinstance(verdict, Accept):
        return claimed
    if isinstance(verdict, Refuse):
        return list(dict.fromkeys([*verdict.faults, *claimed]))
    return [verdict.what if isinstance(verdict, Halt) else "the last check sends the work back", *claimed]


def _is_reached(state: State) -> bool:
    """Whether the measured value is at the target that the user named."""
    wanted, found = state.results["plan"]["successMetric"], state.results.get("evaluate")
    if not wanted or wanted["target"] is None or found is None or found.get("value") is None:
        return False
    value, target = float(found["value"]), float(wanted["target"])
    return value <= target if wanted["direction"] == "minimize" else value >= target


def _end_approval(state: State) -> None:
    """Nothing more may be spent for this task; its program.md goes to its record."""
    root, name, ended = state.task.root, state.task.name, state.stopped or {}
    place = Path(root, seal.PROGRAM)
    with suppress(FileNotFoundError):
        if drafting.task_of(place.read_text(encoding="utf-8", errors="replace")) != name:
            return
        approved = seal.load(root)
        if approved is not None:
            with ledger.transaction(root) as tx:
                tx.append("closed", campaign=approved.campaign, task=name, reason=ended.get("reason"))
            seal.close(root)
        os.replace(place, journal.folder(root, name) / seal.PROGRAM)


def last_lines(state: State) -> list[str]:
    """What a person reads last: how it ended; where something was measured or ran also the number, links, the cost."""
    ended = state.stopped
    if ended is None:
        raise NotFound(f"{state.task.name} is open", "a finalized task", "pipeline.py finalize")
    conforms = "conforms" if ended["conforms"] else f"does not conform ({len(ended['missing'])} missing)"
    report = reporting.path(state.task.name)
    known, found = bills.jobs(state), state.results.get("evaluate")
    if not known and found is None:
        return [f"{state.task.name}: {ended['reason']}, {conforms}; {report}"]
    lines = [f"{state.task.name}: {ended['reason']}, {conforms}"]
    if found is not None:
        lines += [comparing.measured(found).replace("**", ""), *filter(None, [reporting.verdict(state)])]
        lines += [f"{what}: {where}" for where, what in reporting.links(state).items()]
    if not ended["conforms"] and "research.recipe" in state.results:
        lines.append("to go on: pipeline.py start with the same words; what was looked up is offered again")
    return [*lines, f"cost: {bills.spending(state)}; jobs: {len(known)}", f"report: {report}"]
