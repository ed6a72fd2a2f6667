"""What somebody asks for, and the bytes that a job runs. Refuses a script that is missing or is no Python."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mlresearch.backends import JobRef, JobSpec, SourceFile
from mlresearch.errors import UsageError

# `{out}` and `{src}` in an argument: a job runs in its out folder, beside the files that travel with it
PLACES: Mapping[str, str] = {"out": ".", "src": "../src"}
# the purpose of a job that belongs to no campaign's plan; it says nothing of what the job costs
FREE = "free"


@dataclass(frozen=True)
class Order:
    """One job that somebody asks for. `files` are further files beside the script, by their path inside the job.

    `purpose` is FREE for a job outside the campaign's own runs: its log is never read for the metric.
    """

    backend: str
    script: str
    flavor: str
    timeout_s: int
    args: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    memory_mb: int | None = None
    image: str | None = None
    python: str | None = None
    launcher: str = "python"
    files: tuple[SourceFile, ...] = ()
    experiment: str | None = None
    purpose: str = FREE
    seed: int | None = None
    seed_index: int | None = None
    train_job: str | None = None
    max_usd_micro: int | None = None

    @property
    def is_final(self) -> bool:
        return self.purpose.startswith("final")


# asked before each submit; raises when the guard would not allow the same job from a session's shell
Permission = Callable[[Order], None]


@dataclass(frozen=True)
class Submitted:
    job: str
    ref: JobRef
    ceiling_micro: int


def placed(arg: str, root: str) -> str:
    """An argument with its placeholders filled in, as in program.md."""
    for name, place in {**PLACES, "root": root}.items():
        arg = arg.replace("{" + name + "}", place)
    return arg


def args_sha256(args: Sequence[str]) -> str:
    """What tells in the ledger whether two jobs had the same arguments; not the arguments, one may be private."""
    return sha256("\0".join(args).encode()).hexdigest()


def source_files(order: Order) -> tuple[SourceFile, ...]:
    """The script and its companions by value; raises UsageError when the script is missing or is no Python."""
    first = _entry(order)
    if not first.path.endswith(".py"):
        raise UsageError(f"script {order.script!r} is no Python file", "a file ending in .py")
    try:
        ast.parse(first.content)
    except (SyntaxError, ValueError) as error:
        told = f"script {order.script!r} is not Python: {error}"
        raise UsageError(told, next_step="mend it, then submit again") from None
    return (first, *(file for file in order.files if file.path != first.path))


def _entry(order: Order) -> SourceFile:
    for file in order.files:
        if file.path == order.script:
            return file
    path = Path(order.script)
    if not path.is_file():
        told = f"script {order.script!r} does not exist"
        raise UsageError(told, "a Python file", "give its path with --script")
    return SourceFile(path.name, path.read_bytes())


def spec(order: Order, files: tuple[SourceFile, ...], job: str, label: str) -> JobSpec:
    return JobSpec(
        job=job,
        label=label,
        files=files,
        args=order.args,
        deps=order.deps,
        flavor=order.flavor,
        timeout_s=order.timeout_s,
        env=tuple(sorted(order.env.items())),
        secrets=order.secrets,
        labels=tuple(sorted({**order.labels, "ml-research": label}.items())),
        namespace=order.namespace,
        python=order.python,
        launcher=order.launcher,
        image=order.image,
        memory_mb=order.memory_mb,
    )
