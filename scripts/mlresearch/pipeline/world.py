"""The present world that gates look at: this project's ledger and files, the Hub, papers, what a person approved.

Looks only; it settles nothing, keeps nothing from one call of a command to the next, and believes no log of this
machine whose hash is not the one that the ledger took when the job was settled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlresearch import backends, ledger, seal
from mlresearch.backends import JobRef
from mlresearch.data_rules import METHODS
from mlresearch.errors import GateError, NotFound
from mlresearch.inspection.answer import Asked, inspect
from mlresearch.pipeline.profiles import BUILT_IN, TEMPLATES
from mlresearch.pipeline.task import JobFacts
from mlresearch.sources import hub_facts

_LOCAL = "local"


class Present:
    """The world of one project. Jobs that are settled are read once an instance."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._settled: dict[str, JobFacts] = {}

    def resolves(self, kind: str, name: str) -> bool:
        if kind in ("model", "dataset") and self._here(name) is not None:
            return True
        if (kind == "model" and name == BUILT_IN) or (kind == "code" and name in TEMPLATES):
            return True
        return hub_facts.exists(kind, name)

    def model(self, name: str, revision: str | None = None) -> Mapping[str, Any] | None:
        is_here = name == BUILT_IN or self._here(name) is not None
        return _of_this_machine() if is_here else hub_facts.model(name, revision)

    def dataset(self, name: str) -> Mapping[str, Any] | None:
        here = self._here(name)
        return _of_this_machine() if here is not None else hub_facts.dataset(name)

    def _here(self, name: str) -> Path | None:
        """A file or folder of the project; a name never leads out of it."""
        path = Path(self.root, name)
        is_inside = path.resolve().is_relative_to(Path(self.root).resolve())
        return path if is_inside and path.exists() and path.resolve() != Path(self.root).resolve() else None

    def verdict(self, dataset: str, config: str | None, method: str) -> Mapping[str, Any]:
        here = self._here(dataset)
        asked = Asked(dataset if here is None else str(here), config, methods=[method] if method in METHODS else [])
        told = inspect(asked).as_data()
        found: dict[str, Any] = told["verdicts"].get(method, {})
        rows = {each["split"]: each["rows"] if each["rows_are"] == "exact" else None for each in told["splits"]}
        return {
            "status": found.get("verdict"),
            "form": found.get("form", ""),
            "mapping": found.get("mapping", {}),
            "missing": found.get("missing", []),
            "splits": rows,
            "columns": told["types"],
        }

    def job(self, name: str) -> JobFacts | None:
        if name not in self._settled:
            found = self._job(name)
            if found is None or found.stage is None:
                return found
            self._settled[name] = found
        return self._settled[name]

    def _job(self, name: str) -> JobFacts | None:
        """As the rows tell it; a reservation that was given back never was a job."""
        rows: dict[str, dict[str, Any]] = {}
        for row in ledger.rows(self.root):
            if row.get("job") == name:
                rows["submitted" if row["event"] == "adopted" else row["event"]] = row
        reserved, settled = rows.get("reserved"), rows.get("settled", {})
        if reserved is None or "released" in rows:
            return None
        return JobFacts(
            job=name,
            backend=reserved["backend"],
            flavor=reserved["flavor"],
            timeout_s=reserved["timeout_s"],
            is_smoke=bool(reserved.get("is_smoke")),
            args_sha256=str(reserved.get("args_sha256", "")),
            files=reserved.get("files", {}),
            stage=settled.get("stage"),
            billed_micro=settled.get("billed_micro", 0),
            reserved_at=float(reserved["ts"]),
            log=self._log(name, reserved["backend"], rows.get("submitted"), settled.get("log_sha256")),
        )

    def _log(self, job: str, backend: str, submitted: Mapping[str, Any] | None, digest: str | None) -> tuple[str, ...]:
        if submitted is None:
            return ()
        try:
            lines = tuple(backends.get(backend, self.root).logs(JobRef(backend, submitted["job_id"], None)))
        except NotFound:
            return ()
        now = sha256(b"".join(line.encode("utf-8", "surrogatepass") + b"\n" for line in lines)).hexdigest()
        if backend == _LOCAL and digest is not None and now != digest:
            told = f"the log of {job} is not the one that was settled"
            raise GateError(told, "logs as the job wrote them", "put the file back, or run the job again")
        return lines

    def saved(self, destination: str) -> bool:
        here = self._here(destination)
        if here is not None:
            return here.is_file() or any(path.is_file() and path.stat().st_size for path in here.rglob("*"))
        return hub_facts.holds(destination)

    def left(self) -> Mapping[str, Any]:
        limits = seal.require(self.root, time.time()).envelope
        spent = ledger.standing(self.root).spent()
        return {
            "usd_micro": max(0, limits.max_usd_micro - spent.micro),
            "max_timeout_s": limits.max_timeout_s,
            "flavors": limits.allowed_flavors,
            "output_repos": limits.output_repos,
        }

    def open_jobs(self) -> tuple[str, ...]:
        return tuple(ledger.standing(self.root).open)

    def spent_micro(self) -> int:
        return ledger.standing(self.root).spent().micro


def _of_this_machine() -> dict[str, Any]:
    return {"revision": None, "gated": False, "access": True, "licence": None, "parameters": None}
