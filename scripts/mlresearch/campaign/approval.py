"""Approves and revokes: turns program.md into a seal. Who may call it is the guard's business and the person's."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from mlresearch import ledger, money, program, seal, store
from mlresearch.campaign import opening
from mlresearch.errors import SealError, shown
from mlresearch.program import Program
from mlresearch.standing import Standing


def worst_case_micro(limits: Program) -> int:
    """The most the envelope can cost: its dollar limit, whatever the prices."""
    return limits.envelope.max_usd_micro


def approve(root: str, digest: str, now: float | None = None) -> dict[str, Any]:
    """Seal the envelope if `digest` is what program.md has now. A ledger in progress goes on; its spending counts."""
    now = now or time.time()
    read = program.load(root)
    if len(digest) < 12 or not read.digest.startswith(digest):
        raise SealError(
            f"digest {shown(digest)} is not the program's", read.digest[:16], "program.py show, read it, approve that"
        )
    if not os.path.exists(ledger.path_of(root)):
        ledger.forget(root)
    with store.locked(root, "campaign"), ledger.transaction(root) as tx:
        continues = goes_on(root, tx.standing, read)
        campaign = tx.standing.campaign if continues else secrets.token_hex(4)
        if continues and tx.standing.started:
            opening.put_away(root, read.stored()["scope"]["sealed_data"])
        sealed = _seal_of(root, read, campaign, now)
        kept = ("campaign", "digest", "limits", "expires_at")
        row = tx.append("approved", **{key: sealed[key] for key in kept})
        store.put(store.seal_path(root), sealed)
    worst = money.show(worst_case_micro(read))
    return {"campaign": campaign, "digest": read.digest, "row": row["seq"], "worst_case": worst}


def goes_on(root: str, standing: Standing, read: Program) -> bool:
    """Whether the ledger's campaign goes on, its spending and seeds included; else a new one begins.

    A baseline that could not be measured begins anew, with code that a person has mended; so does a campaign whose
    measure changed, because no old number compares with a new one.
    """
    failed = standing.stopped is not None and standing.stopped["reason"] == "unrecoverable"
    if not standing.campaign or standing.finalized or failed:
        return False
    earlier = _earlier(root, standing.campaign)
    if earlier is not None and _measure(earlier["program"]) != _measure(read.stored()):
        return False
    return standing.started or (_stored(store.seal_path(root)) or {}).get("campaign") == standing.campaign


def _seal_of(root: str, read: Program, campaign: str, now: float) -> dict[str, Any]:
    return {
        "version": 1,
        "root": os.path.realpath(root),
        "campaign": campaign,
        "digest": read.digest,
        "approved_at": now,
        "expires_at": now + read.expires_s,
        "program": read.stored(),
        "limits": read.limits,
        "salt": _earlier_salt(root, campaign) or secrets.token_hex(16),
    }


def _measure(stored: dict[str, Any]) -> list[Any]:
    """What a number of this program means: how it is found, on which script, and which way is better."""
    goal, run = stored["goal"], stored["run"]
    names = ("metric", "direction", "metric_pattern", "final")
    return [*(goal[name] for name in names), run["script"], run["args"], run["seed_flag"]]


def _earlier_salt(root: str, campaign: str) -> str | None:
    """The salt of the same campaign's last seal, so that re-approval keeps its seeds."""
    earlier = _earlier(root, campaign)
    return None if earlier is None else str(earlier["salt"])


def _earlier(root: str, campaign: str) -> dict[str, Any] | None:
    """The campaign's last seal, open or closed."""
    for path in (store.seal_path(root), f"{store.root_dir(root)}/closed-{campaign}.json"):
        stored = _stored(path) or {}
        if stored.get("campaign") == campaign:
            return stored
    return None


def _stored(path: str) -> dict[str, Any] | None:
    """A seal as it was stored; None for a damaged one too, since the approval replaces it."""
    try:
        stored = store.get(path)
    except SealError:
        return None
    return stored if isinstance(stored, dict) else None


def revoke(root: str) -> dict[str, Any]:
    """Nothing more may be spent here; running jobs go on to their end and sealed data returns to its place."""
    with store.locked(root, "campaign"):
        closed = seal.load(root)
        if closed is None:
            raise SealError(f"there is no approval in {root}", next_step="program.py show")
        ledger.append(root, "revoked", campaign=closed.campaign)
        back = opening.bring_back(root)
        seal.close(root)
    return {"campaign": closed.campaign, "sealed_data": back}
