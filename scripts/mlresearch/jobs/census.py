"""Jobs of a namespace that the ledger does not know, with what they cost. Books nothing: they are somebody else's.

A job of the same account that was started past the ledger is spend that no envelope saw, and a person should know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mlresearch import ledger, money
from mlresearch.backends import ENDED

if TYPE_CHECKING:
    from mlresearch.backends.hf import HfBackend, Sighting


@dataclass(frozen=True)
class Stranger:
    """`cost_micro` grows with the job; None for a flavor that has no price now."""

    job_id: str
    stage: str
    flavor: str
    billed_s: int
    cost_micro: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        cost = "at an unknown price" if self.cost_micro is None else money.show(self.cost_micro)
        return f"{self.job_id} {self.stage} on {self.flavor}, {cost}: not in this ledger"


def strangers(root: str, backend: HfBackend) -> list[Stranger]:
    """Every job that runs, or was submitted since this ledger's first one there, in the namespaces it was billed to."""
    reserved = [row for row in ledger.rows(root) if row["event"] == "reserved" and row["backend"] == backend.name]
    if not reserved:
        return []
    known = {row["job_id"] for row in ledger.rows(root) if row["event"] in ("submitted", "adopted")}
    known |= {row["label"] for row in reserved}
    seen = _seen(backend, sorted({row["namespace"] for row in reserved if row["namespace"]}))
    new = [one for one in seen if not known & {one.ref.job_id, one.label} and _counts(one, reserved[0]["ts"])]
    prices = backend.prices() if new else {}
    return [_stranger(one, prices.get(one.flavor)) for one in new]


def _seen(backend: HfBackend, namespaces: Iterable[str]) -> list[Sighting]:
    return [one for namespace in namespaces for one in backend.sightings(namespace)]


def _counts(one: Sighting, since: float) -> bool:
    submitted = one.report.submitted_at
    return one.report.stage not in ENDED or submitted is None or submitted >= since


def _stranger(one: Sighting, price: int | None) -> Stranger:
    billed_s = one.report.billed_s
    cost = None if price is None else money.job_ceiling(1, billed_s, price)
    return Stranger(one.ref.job_id, one.report.stage, one.flavor, billed_s, cost)
