"""Accepted answers as files: runs/TASK/results/STEP.json, for whoever reads them, and what a critic must have read.

The journal is the record; these are copies, made from it byte for byte, so that their hash can be told without them.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from mlresearch import store
from mlresearch.pipeline import steps
from mlresearch.pipeline.task import Output, State


def path(task: str, step: str) -> str:
    """Relative to the project."""
    return f"runs/{task}/results/{step}.json"


def content(output: Output) -> bytes:
    return (json.dumps(output, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "replace")


def put(root: str, task: str, step: str, output: Output) -> None:
    """Write the copy, whole or not at all."""
    place = Path(root, path(task, step))
    place.parent.mkdir(parents=True, exist_ok=True)
    store.put_bytes(os.path.join(root, path(task, step)), content(output))


def digests(state: State, names: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 of the accepted answers of these steps, by their path; of those that are not done, nothing."""
    done = {name: state.results[name] for name in names if name in state.results}
    return {path(state.task.name, name): hashlib.sha256(content(output)).hexdigest() for name, output in done.items()}


def scripts(state: State) -> tuple[str, ...]:
    """The two scripts that were accepted; none before that."""
    made = state.results.get("implement")
    return () if made is None else (str(made["trainScript"]), str(made["evalScript"]))


def to_review(state: State, step: str) -> dict[str, str]:
    """What a critic reads, all of it: the answers that its step names and the scripts, by path, with their SHA-256.

    A script that is gone has no hash that an answer could name.
    """
    reads = steps.BY_NAME[step].reads
    found = digests(state, reads)
    for name in scripts(state) if "implement" in reads else ():
        place = Path(state.task.root, name)
        found[name] = hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else "missing"
    return found
