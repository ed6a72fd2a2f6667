"""What `pipeline.py next` does before it tells: derived files, the draft of program.md, stops before a submit.

Safe to repeat after a kill at any line; it spends nothing.
"""

from __future__ import annotations

from contextlib import suppress

from mlresearch.errors import BackendError, Unavailable, UsageError
from mlresearch.pipeline import derived, drafting, engine, journal, paying
from mlresearch.pipeline.job_plans import plan
from mlresearch.pipeline.task import Halt, State


def tend(root: str, name: str) -> State:
    """The task, with all that follows from its journal in place."""
    with journal.held(root, name):
        state = engine.load(root, name)
        derived.write(state)
        if state.stopped is not None:
            return state
        drafting.ensure(state)
        for step in state.todo:
            halt = _stop(state, step)
            if halt is not None:
                engine.halt(state, step, halt)
                return engine.load(root, name)
        return state


def _stop(state: State, step: str) -> Halt | None:
    """Before the command of a paid job is shown: whether it would pass what was approved, or is not fit to be sent."""
    job = plan(state, step)
    if step not in paying.PAID or job is None or not paying.approval(state.task.root).holds:
        return None
    if paying.submitted(state, job) is not None:
        return None
    # no prices, or no token to read them with: the submit itself asks again, and refuses what it can not price
    with suppress(Unavailable, BackendError, UsageError):
        return paying.stop(state, step, job)
    return None
