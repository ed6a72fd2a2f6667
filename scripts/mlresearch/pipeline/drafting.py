"""Drafts program.md for a task: the limits that a person is asked to approve before anything may cost.

Never writes over a program.md that is not the draft of a task of this folder: a campaign's contract, or a person's own,
stays. A draft that a person edited stays too; what they wrote is what counts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mlresearch import durations, money, program, seal, store
from mlresearch.errors import UsageError
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.pipeline.job_plans import SMOKE_TIMEOUT_S
from mlresearch.pipeline.profiles import HOUR, PROFILES
from mlresearch.pipeline.task import State, Task
from mlresearch.pipeline.taxonomy import RUNGS

LONGEST_TEXT = 2000
# one accelerator each, and plain machines: what a task of a few dollars can use
HF_FLAVORS = (
    "cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "a10g-small", "a10g-large", "l40sx1", "a100-large",
    "h200",
)  # fmt: skip
LOCAL_FLAVORS = ("cpu", "gpu")
_MARK = "Drafted by pipeline.py for the task "
_MARKED = re.compile(rf"^{_MARK}`([a-z0-9-]+)`", re.MULTILINE)
_BESIDE_TRIES = 10  # smoke runs, evaluations, and two jobs to spare

_TEXT = """# Program

{mark}`{name}`:

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
        return False
    if text is not None:
        require_free(root, lambda name: name != state.task.name)
    store.put_text(os.path.join(root, seal.PROGRAM), draft(state))
    return True


def draft(state: State) -> str:
    """program.md's text; what it says passes `program.py check`."""
    told = " ".join(state.task.text.split()).replace("<!--", "<! --")[:LONGEST_TEXT]
    text = program.written(_TEXT.format(mark=_MARK, name=state.task.name, text=told), blocks(state))
    program.parse(text)
    return text


def blocks(state: State) -> dict[str, Any]:
    """The five blocks by heading."""
    plan, task = state.results["plan"], state.task
    asked, metric = plan["baseline"], plan["successMetric"]
    longest_s = longest(state)
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
        "Run": _run(task, longest_s),
        "Keep or discard": {
            "baseline_seeds": 3,
            "screen": 0.5,
            "confirm_seeds": 2,
            "final_seeds": 1,
            "stop_after_no_gain": 1,
            "max_experiments": 1,
            "prefer_simpler": False,
        },
        "Budget envelope": _envelope(task, longest_s),
    }


def longest(state: State) -> int:
    """The longest a job may take, in seconds: eight times the profile's least, so that the dollars decide first."""
    profile = PROFILES[state.results["plan"]["taskType"]]
    return max(8 * profile.minimum_s, 2 * HOUR, SMOKE_TIMEOUT_S)


def _run(task: Task, longest_s: int) -> dict[str, Any]:
    return {
        "script": f"work/{task.name}/train.py",
        "args": [],
        "seed_flag": "--seed",
        "dependencies": [],
        "backend": task.backend,
        "flavor": LOCAL_FLAVORS[0] if task.backend in FREE_BACKENDS else HF_FLAVORS[0],
        "timeout": durations.show(longest_s),
        "memory": None,
        "tracking": "local",
        "parameters": {},
    }


def _envelope(task: Task, longest_s: int) -> dict[str, Any]:
    is_free = task.backend in FREE_BACKENDS
    tries = max(task.max_job_retries, len(RUNGS))
    jobs = 2 * tries + _BESIDE_TRIES
    time_s = tries * longest_s + jobs * SMOKE_TIMEOUT_S
    return {
        "backends": ["local"] if is_free else ["local", task.backend],
        "max_usd": 0 if is_free else _usd(task.cost_cap_micro),
        "max_jobs": jobs,
        "max_walltime": durations.show(time_s),
        "max_parallel": 2,
        "allowed_flavors": [*LOCAL_FLAVORS] if is_free else [LOCAL_FLAVORS[0], *HF_FLAVORS],
        "max_timeout": durations.show(longest_s),
        "output_repos": repositories(task),
        "allow_deletes": False,
        "reserve_final": 0,
        "expires": "7d",
        "programs": [],
    }


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
