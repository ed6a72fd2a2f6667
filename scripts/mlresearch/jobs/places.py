"""Where the ledger's jobs run: which backends have open ones, and one job's backend, id and address."""

from __future__ import annotations

from collections.abc import Mapping

from mlresearch import backends, ledger
from mlresearch.backends import Backend, JobRef
from mlresearch.errors import NotFound


def engines(root: str) -> Mapping[str, Backend]:
    """A backend for every open job."""
    names = {held["backend"] for held in ledger.standing(root).open.values()}
    return {name: backends.get(name, root) for name in names}


def place_of(root: str, job: str, backend: str | None = None) -> JobRef:
    """Backend, id and address of a job of this ledger; raises NotFound for another one, or one on another backend."""
    name: str | None = None
    job_id: str | None = None
    url: str | None = None
    for row in ledger.rows(root):
        if row.get("job") == job and row["event"] == "reserved":
            name, job_id, url = row["backend"], None, None
        elif row.get("job") == job and row["event"] in ("submitted", "adopted"):
            job_id, url = row["job_id"], row["url"]
    if not name or not job_id or backend not in (None, name):
        where = f" on backend {backend}" if backend else ""
        raise NotFound(f"no job {job!r} was started here{where}", "a job of this ledger", "jobs.py list")
    return JobRef(name, job_id, url)
