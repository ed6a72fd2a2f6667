"""What the jobs of a task need at most: how often each may run, how long and where. A person is asked to approve that.

From the accepted plan and, once they are written, the scripts' own limits; a step that is done needs nothing more.
Decides nothing and reads no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlresearch import durations
from mlresearch.envelope import START_ALLOWANCE_S
from mlresearch.pipeline.fold import way
from mlresearch.pipeline.job_plans import SMOKE_TIMEOUT_S, WITH_JOB, plan
from mlresearch.pipeline.profiles import HOUR, PROFILES
from mlresearch.pipeline.steps import Step
from mlresearch.pipeline.task import State
from mlresearch.pipeline.taxonomy import RUNGS


@dataclass(frozen=True)
class Need:
    """The jobs of one step: `runs` at most, each `limit_s` seconds long. `flavor` is None before the scripts say it."""

    step: str
    runs: int
    limit_s: int
    backend: str
    flavor: str | None

    def __str__(self) -> str:
        where = f"{self.backend} {self.flavor}" if self.flavor else self.backend
        return f"{self.step}: at most {self.runs} runs of {durations.show(self.limit_s)} on {where}"


def needs(state: State) -> tuple[Need, ...]:
    """One for each step with a job that is not done yet, in their order."""
    steps = [step for step in way(state.results) if step.name in WITH_JOB and step.name not in state.results]
    return tuple(_need(state, step) for step in steps)


def is_planned(state: State) -> bool:
    """Whether the scripts say what the jobs need; before that their limits are guessed by the kind of task."""
    return "implement" in state.results


def _need(state: State, step: Step) -> Need:
    job = plan(state, step.name)
    if job is not None:
        return Need(step.name, _runs(state, step), job.timeout_s, job.backend, job.flavor)
    backend = "local" if step.name == "cpu_smoke" else state.task.backend
    return Need(step.name, _runs(state, step), _guess_s(state, step.name), backend, None)


def _runs(state: State, step: Step) -> int:
    """As often as the judge of retries lets it, with the rungs of the memory ladder; a baseline may be a job too."""
    most = state.task.max_job_retries if step.tries is None else step.tries
    return max(most, len(RUNGS)) + (step.name == "evaluate")


def _guess_s(state: State, step: str) -> int:
    trains = PROFILES[state.results["plan"]["taskType"]].trains
    return longest_guess_s(state) if step == "full_job" or not trains else SMOKE_TIMEOUT_S


def longest_guess_s(state: State) -> int:
    """The longest a job may take, in seconds: eight times the profile's least, so that the dollars decide first."""
    profile = PROFILES[state.results["plan"]["taskType"]]
    return max(8 * profile.minimum_s, 2 * HOUR, SMOKE_TIMEOUT_S)


def timeout_s(state: State, found: Sequence[Need]) -> int:
    """The longest limit that one job may have: what ran out of time while it made progress may be given twice as much.

    A smoke run is one step; a longer limit is no help to it.
    """
    if not is_planned(state):
        return longest_guess_s(state)
    return max((need.limit_s * (1 if need.step == "cpu_smoke" else 2) for need in found), default=SMOKE_TIMEOUT_S)


def walltime_s(found: Sequence[Need]) -> int:
    """Every run at its limit, what starting it may take beside that, and once more the longest."""
    every = sum(need.runs * (need.limit_s + START_ALLOWANCE_S.get(need.backend, 0)) for need in found)
    return every + max((need.limit_s for need in found), default=0)
