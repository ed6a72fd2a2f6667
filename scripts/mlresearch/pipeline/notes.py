"""What a page notes beside its goal: what the user named, where things are saved, how to cite, what is open or missing.

Pure reading of the task's state; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlresearch import money
from mlresearch.errors import GateError
from mlresearch.pipeline import commands, derived, drafting, fold, journal, paying
from mlresearch.pipeline.job_plans import SCRIPTS, TRIALS, JobPlan, is_folder, trial_place
from mlresearch.pipeline.paying import Submitted
from mlresearch.pipeline.profiles import BUILT_IN, PROFILES, Profile
from mlresearch.pipeline.steps import Step
from mlresearch.pipeline.task import State, Task

LOOKED_UP = ("research.", "resources.", "data_audit")


def of(state: State, step: Step, job: JobPlan | None, held: Submitted | None, is_asked: bool) -> Iterator[str]:
    """Every note of a step; `is_asked` where a person must approve before its job."""
    yield from _given(state, step)
    yield from _known(state, step)
    yield from _citing(state, step)
    yield from _saving(state, step)
    yield from _job(held)
    yield from _repeats(state, step, job, held)
    if is_asked:
        yield from _asking(state)


def _given(state: State, step: Step) -> Iterator[str]:
    task = state.task
    if step.name == "plan":
        yield f"the task: {task.text}"
        given = {"model": task.model, "dataset": task.dataset, "smoke model": task.smoke_model}
        yield from (f"the user named the {name}: {value}" for name, value in given.items() if value)
        yield from (_profile(one) for one in PROFILES.values())
    if step.name in ("implement", "cpu_smoke") and task.smoke_model:
        yield f"in the smoke run {task.smoke_model} may stand in for the model"
    if step.name == "implement":
        yield from _limits(state)


def _profile(found: Profile) -> str:
    told = f"profile {found.name}: {found.about}; methods {', '.join(found.methods)}"
    return f"{told}; its templates print {found.metric} ({found.direction})" if found.evaluate else told


def _known(state: State, step: Step) -> Iterator[str]:
    """An earlier task of the same words found this out already; the gate looks all of it up again."""
    task = state.task
    for name in reversed(journal.tasks(task.root)) if step.name.startswith(LOOKED_UP) else ():
        file = f"work/{name}/{step.name}.json"
        if name != task.name and Path(task.root, file).is_file() and _answered(task, name, step.name):
            again = f"complete --phase {step.name} --output {file}"
            yield f"the task {name} answered this step; where that still holds, hand it in again: {again}"
            return


def _answered(task: Task, earlier: str, step: str) -> bool:
    try:
        found = fold.state(journal.rows(task.root, earlier))
    except GateError:  # a record that was damaged offers nothing
        return False
    return found.task.text == task.text and step in found.results


def _citing(state: State, step: Step) -> Iterator[str]:
    """How to cite what no look-up command prints."""
    found = derived.template_evidence(state) if step.name in ("research.examples", "research.recipe") else {}
    for name, evidence in found.items():
        yield f"cite the plugin's template as kind code, id {name}, url {name}, evidence {evidence} (a copy of it)"
    if step.name == "research.recipe":
        yield "a source that a finder opened may be cited with the finder's evidence file"
    if step.name == "resources.model" and state.baseline["model"] == BUILT_IN:
        listing = f"{derived.evidence(state.task.name, step.name)}/hardware.json"
        yield (
            f"{BUILT_IN} is built by the template and has no page: id {BUILT_IN}, exists true, gated false, revision "
            f"and licence null; its evidence is the listing of hardware, {listing}"
        )


def _saving(state: State, step: Step) -> Iterator[str]:
    """Where a trial saves, so that nothing of it passes for the result."""
    task, made = state.task, state.results.get("implement")
    if step.name == "implement":
        example = "work/model" if task.backend == "local" else f"{task.hub_org or 'OWNER'}/NAME"
        told = f"the commands of the smoke run and the short job give {trial_place(task, example)} in its place"
        yield f"name persistenceDest by an argument: {told}"
    elif made is not None and step.name in TRIALS:
        result = str(made["persistenceDest"])
        place = trial_place(task, result)
        is_pushed = step.name == "gpu_preflight" and not is_folder(result)
        stays = "; what is pushed stays until a person deletes it" if is_pushed else ""
        yield f"its command gives {place} in place of {result}: the full job alone writes there{stays}"


def _job(held: Submitted | None) -> Iterator[str]:
    if held is not None and not held.is_known:
        yield f"{held.job} was being submitted when something died; after the reconcile, run pipeline.py next again"
    elif held is not None:
        ended = f"ended {held.stage}" if held.stage else "is open"
        yield f"{held.job} is this step's job and {ended}: do not submit another one"
    if held is not None and held.stage not in (None, "COMPLETED"):
        yield "it failed: read its whole log, write a diagnosis, hand it in with `fail`"
        yield "the same error again ends the task, whatever was changed in between"
        yield "change the script once the diagnosis is granted, then run next: no review is repeated, the gate compares"


def _repeats(state: State, step: Step, job: JobPlan | None, held: Submitted | None) -> Iterator[str]:
    if job is not None and held is None and paying.is_unchanged(state, step.name, job):
        last = state.failures[step.name][-1]
        yield f"nothing has changed since {last.job} failed: make the change that was diagnosed, then run next again"


def _asking(state: State) -> Iterator[str]:
    yield "a person must approve what may be spent before this job; show them what program.py show prints"
    costs = [f"{step} {money.show(micro)}" for step, micro in paying.ceilings(state).items()]
    if costs:
        yield f"the most that one run of each can cost: {', '.join(costs)}"
    yield f"when they refuse: {SCRIPTS}pipeline.py finalize --stop approval_denied"
    yield f"when nobody can answer: {SCRIPTS}pipeline.py finalize --stop envelope_missing"


def _limits(state: State) -> Iterator[str]:
    task, kind = state.task, commands.profile(state)
    owner = ", ".join(drafting.repositories(task))
    folder = f"work/{task.name}/model"
    place = f"may publish to {owner}" if owner else f"save to {folder}, which is persistenceDest"
    yield f"the full job and its evaluation run on backend {task.backend}; they {place}"
    if task.backend == "local":
        yield "a job runs in its own folder: give a path of this project as {root}/path, such as {root}/" + folder
    else:
        yield "a job begins in an empty folder of its own, which goes with it: a relative --output is right there"
    if kind is not None and kind.skill:
        yield f"where the skill {kind.skill} is installed, use what it says of the script; the job goes through jobs.py"
    if kind is not None:
        yield f"the full job's time limit is at least {kind.minimum_s // 60} minutes"
