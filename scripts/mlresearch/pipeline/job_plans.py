"""The job that a step needs: from the accepted implementation and the fixes that were granted since.

One description serves the command that a brief prints, the limits that are checked before it, and the gate that
compares it with the ledger afterwards. It submits nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlresearch import durations
from mlresearch.jobs.order import Order, args_sha256, placed
from mlresearch.pipeline.task import Output, State, Task

# in full: the client's shell need not know the plugin's folder, and a permission rule never matches a variable
PLUGIN = shlex.quote(str(Path(__file__).resolve().parents[3]))
SCRIPTS = f"uv run -q {PLUGIN}/scripts/"
SMOKE_TIMEOUT_S = 1800
LONGEST_S = 10**9
# names in a diagnosis's configChanges that stand for the job itself, not for an argument of its script
WITH_JOB = ("cpu_smoke", "gpu_preflight", "full_job", "evaluate")
JOB_SETTINGS = ("timeoutHours", "flavor")
# jobs that only try the script: what they save must not be what a later job resumes from, or what is evaluated
TRIALS = ("cpu_smoke", "gpu_preflight")
SAVED = "SAVED"
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class JobPlan:
    """`args` as the script gets them, before `{root}`, `{out}` and `{src}` are filled in."""

    root: str
    backend: str
    script: str
    args: tuple[str, ...]
    flavor: str
    timeout_s: int
    is_smoke: bool
    secrets: tuple[str, ...]
    reads_hub: bool = False

    @property
    def command(self) -> str:
        """The literal command line, ready to run alone in its call."""
        words = ["submit", "--backend", self.backend, "--script", self.script, "--flavor", self.flavor]
        words += ["--timeout", durations.show(self.timeout_s).replace(" ", "")]
        words += [f"--arg={arg}" for arg in self.args]
        words += [word for name in self.secrets for word in ("--secret", name)]
        words += [word for name, value in self.env.items() for word in ("--env", f"{name}={value}")]
        return f"{SCRIPTS}jobs.py {shlex.join(words)}"

    def order(self) -> Order:
        """The same job as the submit command makes it of that line."""
        return Order(
            self.backend, self.script, self.flavor, self.timeout_s, self.placed,
            env=self.env, secrets=self.secrets,
        )  # fmt: skip

    @property
    def env(self) -> dict[str, str]:
        """A local job is offline unless it says otherwise; it has no token, so that it can read there and no more."""
        smoke = {"SMOKE": "1"} if self.is_smoke else {}
        return smoke | ({"HF_HUB_OFFLINE": "0"} if self.reads_hub and self.backend == "local" else {})

    @property
    def placed(self) -> tuple[str, ...]:
        """The arguments as the script gets them."""
        return tuple(placed(arg, self.root) for arg in self.args)

    @property
    def args_sha256(self) -> str:
        """The hash that the ledger holds for a job with these arguments."""
        return args_sha256(self.placed)


def plan(state: State, step: str) -> JobPlan | None:
    """The job of a step; None for a step that has none or whose scripts are not written yet."""
    made = state.results.get("implement")
    return None if made is None or step not in WITH_JOB else planned(state, made, step)


def planned(state: State, made: Output, step: str) -> JobPlan:
    """The job of a step for an implementation, with the settings that were granted since."""
    task, changed, reads = state.task, granted(state, step), _reads_hub(state)
    token = _token(state)
    secrets = ("HF_TOKEN",) if task.backend != "local" else token
    train, evaluation = str(made["trainScript"]), str(made["evalScript"])
    if step == "cpu_smoke":
        stand_in = {} if task.smoke_model is None else {"model": task.smoke_model}
        small = _aside(task, made, amended(made["args"], {**changed, **stand_in}))
        return JobPlan(task.root, "local", train, small, "cpu", SMOKE_TIMEOUT_S, True, token, reads)
    if step == "evaluate":
        script, args, flavor, limit_s = evaluation, made["evalArgs"], made["evalFlavor"], _s(made["evalMinutes"], 60)
    elif step == "gpu_preflight":
        script, args, flavor = train, made["preflightArgs"], made["preflightFlavor"]
        limit_s = _s(made["preflightMinutes"], 60)
    else:
        script, args, flavor, limit_s = train, made["args"], made["flavor"], _s(made["timeoutHours"], 3600)
    limit_s = _s(changed["timeoutHours"], 3600) if _is_time(changed.get("timeoutHours")) else limit_s
    flavor, full = str(changed.get("flavor", flavor)), amended(args, changed)
    words = _aside(task, made, full) if step in TRIALS else tuple(full)
    return JobPlan(task.root, task.backend, script, words, flavor, limit_s, False, secrets, reads)


def _reads_hub(state: State) -> bool:
    """Whether the task's model or data has a name on the Hub, and is no file here."""
    found = dict(state.baseline)
    for kind in ("model", "dataset"):
        chosen = state.results.get(f"resources.{kind}")
        name = str(chosen["verified"]["id"] if chosen is not None else found[kind] or "")
        if REPO.fullmatch(name) and not Path(state.task.root, name).exists():
            return True
    return False


def _token(state: State) -> tuple[str, ...]:
    """What a job on this machine needs where model or data is open to this account alone; else nothing."""
    chosen = (state.results.get(f"resources.{kind}") for kind in ("model", "dataset"))
    return ("HF_TOKEN",) if any(one["verified"]["gated"] for one in chosen if one is not None) else ()


def is_folder(destination: str) -> bool:
    """Whether a result goes to a folder of this machine; else to a repository."""
    return destination.startswith("work/") or not REPO.fullmatch(destination)


def trial_place(task: Task, destination: str) -> str:
    """Where a trial saves in the result's place: its own folder, or a repository that the drafted limits cover."""
    owner = task.hub_org or destination.partition("/")[0]
    return "{out}" if is_folder(destination) else f"{owner}/{task.name}-preflight"


def _aside(task: Task, made: Output, words: Sequence[str]) -> tuple[str, ...]:
    """The arguments of a trial: whatever names the result's place names the trial's own."""
    return _elsewhere(task, made, words, trial_place(task, str(made["persistenceDest"]).rstrip("/")))


def _elsewhere(task: Task, made: Output, words: Sequence[str], place: str) -> tuple[str, ...]:
    destination = str(made["persistenceDest"]).rstrip("/")
    here = rf"(?:\{{root\}}/|{re.escape(task.root)}/|\./)?"
    named = re.compile(rf"(^|=){here}{re.escape(destination)}(?=/|$)")
    return tuple(named.sub(lambda found: found[1] + place, word) for word in words)


def rehearsal(state: State) -> JobPlan | None:
    """The evaluation with SMOKE=1 on what the smoke run saved, whose folder SAVED stands for; nothing rests on it."""
    needed, made = plan(state, "evaluate"), state.results.get("implement")
    if needed is None or made is None:
        return None
    args = _elsewhere(state.task, made, needed.args, f"{{root}}/{SAVED}")
    if args == needed.args:  # its text names the place: it would measure what is not there yet
        return None
    free = replace(needed, backend="local", flavor="cpu", timeout_s=SMOKE_TIMEOUT_S, is_smoke=True)
    return replace(free, args=args, secrets=_token(state))


def _s(number: float, unit: int) -> int:
    return max(1, round(min(number * unit, LONGEST_S)))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def granted(state: State, step: str) -> dict[str, Any]:
    """The settings of a step's job that accepted diagnoses changed, the latest last.

    Training runs share theirs, but for the time limit, which is each job's own; the evaluation has its own.
    """
    changed: dict[str, Any] = {}
    for name, past in state.failures.items():
        if (name == "evaluate") == (step == "evaluate"):
            for failed in past:
                changes = failed.analysis["configChanges"]
                changed |= {key: value for key, value in changes.items() if key != "timeoutHours" or name == step}
    return changed


def amended(args: Sequence[str], changes: Mapping[str, Any]) -> list[str]:
    """The arguments with each changed setting in place of its old value, or added at the end."""
    words = list(args)
    for name, value in changes.items():
        if name in JOB_SETTINGS:
            continue
        flag = "--" + name.removeprefix("--").replace("_", "-")
        for place, word in enumerate(words):
            if word.split("=")[0].replace("_", "-") == flag:
                flag = word.split("=")[0]
                del words[place : place + (1 if "=" in word or _is_switch(words, place) else 2)]
                break
        words += [] if value is False or value is None else [flag] if value is True else [flag, str(value)]
    return words


def _is_switch(words: Sequence[str], place: int) -> bool:
    return place + 1 >= len(words) or words[place + 1].startswith("--")
