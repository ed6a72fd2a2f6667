"""Drafts program.md for a task: the limits that a person is asked to approve before anything may cost.

Never writes over a program.md that is not the draft of a task of this folder: a campaign's contract, or a person's own,
stays. A draft that a person edited stays too; what they wrote is what counts. One that nobody touched and nobody
approved is written anew when the task knows better what it needs.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlresearch import durations, money, program, seal, store
from mlresearch.errors import ProgramError, UsageError
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.pipeline import needs
from mlresearch.pipeline.job_plans import plan as job_of
from mlresearch.pipeline.needs import Need
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.task import State, Task

LONGEST_TEXT = 2000
# one accelerator each, and plain machines, the weaker first: what a task of a few dollars can use
HF_FLAVORS = (
    "cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "a10g-small", "a10g-large", "l40sx1", "a100-large",
    "h200",
)  # fmt: skip
LOCAL_FLAVORS = ("cpu", "gpu")
_MARK = "Drafted by pipeline.py for the task "
_MARKED = re.compile(rf"^{_MARK}`([a-z0-9-]+)`", re.MULTILINE)
_UNCHECKED = "0" * 12
_CHECKED = re.compile(rf"^{_MARK}`[a-z0-9-]+` \(draft ([0-9a-f]{{12}})\)", re.MULTILINE)
_GUESSED = "The time limits are a guess by the kind of task."
_FOLLOWS = "Closer ones are drafted when the scripts are written, unless a person approves these."
_PLANNED = """It holds each job that is still to come, as often as a failure lets it run again, at the limit that the
scripts plan; one that ran out of time may be given twice as much."""

_TEXT = """# Program

{mark}`{name}` (draft {check}):

> {text}

The words between the blocks are for people. The blocks are read by code; changing a character of one ends the
approval. Nothing is spent before a person has read `program.py show` and runs `program.py approve`.

## Goal

```yaml
```

## Scope

The task works on its own files under `work/{name}/` and edits nothing else.

```yaml
```

## Run

Jobs are submitted one by one with `jobs.py submit`, as `pipeline.py next` prints them.

```yaml
```

## Keep or discard

A task has no series of experiments; these keys are required and not used.

```yaml
```

## Budget envelope

What may be spent and written, at most.
{why}

```yaml
```
"""


def task_of(text: str) -> str | None:
    """The task that a program.md was drafted for; None for any other."""
    found = _MARKED.search(text)
    return found[1] if found else None


def require_free(root: str, is_over: Any) -> None:
    """Raise UsageError where another program.md or approval stands; `is_over` tells whether a task's draft is done."""
    if seal.load(root) is not None:
        raise UsageError(f"{root} holds an approval", "a folder without one", "another folder, or end that one first")
    text = _standing(root)
    drafted = None if text is None else task_of(text)
    if text is not None and (drafted is None or not is_over(drafted)):
        told = "holds a program.md that is not a finished task's draft"
        raise UsageError(f"{root} {told}", "a folder without one", "another folder, or move that file away")


def _standing(root: str) -> str | None:
    try:
        return Path(root, seal.PROGRAM).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def ensure(state: State) -> bool:
    """Write the draft once the plan is accepted and none stands; True when it was written now. Safe to repeat.

    Raises UsageError when somebody else's program.md came in the meantime.
    """
    plan = state.results.get("plan")
    if plan is None or plan["taskType"] is None:
        return False
    root, text = state.task.root, _standing(state.task.root)
    if text is not None and task_of(text) == state.task.name:
        if seal.load(root) is not None or not is_untouched(text):
            return False
    elif text is not None:
        require_free(root, lambda name: name != state.task.name)
    wanted = draft(state)
    if wanted != text:
        store.put_text(os.path.join(root, seal.PROGRAM), wanted)
    return wanted != text


def is_untouched(text: str) -> bool:
    """Whether a draft has the very bytes it was written with: it carries a hash of the rest of its text."""
    found = _CHECKED.search(text)
    return found is not None and found[1] == _check(text[: found.start(1)] + _UNCHECKED + text[found.end(1) :])


def _check(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: len(_UNCHECKED)]


def draft(state: State) -> str:
    """program.md's text; what it says passes `program.py check`."""
    try:
        return _drafted(state)
    except ProgramError:  # the scripts name a limit or hardware that no program can: the guess stands, and a gate tells
        return _drafted(replace(state, results={"plan": state.results["plan"]}))


def _drafted(state: State) -> str:
    told = " ".join(state.task.text.split()).replace("<!--", "<! --")[:LONGEST_TEXT]
    trains = PROFILES[state.results["plan"]["taskType"]].trains
    why = _PLANNED if needs.is_planned(state) else f"{_GUESSED} {_FOLLOWS}" if trains else _GUESSED
    words = {"mark": _MARK, "name": state.task.name, "check": _UNCHECKED, "text": told, "why": why}
    text = program.written(_TEXT.format(**words), blocks(state))
    program.parse(text)
    return text.replace(_UNCHECKED, _check(text), 1)


def blocks(state: State) -> dict[str, Any]:
    """The five blocks by heading."""
    plan = state.results["plan"]
    asked, metric = plan["baseline"], plan["successMetric"]
    found = needs.needs(state)
    return {
        "Goal": {
            "metric": metric["name"],
            "direction": metric["direction"],
            "target": metric["target"],
            "metric_pattern": rf"^{metric['name']}: (\S+)$",
            "min_effect": 0,
            "final": None,
        },
        "Scope": {
            "models": [asked["model"]] if asked["model"] else [],
            "datasets": [asked["dataset"]] if asked["dataset"] else [],
            "editable_files": [],
            "sealed_files": [],
            "sealed_data": [],
            "protected": {},
        },
        "Run": _run(state, found),
        "Keep or discard": {
            "baseline_seeds": 3,
            "screen": 0.5,
            "confirm_seeds": 2,
            "final_seeds": 1,
            "stop_after_no_gain": 1,
            "max_experiments": 1,
            "prefer_simpler": False,
        },
        "Budget envelope": _envelope(state, found),
    }


def _run(state: State, found: tuple[Need, ...]) -> dict[str, Any]:
    task, job = state.task, job_of(state, "full_job")
    guess = LOCAL_FLAVORS[0] if task.backend in FREE_BACKENDS else HF_FLAVORS[0]
    return {
        "script": f"work/{task.name}/train.py" if job is None else job.script,
        "args": [],
        "seed_flag": "--seed",
        "dependencies": [],
        "backend": task.backend,
        "flavor": guess if job is None else job.flavor,
        "timeout": durations.show(needs.timeout_s(state, found)),
        "memory": None,
        "tracking": "local",
        "parameters": {},
    }


def _envelope(state: State, found: tuple[Need, ...]) -> dict[str, Any]:
    task = state.task
    is_free = task.backend in FREE_BACKENDS
    return {
        "backends": ["local"] if is_free else ["local", task.backend],
        "max_usd": 0 if is_free else _usd(task.cost_cap_micro),
        "max_jobs": sum(need.runs for need in found),
        "max_walltime": durations.show(needs.walltime_s(found)),
        "max_parallel": 1,
        "allowed_flavors": flavors(state, found),
        "max_timeout": durations.show(needs.timeout_s(state, found)),
        "output_repos": repositories(task),
        "allow_deletes": False,
        "reserve_final": 0,
        "expires": "7d",
        "programs": [],
    }


def flavors(state: State, found: tuple[Need, ...]) -> list[str]:
    """The hardware that the scripts name, and what is stronger: the last answer to a lack of memory."""
    is_free = state.task.backend in FREE_BACKENDS
    if not needs.is_planned(state):
        return [*LOCAL_FLAVORS] if is_free else [LOCAL_FLAVORS[0], *HF_FLAVORS]
    named = list(dict.fromkeys(need.flavor for need in found if need.flavor is not None))
    known = [HF_FLAVORS.index(name) for name in named if name in HF_FLAVORS]
    stronger = HF_FLAVORS[max(known) + 1 :] if known and not is_free else ()
    return list(dict.fromkeys([LOCAL_FLAVORS[0], *named, *stronger]))


def _usd(micro: int) -> str:
    whole, rest = divmod(micro, money.MICRO)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def repositories(task: Task) -> list[str]:
    """Where the task may publish: names that begin with its own, and those of this owner that the user wrote."""
    if task.backend in FREE_BACKENDS or task.hub_org is None:
        return []
    named = re.findall(rf"(?<![\w./-]){re.escape(task.hub_org)}/[A-Za-z0-9][\w.-]*\w", task.text)
    taken = {task.model, task.dataset}
    return [f"{task.hub_org}/{task.name}*", *dict.fromkeys(name for name in named if name not in taken)]
