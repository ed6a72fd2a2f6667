"""program.md's blocks for a task: what a person would have filled into the template for twelve experiments."""

from __future__ import annotations

import os
from typing import Any

from mlresearch import stats
from mlresearch.tasks.catalog import EVALUATE, SEALED_DATA, TRAIN, Task

EXPERIMENTS = 12
FINAL_SEEDS = 3


def blocks(task: Task) -> dict[str, Any]:
    """The five blocks by heading."""
    return {
        "Goal": _goal(task),
        "Scope": {
            "models": [],
            "datasets": [task.name],
            "editable_files": [],
            "sealed_files": [EVALUATE, "data/train.npz", "data/val.npz"],
            "sealed_data": [SEALED_DATA],
            "protected": dict(task.protected),
        },
        "Run": _run(task),
        "Keep or discard": {
            "baseline_seeds": stats.BASELINE_SEEDS,
            "screen": stats.SCREEN,
            "confirm_seeds": stats.CONFIRM_SEEDS,
            "final_seeds": FINAL_SEEDS,
            "stop_after_no_gain": EXPERIMENTS,
            "max_experiments": EXPERIMENTS,
            "prefer_simpler": False,
        },
        "Budget envelope": _envelope(),
    }


def _goal(task: Task) -> dict[str, Any]:
    final = {
        "script": EVALUATE,
        "args": list(task.evaluate_args),
        "metric_pattern": task.final_metric_pattern,
    }
    return {
        "metric": task.metric,
        "direction": task.direction,
        "target": None,
        "metric_pattern": task.metric_pattern,
        "min_effect": task.min_effect,
        "final": final,
    }


def _run(task: Task) -> dict[str, Any]:
    return {
        "script": TRAIN,
        "args": list(task.train_args),
        "seed_flag": "--seed",
        "dependencies": [],
        "backend": "local",
        "flavor": "cpu",
        "timeout": "2m",
        "memory": "2g",
        "tracking": "local",
        "parameters": {name: dict(lever) for name, lever in task.parameters.items()},
    }


def _envelope() -> dict[str, Any]:
    """Nothing that costs: jobs on this machine, one a core."""
    return {
        "backends": ["local"],
        "max_usd": 0,
        "max_jobs": 120,
        "max_walltime": "5h",
        "max_parallel": os.cpu_count() or 1,
        "allowed_flavors": ["cpu"],
        "max_timeout": "2m",
        "output_repos": [],
        "allow_deletes": False,
        "reserve_final": 0.1,
        "expires": "7d",
        "programs": [],
    }
