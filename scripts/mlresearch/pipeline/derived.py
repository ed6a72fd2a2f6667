"""Keeps what follows from a task's journal in step with it: copies of accepted answers, folders for evidence.

Anybody may delete them: they come back.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mlresearch.pipeline import journal, results
from mlresearch.pipeline.task import State


def write(state: State) -> None:
    """Make the results folder hold exactly the accepted answers; what is right already is left alone."""
    root, name = state.task.root, state.task.name
    for step, output in state.results.items():
        path = Path(root, results.path(name, step))
        if not path.is_file() or path.read_bytes() != results.content(output):
            results.put(root, name, step, output)
    for path in (journal.folder(root, name) / "results").glob("*.json"):
        if path.stem not in state.results:
            with suppress(FileNotFoundError):
                path.unlink()
    for step in state.todo:  # an agent that only looks may write its evidence, and make no folder
        with suppress(FileExistsError, NotADirectoryError):
            Path(root, evidence(name, step)).mkdir(parents=True, exist_ok=True)


def evidence(task: str, step: str) -> str:
    """Where a step's look-ups leave what they saw, from the project's folder."""
    return f"work/{task}/evidence/{step}"
