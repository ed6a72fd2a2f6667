"""Finalize: baseline and incumbent on fresh seeds, scored once on the sealed data. Then the seal closes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlresearch import gates, ledger, seal, stats, store
from mlresearch.campaign import opening, rules, running
from mlresearch.errors import GateError
from mlresearch.jobs import Order, Permission
from mlresearch.seal import Seal
from mlresearch.standing import BASELINE, Standing

# how the `finalized` row names what each scoring run measured
_SEALED = {"sealed": "value", "sealed_n": "n", "sealed_stderr": "stderr"}


def finalize_step(root: str, permit: Permission | None = None) -> bool:
    """Start what the final evaluation needs now; True when the campaign is closed. Safe to repeat after a kill."""
    with store.locked(root, "campaign"):
        standing = ledger.standing(root)
        if standing.finalized:
            _close(root)
            return True
        approved = seal.require(root, time.time())
        if standing.final is None:
            _open(root, approved, standing)
            standing = ledger.standing(root)
        needed = orders(root, approved, standing)
        running.start(root, approved, needed[: rules.room(standing, approved.envelope)], permit)
        if needed or standing.open:
            return False
        ledger.append(root, "finalized", **result(standing, approved))
        _close(root)
        return True


def _open(root: str, approved: Seal, standing: Standing) -> None:
    """Fix the finalists and the seeds, and from here on let jobs read the sealed data: once a campaign."""
    if standing.incumbent is None or standing.baseline is None:
        raise GateError("there is no baseline to re-measure", "a campaign with a decided baseline", "campaign.py next")
    gates.unchanged(root, standing.sealed)
    gates.unchanged(str(opening.sealed_folder(root)), opening.sealed_data(root, standing.campaign))
    finalists = {BASELINE: {"config": {}, "files": standing.baseline["files"], "search": standing.baseline["mean"]}}
    incumbent = standing.incumbent
    finalists[incumbent["experiment"]] = {
        "config": incumbent["config"],
        "files": incumbent["files"],
        "search": incumbent["mean"],
    }
    if not standing.stopped:
        backend = running.backend_of(root, approved)
        request = running.request_of(backend, approved)
        halt = rules.stop(standing, approved.program, approved.envelope, request, time.time())
        reason, message = (
            (halt.reason, halt.message) if halt else ("asked", "finalized before a stop condition was met")
        )
        ledger.append(root, "stopped", reason=reason, message=message)
    ledger.append(root, "opened", finalists=finalists, seed_base=standing.next_seed)


def orders(root: str, approved: Seal, standing: Standing) -> list[Order]:
    """The jobs that the final evaluation still needs; the same seeds for every finalist."""
    assert standing.final is not None
    needed = []
    seeds = approved.program["criteria"]["final_seeds"]
    for name, finalist in standing.final["finalists"].items():
        for index in range(standing.final["seed_base"], standing.final["seed_base"] + seeds):
            seed = rules.seed_of(approved.salt, index)
            train = _run(standing, name, "final_train", seed)
            if train is None:
                if not _is_open(standing, name, "final_train", seed):
                    order = running.training_order(root, approved, standing, finalist, name, "final_train", index)
                    needed.append(order)
            elif _wants_score(approved, standing, name, train):
                needed.append(running.scoring_order(root, approved, standing, train))
    return needed


def _wants_score(approved: Seal, standing: Standing, name: str, train: Mapping[str, Any]) -> bool:
    if not approved.program["goal"]["final"] or train["value"] is None:
        return False
    scored = _run(standing, name, "final_score", train["seed"]) is not None
    return not scored and not _is_open(standing, name, "final_score", train["seed"])


def _run(standing: Standing, name: str, purpose: str, seed: int) -> dict[str, Any] | None:
    """The run that counts; one that a machine's fault ended is repeated, but not for ever."""
    assert standing.final is not None
    key = (name, purpose, seed)
    runs = [run for run in standing.final["runs"] if (run["experiment"], run["purpose"], run["seed"]) == key]
    return next(iter(rules.counted(runs)), None)


def _is_open(standing: Standing, name: str, purpose: str, seed: int) -> bool:
    key = (name, purpose, seed)
    return any((job["experiment"], job["purpose"], job["seed"]) == key for job in standing.open.values())


def result(standing: Standing, approved: Seal) -> dict[str, Any]:
    """What the `finalized` row says: search score, fresh re-runs and sealed scores of both finalists, and the gap."""
    assert standing.final is not None and standing.incumbent is not None
    told = {name: _scores(standing, name) for name in standing.final["finalists"]}
    best = standing.incumbent["experiment"]
    sealed = [value for value in told[best]["sealed"] if value is not None]
    gap = stats.mean(sealed) - told[best]["search"] if sealed else None
    return {
        "metric": approved.program["goal"]["metric"],
        "baseline": told[BASELINE],
        "incumbent": {"experiment": best, **told[best]},
        "gap": gap,
    }


def _scores(standing: Standing, name: str) -> dict[str, Any]:
    """One value a seed; None for a run that counts and has no metric, and for what its log does not tell."""
    assert standing.final is not None
    seeds = dict.fromkeys(run["seed"] for run in standing.final["runs"])
    trained, scored = (
        [run for seed in seeds if (run := _run(standing, name, purpose, seed)) is not None]
        for purpose in ("final_train", "final_score")
    )
    return {
        "search": standing.final["finalists"][name]["search"],
        "fresh": [run["value"] for run in trained],
        **{key: [run.get(told) for run in scored] for key, told in _SEALED.items()},
    }


def _close(root: str) -> None:
    """The order matters: a kill before the seal closes repeats this; nothing can be spent after `finalized`."""
    opening.bring_back(root)
    seal.close(root)
