"""What a pipeline's gates may ask, as facts in memory: whoever tests a gate says here what is true."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlresearch.backends import COMPLETED
from mlresearch.data_rules import METHODS
from mlresearch.errors import SealError, Unavailable
from mlresearch.pipeline.job_plans import JobPlan
from mlresearch.pipeline.task import JobFacts

MODEL, DATASET = "Qwen/Qwen2-0.5B", "trl-lib/Capybara"
REVISION = "c" * 40


def a_model(**other: Any) -> dict[str, Any]:
    usual = {"revision": REVISION, "gated": False, "access": True, "licence": "apache-2.0", "parameters": 494_032_768}
    return usual | other


def a_verdict(**other: Any) -> dict[str, Any]:
    usual = {
        "status": "compatible",
        "form": "messages",
        "mapping": {},
        "missing": [],
        "splits": {"train": 15_806, "test": 200},
        "columns": {"messages": "list of turns", "source": "string"},
    }
    return usual | other


def the_limits() -> dict[str, Any]:
    """What a person approved."""
    return {
        "usd_micro": 10_000_000,
        "max_timeout_s": 4 * 3600,
        "flavors": ["cpu", "cpu-basic", "l4x1", "l40sx1"],
        "output_repos": ["me/*"],
    }


@dataclass
class FakeWorld:
    """`known` are (kind, name) of sources; `silent` kinds do not answer. `limits` None: nothing is approved."""

    known: set[tuple[str, str]] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {MODEL: a_model()})
    datasets: dict[str, dict[str, Any]] = field(default_factory=lambda: {DATASET: a_model(parameters=None)})
    verdicts: dict[str, dict[str, Any]] = field(default_factory=lambda: {DATASET: a_verdict()})
    jobs: dict[str, JobFacts] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)
    limits: dict[str, Any] | None = field(default_factory=the_limits)
    spent: int = 2_140_000

    def _answers(self, kind: str) -> None:
        if kind in self.silent:
            raise Unavailable(f"the source of {kind} is down", next_step="call again later")

    def resolves(self, kind: str, name: str) -> bool:
        self._answers(kind)
        return (kind, name) in self.known

    def model(self, name: str, revision: str | None = None) -> Mapping[str, Any] | None:
        self._answers("model")
        found = self.models.get(name)
        return found if found is None or revision in (None, found["revision"]) else None

    def dataset(self, name: str) -> Mapping[str, Any] | None:
        self._answers("dataset")
        return self.datasets.get(name)

    def verdict(self, dataset: str, config: str | None, method: str) -> Mapping[str, Any]:
        self._answers("verdict")
        return self.verdicts[dataset] | ({} if method in METHODS else {"status": None, "form": ""})

    def job(self, name: str) -> JobFacts | None:
        return self.jobs.get(name)

    def saved(self, destination: str) -> bool:
        self._answers("saved")
        return destination in self.places

    def left(self) -> Mapping[str, Any]:
        if self.limits is None:
            raise SealError("nothing is approved here", next_step="program.py show")
        return self.limits

    def open_jobs(self) -> tuple[str, ...]:
        return tuple(name for name, job in self.jobs.items() if job.stage is None)

    def spent_micro(self) -> int:
        return self.spent

    def run(self, plan: JobPlan, log: str) -> str:
        """A job as the ledger would have it after `plan.command`; its name."""
        script = Path(plan.root, plan.script)
        name = f"j{len(self.jobs) + 1:04d}"
        self.jobs[name] = JobFacts(
            job=name,
            backend=plan.backend,
            flavor=plan.flavor,
            timeout_s=plan.timeout_s,
            is_smoke=plan.is_smoke,
            args_sha256=plan.args_sha256,
            files={script.name: sha256(script.read_bytes()).hexdigest()},
            stage=COMPLETED,
            billed_micro=100_000,
            log=tuple(log.splitlines()),
            reserved_at=time.time(),
        )
        return name

    def change(self, job: str, **facts: Any) -> None:
        """Make another truth of a job."""
        self.jobs[job] = replace(self.jobs[job], **facts)
