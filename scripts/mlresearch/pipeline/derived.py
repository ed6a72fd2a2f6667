"""Keeps the copies of a task's accepted answers in step with its journal. Anybody may delete them: they come back."""

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
