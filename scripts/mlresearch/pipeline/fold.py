"""Folds a task's journal into its State, and says which steps are open. Pure: the rows are all it sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlresearch.errors import GateError
from mlresearch.pipeline import steps
from mlresearch.pipeline.retries import Failure
from mlresearch.pipeline.script_scope import Facts
from mlresearch.pipeline.steps import Step
from mlresearch.pipeline.task import Failed, Output, State, Task

Row = Mapping[str, Any]
_STOPPED = ("reason", "step", "message", "next", "what")


def state(rows: Iterable[Row]) -> State:
    """The task as its rows tell it; raises GateError for a record that does not begin with its start."""
    fold = _Fold()
    for row in rows:
        fold.take(row)
    if fold.task is None:
        raise GateError("the task's record does not begin with its start", next_step="pipeline.py start")
    return State(
        task=fold.task,
        results=fold.results,
        files={name: digest for files in fold.files.values() for name, digest in files.items()},
        failures={name: tuple(past) for name, past in fold.failures.items()},
        sent_back=fold.sent_back,
        issues=fold.issues,
        frozen=fold.frozen,
        todo=() if fold.stopped else todo(fold.results),
        stopped=fold.stopped,
        started_at=fold.started_at,
    )


class _Fold:
    def __init__(self) -> None:
        self.task: Task | None = None
        self.results: dict[str, Output] = {}
        self.files: dict[str, dict[str, str]] = {}  # by the step whose answer rests on them
        self.failures: dict[str, list[Failed]] = {}
        self.sent_back: dict[str, int] = {}
        self.issues: dict[str, tuple[Output, ...]] = {}
        self.frozen: Facts | None = None
        self.stopped: Output | None = None
        self.started_at = 0.0

    def take(self, row: Row) -> None:
        getattr(self, f"_{row['event']}")(row)

    def _started(self, row: Row) -> None:
        self.task = Task(**row["task"])
        self.started_at = float(row.get("ts", 0.0))

    def _accepted(self, row: Row) -> None:
        self.results[row["step"]] = row["output"]
        self.files.pop(row["step"], None)  # to the end: what a later answer says of a file counts
        self.files[row["step"]] = row["files"]
        self.issues.pop(row["step"], None)
        if row.get("frozen") is not None:
            self.frozen = Facts(**{name: frozenset(values) for name, values in row["frozen"].items()})

    def _sent_back(self, row: Row) -> None:
        """The blocked step is open again, and so is all that was built on it since."""
        self.sent_back[row["by"]] = self.sent_back.get(row["by"], 0) + 1
        self.issues[row["step"]] = tuple(row["issues"])
        names = [step.name for step in steps.STEPS]
        for name in names[names.index(row["step"]) :]:
            self.results.pop(name, None)
            self.files.pop(name, None)

    def _failed(self, row: Row) -> None:
        past = Failed(Failure(**row["failure"]), row["analysis"], row["job"])
        self.failures.setdefault(row["step"], []).append(past)

    def _approved(self, row: Row) -> None:
        """A note for readers; the seal itself is what counts."""

    def _stopped(self, row: Row) -> None:
        self.stopped = {key: row[key] for key in _STOPPED}

    def _finalized(self, row: Row) -> None:
        self.stopped = {key: row[key] for key in (*_STOPPED, "conforms", "missing")}


def way(results: Mapping[str, Output]) -> list[Step]:
    """The steps of this task in order: a profile that trains nothing leaves some out."""
    plan = results.get("plan")
    left_out = steps.LEFT_OUT.get(str(plan["taskType"]), ()) if plan is not None else ()
    return [step for step in steps.STEPS if step.name not in left_out]


def todo(results: Mapping[str, Output]) -> tuple[str, ...]:
    """The first open step, with the others of its group that can be done beside it; empty when all is done."""
    left = [step for step in way(results) if step.name not in results]
    ready = [step for step in left if all(name in results or not _is_on(name, results) for name in step.reads)]
    return tuple(step.name for step in ready if step.group == left[0].group) if left else ()


def _is_on(name: str, results: Mapping[str, Output]) -> bool:
    return any(step.name == name for step in way(results))
