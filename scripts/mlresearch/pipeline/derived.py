"""Keeps what follows from a task's journal in step with it: copies of answers and of templates, evidence folders.

Anybody may delete them: they come back.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mlresearch import store
from mlresearch.pipeline import journal, results
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.task import State

TEMPLATES = Path(__file__).parents[3] / "skills" / "ml-research-task" / "templates"


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
    _copy_templates(state)


def _copy_templates(state: State) -> None:
    """The profile's templates as evidence, for an agent that may open them and copies nothing."""
    for cited, path in template_evidence(state).items():
        place = Path(state.task.root, path)
        with suppress(OSError):
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                store.put_bytes(str(place), (TEMPLATES / Path(cited).name).read_bytes())


def template_evidence(state: State) -> dict[str, str]:
    """How each template for this kind of task is cited, and its evidence from the project's folder.

    The copy is no Python file: scripts of a task are those that its agents wrote.
    """
    plan = state.results.get("plan")
    kind = PROFILES.get(str(plan["taskType"])) if plan is not None else None
    if kind is None:
        return {}
    names = [name for name in kind.templates(state.baseline["method"]) if name]
    return {f"templates/{name}": f"{evidence(state.task.name, 'templates')}/{name}.txt" for name in names}


def evidence(task: str, step: str) -> str:
    """Where a step's look-ups leave what they saw, from the project's folder."""
    return f"work/{task}/evidence/{step}"
