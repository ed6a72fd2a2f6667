"""Where a run executes: one vocabulary of stages and one protocol for every backend.

Owns the words (JobSpec, JobRef, JobReport, stages) and what no backend accepts. Refuses to decide whether
a job may be spent on: the envelope did that before a spec gets here. Money is integer micro-dollars.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Protocol

from mlresearch.errors import UsageError

QUEUED = "QUEUED"
RUNNING = "RUNNING"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
TIMEOUT = "TIMEOUT"
OOM = "OOM"
CANCELED = "CANCELED"
PREEMPTED = "PREEMPTED"
NODE_FAIL = "NODE_FAIL"
LOST = "LOST"

ENDED = (COMPLETED, FAILED, TIMEOUT, OOM, CANCELED, PREEMPTED, NODE_FAIL, LOST)
STAGES = (QUEUED, RUNNING, *ENDED)
BACKENDS = ("local", "hf")

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class SourceFile:
    """One file by value, so that a job runs the submitted bytes whatever happens to the original."""

    path: str
    content: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass(frozen=True)
class JobSpec:
    """What to run. `files[0]` is the entry script; `secrets` are names, whose values never reach a disk."""

    job: str
    label: str
    files: tuple[SourceFile, ...]
    args: tuple[str, ...]
    deps: tuple[str, ...]
    flavor: str
    timeout_s: int
    env: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    namespace: str | None
    python: str | None
    launcher: str
    image: str | None
    memory_mb: int | None


@dataclass(frozen=True)
class JobRef:
    backend: str
    job_id: str
    url: str | None


@dataclass(frozen=True)
class JobReport:
    """Where a job is: `exit_code` is 128 + n after signal n, times are Unix seconds, `billed_s` grows."""

    stage: str
    exit_code: int | None
    submitted_at: float | None
    started_at: float | None
    ended_at: float | None
    billed_s: int
    message: str
    peak_memory_mb: int | None


class Backend(Protocol):
    """One place that runs jobs. `start_allowance_s` is what it may bill before a job's own timeout begins;
    `certain_after_s` how long a label must be absent from its listings until no job can appear under it."""

    name: str
    start_allowance_s: int
    certain_after_s: int

    def prices(self) -> dict[str, int]:
        """Flavor to micro-dollars per minute; raises Unavailable when they can not be read."""

    def submit(self, spec: JobSpec) -> JobRef:
        """Start the job once per label; a second call with the same label returns the first job."""

    def inspect(self, ref: JobRef) -> JobReport:
        """Where the job is now; raises NotFound for a job that never started here."""

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        """The log's lines without line ends; with `follow`, until the job has ended."""

    def cancel(self, ref: JobRef) -> None:
        """Ask the job to end and return at once; a job that has ended stays as it is."""

    def namespace(self, asked: str | None = None) -> str | None:
        """Who pays: the asked one, else the account's own; None where nobody is billed."""

    def find(self, label: str, namespace: str | None = None) -> JobRef | None:
        """The job that carries the label; None only when it is certain that none started."""

    def list(self) -> builtins.list[JobRef]:
        """Every job this backend knows."""


def get(name: str, root: str) -> Backend:
    """The backend of that name for the project at `root`; raises UsageError naming what exists."""
    if name not in BACKENDS:
        raise UsageError(f"backend {name!r} is not known", ", ".join(BACKENDS), "choose one with --backend")
    if name == "hf":
        from mlresearch.backends.hf import HfBackend

        return HfBackend()
    from mlresearch.backends.local import LocalBackend

    return LocalBackend(root)


def check(spec: JobSpec) -> None:
    """Raise UsageError for a spec that no backend can run, before anything is written or sent."""
    _require(_JOB_NAME.fullmatch(spec.job), "job name", spec.job, "up to 128 letters, digits, dots, _ and -")
    _require(spec.label.strip(), "label", spec.label, "text that is not empty")
    _require(_is_count(spec.timeout_s), "timeout", spec.timeout_s, "whole seconds above 0")
    memory = spec.memory_mb
    _require(memory is None or _is_count(memory), "memory", memory, "whole MB above 0, or none")
    _check_files([file.path for file in spec.files])
    for name in [*spec.secrets, *(name for name, _ in spec.env)]:
        _require(_VARIABLE.fullmatch(name), "variable name", name, "letters, digits and _, no digit first")
    for text in [*spec.args, *(value for _, value in spec.env)]:
        _require("\0" not in text, "argument or value", text, "text without the NUL character")
    for option in [*spec.deps, *([] if spec.python is None else [spec.python])]:
        good = option.strip() and not option.startswith("-") and "\0" not in option
        _require(good, "dependency or python version", option, "a requirement such as numpy>=2, or 3.12")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_files(paths: list[str]) -> None:
    _require(paths, "list of files", "", "the entry script first, then what it needs")
    for path in paths:
        pure = PurePosixPath(path)
        inside = pure.parts and not pure.is_absolute() and not {"..", "\0"} & {*pure.parts, *path}
        _require(inside and str(pure) == path, "file path", path, "a path inside the job, such as train.py")
        alone = paths.count(path) == 1 and not {str(parent) for parent in pure.parents} & {*paths}
        _require(alone, "file path", path, "each path once, and no file where another needs a folder")


def _require(good: object, name: str, value: object, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name} {str(value)[:80]!r} can not be used", allowed)
