"""What a campaign needs next. Pure: the ledger's standing and the sealed program in, an answer out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlresearch import durations, envelope
from mlresearch.envelope import Envelope, Request, Spent
from mlresearch.standing import Standing

# a machine's fault is no result: the run is repeated, but not for ever
INFRASTRUCTURE = ("LOST", "CANCELED", "PREEMPTED", "NODE_FAIL")
KILLED = 137  # 128 + SIGKILL: nothing that a script does by itself
RETRIES = 2


@dataclass(frozen=True)
class Step:
    """The one next thing: `do` is a verb of campaign.py (or wait, done, person), `why` a sentence for the reader."""

    do: str
    why: str
    experiment: str | None = None


@dataclass(frozen=True)
class Stop:
    reason: str
    message: str


def command_of(step: Step, next_experiment: int = 1) -> str:
    """The literal command of a step, ready to run; files of an experiment live in a folder of its name."""
    if step.do == "done":
        return "campaign.py report"
    if step.do == "person":
        return "campaign.py status"
    experiment = f" --experiment {step.experiment}" if step.experiment else ""
    tails = {
        "collect": " --wait 10m",
        "plan": f" --file work/e{next_experiment:04d}/plan.json",
        "analyse": f"{experiment} --file work/{step.experiment}/analysis.md",
    }
    return f"campaign.py {step.do}{tails.get(step.do, experiment)}"


def seed_of(salt: str, index: int) -> int:
    """The seed number `index`: fixed by the approval, and not known before it."""
    return int(hashlib.sha256(f"{salt}:{index}".encode()).hexdigest()[:8], 16) % 2**31


def wanted(experiment: Mapping[str, Any], criteria: Mapping[str, Any]) -> tuple[str, int]:
    """The purpose of an experiment's next runs and how many it takes in all."""
    counts = {"baseline": criteria["baseline_seeds"], "screen": 1, "confirm": criteria["confirm_seeds"]}
    return experiment["stage"], counts[experiment["stage"]]


def results(experiment: Mapping[str, Any], criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs of the experiment's present stage that say something about it, retried ones left out."""
    purpose, count = wanted(experiment, criteria)
    return counted([run for run in experiment["runs"] if run["purpose"] == purpose], count)


def counted(runs: list[dict[str, Any]], wanted: int = 1) -> list[dict[str, Any]]:
    """Runs less those that a machine's fault ended: each wanted run may meet two, since one fault ends all at once.

    One too many counts as a result, and asks for no further run.
    """
    faulty = [run for run in runs if is_fault(run)]
    return [run for run in runs if not is_fault(run)] + faulty[RETRIES * wanted :]


def is_fault(run: Mapping[str, Any]) -> bool:
    return run["stage"] in INFRASTRUCTURE or (run["stage"] == "FAILED" and run["exit_code"] == KILLED)


def missing(standing: Standing, name: str, criteria: Mapping[str, Any]) -> int:
    """How many runs still have to be submitted for an experiment; a first crash asks for no more."""
    experiment = standing.experiments[name]
    _, count = wanted(experiment, criteria)
    done = results(experiment, criteria)
    if any(run["value"] is None for run in done):
        return 0
    return max(0, count - len(done) - len(under_way(standing, name)))


def under_way(standing: Standing, name: str) -> list[str]:
    return [
        job
        for job, held in standing.open.items()
        if held["experiment"] == name and held["campaign"] == standing.campaign
    ]


def is_measured(standing: Standing, name: str, criteria: Mapping[str, Any]) -> bool:
    return not missing(standing, name, criteria) and not under_way(standing, name)


def committed(standing: Standing, criteria: Mapping[str, Any]) -> int:
    """Runs that undecided experiments may still ask for: screens not yet submitted and confirmations to come."""
    total = 0
    for name, experiment in standing.experiments.items():
        total += missing(standing, name, criteria)
        total += criteria["confirm_seeds"] if experiment["stage"] == "screen" else 0
    return total


def final_runs(program: Mapping[str, Any]) -> int:
    """The jobs of a final evaluation: baseline and incumbent, each trained and, where there is a test, scored."""
    each = 2 if program["goal"]["final"] else 1
    return 2 * each * int(program["criteria"]["final_seeds"])


def run_request(program: Mapping[str, Any], ceiling_micro: int, start_allowance_s: int, final: bool = False) -> Request:
    run = program["run"]
    timeout_s = durations.parse(run["timeout"])
    return Request(run["backend"], run["flavor"], timeout_s, timeout_s + start_allowance_s, ceiling_micro, final)


def affords(limits: Envelope, spent: Spent, request: Request, count: int, now: float) -> list[envelope.Breach]:
    """The breaches that `count` more runs like `request` would meet, `max_parallel` aside."""
    ahead = Spent(
        jobs=spent.jobs + count - 1,
        seconds=spent.seconds + (count - 1) * request.reserved_s,
        micro=spent.micro + (count - 1) * request.ceiling_micro,
    )
    return [breach for breach in envelope.check(limits, ahead, request, now) if breach.terminal]


def room(standing: Standing, limits: Envelope) -> int:
    """How many jobs may be started now beside the open ones."""
    return max(0, limits.max_parallel - standing.spent().open_jobs)


def stop(standing: Standing, program: Mapping[str, Any], limits: Envelope, request: Request, now: float) -> Stop | None:
    """Why no further experiment may be proposed, or None."""
    if standing.stopped:
        return Stop(standing.stopped["reason"], standing.stopped["message"])
    criteria, goal = program["criteria"], program["goal"]
    if standing.incumbent is None:
        return None
    if _reaches(standing.incumbent["mean"], goal):
        return Stop(
            "target", f"{goal['metric']} {standing.incumbent['mean']:.6g} reaches the target {goal['target']:.6g}"
        )
    if standing.next_experiment > criteria["max_experiments"]:
        return Stop("experiments", f"{criteria['max_experiments']} experiments were planned, as many as allowed")
    if standing.no_gain >= criteria["stop_after_no_gain"]:
        return Stop("no_gain", f"{standing.no_gain} experiments in a row brought no confirmed gain")
    needed = committed(standing, criteria) + 1 + criteria["confirm_seeds"]
    breaches = affords(limits, standing.spent(), request, needed, now)
    if not breaches and standing.jobs + needed + final_runs(program) > limits.max_jobs:
        ahead = f"{needed} jobs and {final_runs(program)} for the final evaluation"
        return Stop("budget", f"{ahead} do not fit in the {limits.max_jobs - standing.jobs} that are left")
    if breaches:
        names = ", ".join(breach.limit for breach in breaches)
        left = envelope.left(limits, standing.spent())
        return Stop("budget", f"one more experiment with its confirmation does not fit in {names}; left: {left}")
    return None


def _reaches(value: float, goal: Mapping[str, Any]) -> bool:
    if goal["target"] is None:
        return False
    return bool(value >= goal["target"] if goal["direction"] == "maximize" else value <= goal["target"])


def next_step(standing: Standing, program: Mapping[str, Any], limits: Envelope, request: Request, now: float) -> Step:
    """The one next step of a campaign, in the order that keeps machines busy and nothing undecided."""
    criteria = program["criteria"]
    if standing.finalized:
        return Step("done", "the campaign is finalized: read runs/summary.md, open runs/report.html")
    if not standing.started:
        return Step("start", "the envelope is approved and the campaign is not started")
    if standing.final is not None:
        return Step("finalize", "the sealed measurement has begun")
    if standing.stopped:
        return Step("finalize", f"stopped ({standing.stopped['reason']}): {standing.stopped['message']}")
    free = room(standing, limits)
    step = _experiment_step(standing, criteria, free)
    halt = stop(standing, program, limits, request, now)
    return step or _between(standing, halt, free)


def _between(standing: Standing, halt: Stop | None, free: int) -> Step:
    """The step when no undecided experiment asks for one."""
    confirming = [name for name, told in standing.experiments.items() if told["stage"] == "confirm"]
    if confirming and all(standing.experiments[name]["by"] == "model" for name in confirming):
        return Step("collect", f"{', '.join(confirming)} is being confirmed, and may become the incumbent")
    if halt is None and free and standing.incumbent is not None:
        return Step("plan", "there is room for an experiment: plan one change against the incumbent")
    if standing.open:
        return Step("collect", f"{len(standing.open)} jobs are under way")
    if halt is not None:
        return Step("finalize", f"stop condition ({halt.reason}): {halt.message}")
    return Step("person", "nothing is open and nothing may be started: a person must look at program.md")


def _experiment_step(standing: Standing, criteria: Mapping[str, Any], free: int) -> Step | None:
    ordered = sorted(standing.experiments, key=lambda name: (standing.experiments[name]["stage"] == "screen", name))
    for name in ordered:
        experiment = standing.experiments[name]
        if is_measured(standing, name, criteria):
            if experiment["by"] == "model" and not experiment["analysed"]:
                return Step("analyse", f"the runs of {name} have ended; write what the plan promised", name)
            return Step("decide", f"every run of {name} is measured", name)
    for name in ordered:
        if missing(standing, name, criteria) and free:
            purpose, _ = wanted(standing.experiments[name], criteria)
            return Step("submit", f"{name} still needs {missing(standing, name, criteria)} {purpose} runs", name)
    return None
