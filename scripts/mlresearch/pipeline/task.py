"""The words that the pipeline's parts share: a task, how far it is, what a gate may look at and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlresearch.pipeline.retries import Failure
from mlresearch.pipeline.script_scope import Facts

Output = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """What `pipeline.py start` was given. Money in micro-dollars. `name` is the folder under runs/ and under work/."""

    name: str
    root: str
    text: str
    model: str | None
    dataset: str | None
    hub_org: str | None
    smoke_model: str | None
    backend: str
    cost_cap_micro: int
    max_job_retries: int


@dataclass(frozen=True)
class Failed:
    """One failed attempt: what makes it comparable, the accepted diagnosis, and the job, where one ran."""

    failure: Failure
    analysis: Output
    job: str | None


@dataclass(frozen=True)
class State:
    """A task as its journal tells it. `results` holds the last accepted answer of each step that is done.

    `files` maps each path that an accepted answer rests on to its sha256 then. `frozen` are the facts of the training
    script as it was reviewed: what a later change is compared with. `sent_back` counts a critic's blocks by step.
    """

    task: Task
    results: Mapping[str, Output]
    files: Mapping[str, str]
    failures: Mapping[str, Sequence[Failed]]
    sent_back: Mapping[str, int]
    issues: Mapping[str, Sequence[Output]]
    frozen: Facts | None
    todo: tuple[str, ...]
    stopped: Output | None = None
    started_at: float = 0.0  # Unix seconds

    @property
    def baseline(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.results["plan"]["baseline"]
        return found


@dataclass(frozen=True)
class JobFacts:
    """A job as the ledger, its backend and its log tell it; never as an answer claims it."""

    job: str
    backend: str
    flavor: str
    timeout_s: int
    is_smoke: bool
    args_sha256: str
    files: Mapping[str, str]  # path inside the job to sha256
    stage: str | None  # None while it is open
    billed_micro: int
    log: tuple[str, ...]
    reserved_at: float  # Unix seconds


class World(Protocol):
    """What a gate may ask. Every answer is looked up now; a source that does not answer raises Unavailable."""

    def resolves(self, kind: str, name: str) -> bool:
        """Whether a paper, model, data set or page exists."""

    def model(self, name: str, revision: str | None = None) -> Mapping[str, Any] | None:
        """revision, gated, access, licence, parameters of a model on the Hub or in a folder; None when there is none.

        `access` says whether its files can be read from here; a value that nobody knows is None.
        """

    def dataset(self, name: str) -> Mapping[str, Any] | None:
        """revision, gated, access and licence of a data set; None when there is none."""

    def verdict(self, dataset: str, config: str | None, method: str) -> Mapping[str, Any]:
        """How the data serves a method: status, form, mapping, missing; and what it is: splits (rows by name, None
        where not counted), columns (type by name). `status` is None for a method without data rules.
        """

    def job(self, name: str) -> JobFacts | None:
        """A job of this project's ledger."""

    def saved(self, destination: str) -> bool:
        """Whether a repository or folder holds what a job was to leave there."""

    def left(self) -> Mapping[str, Any]:
        """What is left: usd_micro, max_timeout_s, flavors, output_repos; SealError when nothing is approved."""

    def open_jobs(self) -> tuple[str, ...]:
        """Jobs of this project's ledger that are not settled."""

    def spent_micro(self) -> int:
        """What this approval has cost so far, open jobs at their reservation."""


@dataclass(frozen=True)
class Accept:
    """The answer stands. `files` are the paths it rests on, which the journal hashes."""

    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refuse:
    """The answer does not stand: every fault, in its own terms. The step stays open and nothing is lost."""

    faults: tuple[str, ...]


@dataclass(frozen=True)
class SendBack:
    """A critic blocks: the step is done again, with the issues in its brief."""

    step: str
    issues: Sequence[Output] = field(default_factory=tuple)


@dataclass(frozen=True)
class Halt:
    """The task stops, with one of `stops.STOPS`."""

    reason: str
    what: str


Verdict = Accept | Refuse | SendBack | Halt
