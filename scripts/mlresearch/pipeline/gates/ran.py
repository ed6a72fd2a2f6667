"""Gates of the jobs: ledger, log and the script's bytes say that it was this very job, and that it went well.

A failure never comes through `complete`: it is told with `pipeline.py fail`, so that it is counted and diagnosed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlresearch.backends import COMPLETED
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.pipeline import script_scope
from mlresearch.pipeline.gates import code
from mlresearch.pipeline.gates.looking import Look, alerts, is_broken, last_object, steps_in, tail_faults
from mlresearch.pipeline.job_plans import JobPlan, plan
from mlresearch.pipeline.task import JobFacts, Output, State, Verdict, World

# a full run that ends far before its steps did less than was asked; epochs make the count a guess
LEAST_SHARE = 0.9
# the ledger's times are rounded to the millisecond
CLOCK_S = 0.01


@dataclass(frozen=True)
class Ran:
    """A job that completed, as its step needed it; `end` is what its script said last."""

    job: JobFacts
    end: dict[str, Any]


def cpu_smoke(state: State, output: Output, world: World) -> Verdict:
    look = Look(state, world)
    if output["status"] != "success":
        look.faults.append("status: failed (next: pipeline.py fail --phase cpu_smoke, with a diagnosis)")
        return look.verdict()
    ran = of_step(look, "cpu_smoke", output["jobId"])
    is_proxy = state.task.smoke_model is not None
    look.expect(output["usedProxyModel"] == is_proxy, f"usedProxyModel: {output['usedProxyModel']}, not {is_proxy}")
    if ran is not None:
        look.faults += tail_faults(output["logTail"], ran.job.log)
        done = steps_in(ran.job.log)
        look.expect(done >= 1, f"the log of {ran.job.job} shows no training step")
        look.expect(output["stepsRun"] == done, f"stepsRun: {output['stepsRun']}, and the log shows {done}")
    return look.verdict()


def gpu_preflight(state: State, output: Output, world: World) -> Verdict:
    return _trained(Look(state, world), "gpu_preflight", output)


def full_job(state: State, output: Output, world: World) -> Verdict:
    look = Look(state, world)
    most = float(state.results["implement"]["expectedSteps"]) * LEAST_SHARE
    told = f"lastStep: {output['lastStep']}, and {state.results['implement']['expectedSteps']} steps were planned"
    look.expect(output["lastStep"] >= most, told)
    return _trained(look, "full_job", output)


def _trained(look: Look, step: str, output: Output) -> Verdict:
    if output["status"] != "success":
        look.faults.append(f"status: failed (next: pipeline.py fail --phase {step}, with a diagnosis)")
        return look.verdict()
    ran = of_step(look, step, output["jobId"])
    look.expect(output["healthy"], "healthy: false, and the job is claimed a success")
    look.expect(output["realModelLoaded"], "realModelLoaded: false, and the job is claimed a success")
    if ran is None:
        return look.verdict()
    look.faults += tail_faults(output["logTail"], ran.job.log)
    done = steps_in(ran.job.log)
    look.expect(done >= 1, f"the log of {ran.job.job} shows no training step")
    look.expect(output["lastStep"] == done, f"lastStep: {output['lastStep']}, and the log shows {done}")
    _alerts(look, output, ran.job)
    _device(look, ran.job)
    return look.verdict()


def _device(look: Look, job: JobFacts) -> None:
    """Our templates say where the model lies. On paid hardware with an accelerator the CPU is money for nothing."""
    is_paid_for = job.backend not in FREE_BACKENDS and not job.flavor.startswith("cpu")
    for line in job.log if is_paid_for else ():
        if re.match(r"model \S+ has \d+ parameters, \d+ trained, on cpu\s*$", line):
            look.notes.append(f"{job.job} was paid for {job.flavor} and trained on its cpu: {line.strip()}")
            return


def _alerts(look: Look, output: Output, job: JobFacts) -> None:
    told = {(alert["level"], alert["title"]) for alert in output["alerts"]}
    for alert in alerts(job.log):
        if alert.level == "error":
            said = f"{alert.title}: {alert.text}"[:200]
            look.faults.append(f"the log of {job.job} has an ERROR alert ({said}): that is a failure")
            is_told = ("ERROR", alert.title) in told
            look.expect(is_told, f"alerts: the ERROR alert {alert.title} is left out")
    if any(level == "ERROR" for level, _ in told):
        look.faults.append("alerts: an ERROR alert is a failure (next: pipeline.py fail)")


def of_step(look: Look, step: str, name: str) -> Ran | None:
    """The job that this step needs, completed; None with faults for any other. Its script joins the answer's files."""
    needed = plan(look.state, step)
    job = _settled(look, name)
    if needed is None or job is None:
        return None
    _is_the_one(look, needed, job)
    _mended_only_after_a_failure(look, step, needed.script)
    if step == "evaluate":
        _evaluation_as_it_is(look)
    else:
        _as_reviewed(look, step, needed)
    limits = look.limits() if needed.backend != "local" else None
    if limits is not None:
        code.limit_faults(look, f"{job.job}: ", needed, limits)
    look.files.append(needed.script)
    return _went_well(look, job)


def _mended_only_after_a_failure(look: Look, step: str, script: str) -> None:
    """The bytes that the last answer rests on, unless an accepted diagnosis of this very step granted a fix."""
    is_same = code.script_digest(look.state, script) == look.state.files.get(script)
    told = f"{script} was changed since it was accepted, and no diagnosis of {step} granted that"
    look.expect(is_same or look.state.failures.get(step), told)


def _as_reviewed(look: Look, step: str, needed: JobPlan) -> None:
    """The script trains what it trained when it was reviewed; only the short run may have fewer steps."""
    job = full_plan(look.state) if step == "cpu_smoke" else needed
    changed = code.changed_since_review(look.state, job, ("steps",) if step == "gpu_preflight" else ())
    look.faults += [f"{needed.script}: {told}" for told in changed]
    _loads_the_real_model(look, job)


def full_plan(state: State) -> JobPlan:
    """The full job: a smoke run may load a stand-in, and is compared by the full run's arguments."""
    needed = plan(state, "full_job")
    assert needed is not None, "a step with a job follows the implementation"
    return needed


def _evaluation_as_it_is(look: Look) -> None:
    """A script that was mended since it was accepted still loads what was saved, and prints the plan's metric."""
    made = look.state.results["implement"]
    content = look.read("evalScript", made["evalScript"])
    if content is not None:
        code.evaluation_faults(look, made, content)


def _loads_the_real_model(look: Look, job: JobPlan) -> None:
    facts = code.facts_now(look.state, job)
    if not isinstance(facts, str):
        look.faults += script_scope.departures(code.asked(look.state), facts)


def _settled(look: Look, name: str) -> JobFacts | None:
    """A job of this project's ledger that has ended, and that no earlier answer rests on."""
    used = _used(look.state)
    if name in used:
        look.faults.append(f"jobId: {name} belongs to {used[name]}; this step has a job of its own")
        return None
    job = look.world.job(name)
    if job is None:
        look.faults.append(f"jobId: {name} is not in the ledger")
    elif job.reserved_at < look.state.started_at - CLOCK_S:
        look.faults.append(f"jobId: {name} was submitted before this task began")
    elif job.stage is None:
        look.faults.append(f"jobId: {name} is still open (next: jobs.py wait --job {name})")
        return None
    return job


def _used(state: State) -> dict[str, str]:
    """Jobs that answers or diagnoses rest on already, each with what it belongs to."""
    found: dict[str, str] = {}
    for step, past in state.failures.items():
        found |= {failed.job: f"a failure of {step}" for failed in past if failed.job is not None}
    return found | {output["jobId"]: step for step, output in state.results.items() if "jobId" in output}


def _is_the_one(look: Look, needed: JobPlan, job: JobFacts) -> None:
    """The ledger's row against the command that the step's brief prints."""
    told = {
        "backend": (job.backend, needed.backend),
        "flavor": (job.flavor, needed.flavor),
        "timeout": (f"{job.timeout_s} s", f"{needed.timeout_s} s"),
        "SMOKE=1": (job.is_smoke, needed.is_smoke),
    }
    for what, (had, needs) in told.items():
        look.expect(had == needs, f"jobId: {job.job} ran with {what} {had}, and this step needs {needs}")
    is_same = job.args_sha256 == needed.args_sha256
    look.expect(is_same, f"jobId: {job.job} had other arguments than this step's command")
    now = {Path(needed.script).name: code.script_digest(look.state, needed.script)}
    look.expect(dict(job.files) == now, f"jobId: {job.job} ran other files than {needed.script} as it is now")


def _went_well(look: Look, job: JobFacts) -> Ran | None:
    if job.stage != COMPLETED:
        look.faults.append(f"jobId: {job.job} ended as {job.stage} (next: pipeline.py fail, with a diagnosis)")
        return None
    look.expect(job.log, f"the log of {job.job} is empty or gone")
    look.expect(not is_broken(job.log), f"a loss in the log of {job.job} is no finite number: that is a failure")
    end = last_object(job.log)
    look.expect(end, f"the log of {job.job} ends without the JSON line of its script")
    ended = end.get("ended", "done")
    look.expect(ended == "done", f"the script of {job.job} says that it ended as {ended!r}")
    return Ran(job, end)


def without_plan(look: Look, name: str) -> Ran | None:
    """The job of a task that trains nothing: its script is one of the task's own, as it is now."""
    job = _settled(look, name)
    if job is None:
        return None
    work = Path(look.root, look.work)
    known = {code.script_digest(look.state, str(path.relative_to(look.root))) for path in work.rglob("*.py")}
    is_own = bool(job.files) and set(job.files.values()) <= known
    look.expect(is_own, f"jobId: {job.job} ran other files than those under {look.work}/ as they are now")
    look.expect(not job.is_smoke, f"jobId: {job.job} was a smoke run")
    look.expect(job.backend == look.state.task.backend, f"jobId: {job.job} ran on {job.backend}")
    return _went_well(look, job)
