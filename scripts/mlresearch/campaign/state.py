"""Where a campaign is: the sealed program, the ledger's standing, and a denial that the guard noted beside them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mlresearch import jobs, ledger, seal, store
from mlresearch.backends import Backend
from mlresearch.campaign import rules, running
from mlresearch.envelope import Request
from mlresearch.errors import SealError
from mlresearch.seal import Seal
from mlresearch.standing import Standing


@dataclass(frozen=True)
class Campaign:
    root: str
    seal: Seal
    standing: Standing
    backend: Backend
    request: Request

    @property
    def program(self) -> dict[str, Any]:
        return self.seal.program

    def next_step(self, now: float | None = None) -> rules.Step:
        return rules.next_step(self.standing, self.program, self.seal.envelope, self.request, now or time.time())


def load(root: str) -> Campaign:
    """The approved campaign of a root; raises SealError when there is none or its approval does not hold."""
    approved = seal.require(root, time.time())
    jobs.note_denial(root, approved)
    backend = running.backend_of(root, approved)
    return Campaign(root, approved, ledger.standing(root), backend, running.request_of(backend, approved))


def finished(root: str) -> dict[str, Any] | None:
    """The `finalized` row of the last campaign here, when its seal is closed; None otherwise."""
    if seal.load(root) is not None or not ledger.standing(root).finalized:
        return None
    last = None
    for row in ledger.rows(root):
        if row["event"] == "finalized":
            last = row
    return last


def program_of(root: str) -> dict[str, Any]:
    """The sealed program, also of a campaign whose seal has closed; raises SealError when there never was one."""
    approved = seal.load(root)
    if approved is not None:
        return approved.program
    campaign = ledger.standing(root).campaign
    stored = store.get(f"{store.root_dir(root)}/closed-{campaign}.json") if campaign else None
    if not isinstance(stored, dict):
        raise SealError(f"there was no campaign in {root}", next_step="program.py init")
    found: dict[str, Any] = stored["program"]
    return found
