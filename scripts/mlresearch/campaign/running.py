"""Submits the runs an experiment still needs and collects those that ended. Every job goes through `jobs.submit`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlresearch import backends, durations, gates, jobs, ledger, money, placeholders, seal, store, tracking
from mlresearch.backends import Backend, SourceFile
from mlresearch.campaign import opening, rules, snapshots
from mlresearch.envelope import Request
from mlresearch.errors import EnvelopeBreach, GateError, UsageError, shown
from mlresearch.jobs import Order, Permission, Submitted
from mlresearch.jobs.order import PLACES
from mlresearch.jobs.patience import Tell, silent
from mlresearch.seal import Seal
from mlresearch.standing import Standing


def backend_of(root: str, approved: Seal) -> Backend:
    return backends.get(approved.program["run"]["backend"], root)


def request_of(backend: Backend, approved: Seal, final: bool = False) -> Request:
    """The envelope's question for one ordinary run of this program, at the backend's present price."""
    run = approved.program["run"]
    price = backend.prices().get(run["flavor"])
    if price is None:
        raise UsageError(
            f"flavor {run['flavor']!r} has no price", next_step=f"jobs.py hardware --backend {backend.name}"
        )
    reserved_s = durations.parse(run["timeout"]) + backend.start_allowance_s
    return rules.run_request(
        approved.program, money.job_ceiling(1, reserved_s, price), backend.start_allowance_s, final
    )


def submit(root: str, name: str, permit: Permission | None = None) -> list[Submitted]:
    """Start as many of the experiment's missing runs as the envelope has room for; an empty list means: wait."""
    with store.locked(root, "campaign"):
        return _submit(root, name, permit)


def _submit(root: str, name: str, permit: Permission | None) -> list[Submitted]:
    approved = seal.require(root, time.time())
    standing = ledger.standing(root)
    if name not in standing.experiments:
        known = ", ".join(standing.experiments) or "none"
        raise UsageError(f"experiment {name!r} has no runs to submit", f"undecided: {known}", "campaign.py next")
    gates.unchanged(root, standing.sealed)
    free = rules.room(standing, approved.envelope)
    count = min(free, rules.missing(standing, name, approved.program["criteria"]))
    orders = [order_of(root, approved, standing, name, standing.next_seed + offset) for offset in range(count)]
    return start(root, approved, orders, permit)


def start(root: str, approved: Seal, orders: list[Order], permit: Permission | None) -> list[Submitted]:
    """Submit in order; stop early when another process took the last free place, since that only means wait."""
    engines = {name: backends.get(name, root) for name in {order.backend for order in orders}}
    started: list[Submitted] = []
    for order in orders:
        if permit is not None:
            permit(order)
        try:
            started.append(jobs.submit(root, order, engines[order.backend]))
        except EnvelopeBreach as breach:
            if breach.terminal:
                raise
            return started
    return started


def order_of(root: str, approved: Seal, standing: Standing, name: str, seed_index: int) -> Order:
    experiment = standing.experiments[name]
    purpose, _ = rules.wanted(experiment, approved.program["criteria"])
    return training_order(root, approved, standing, experiment, name, purpose, seed_index)


def training_order(
    root: str,
    approved: Seal,
    standing: Standing,
    experiment: Mapping[str, Any],
    name: str,
    purpose: str,
    seed_index: int,
) -> Order:
    """One training run: the experiment's bytes, the program's arguments, its configuration and a seed."""
    run = approved.program["run"]
    seed = rules.seed_of(approved.salt, seed_index)
    places = {"root": root, **PLACES, **_repository(approved, name, seed)}
    args = [*_filled(run["args"], places), run["seed_flag"], str(seed)]
    for parameter, value in experiment["config"].items():
        args += [run["parameters"][parameter]["flag"], str(value)]
    for flag, value in approved.program["scope"]["protected"].items():
        args += [flag, str(value)]
    files = snapshots.sources(root, experiment["files"])
    return Order(
        script=run["script"],
        args=tuple(args),
        files=files + _sealed_code(root, standing),
        experiment=name,
        purpose=purpose,
        seed=seed,
        seed_index=seed_index,
        labels={"experiment": name, "purpose": purpose},
        **common(root, run),
    )


def scoring_order(root: str, approved: Seal, standing: Standing, train: Mapping[str, Any]) -> Order:
    """One sealed measurement of a finished training run: here, where it reads what does not leave this machine."""
    final, run = approved.program["goal"]["final"], approved.program["run"]
    places = {
        "root": root,
        **PLACES,
        "run": str(Path(root) / "runs" / "jobs" / train["job"] / "out"),
        "sealed": str(opening.sealed_folder(root)),
        **_repository(approved, train["experiment"], train["seed"]),
    }
    is_here = placeholders.scores_here(approved.program["goal"], run)
    here = {"backend": placeholders.HERE, "flavor": placeholders.HERE_FLAVOR, "tracking": tracking.LOCAL}
    return Order(
        script=final["script"],
        args=tuple(_filled(final["args"], places)),
        files=_sealed_code(root, standing),
        experiment=train["experiment"],
        purpose="final_score",
        seed=train["seed"],
        train_job=train["job"],
        labels={"experiment": train["experiment"], "purpose": "final_score"},
        **common(root, {**run, **(here if is_here else {})}),
    )


def _repository(approved: Seal, experiment: str, seed: int) -> dict[str, str]:
    found = placeholders.repo(approved.envelope.output_repos, approved.campaign, experiment, seed)
    return {} if found is None else {"repo": found}


def common(root: str, run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "env": tracking.variables(root, run),
        "secrets": tuple({*tracking.secrets(run), *_tokens(run)}),
        "backend": run["backend"],
        "flavor": run["flavor"],
        "timeout_s": durations.parse(run["timeout"]),
        "deps": tuple(run["dependencies"]),
        "memory_mb": memory_mb(run["memory"]),
    }


def _tokens(run: Mapping[str, Any]) -> tuple[str, ...]:
    """A run that writes `{repo}` is given the Hub's token, and so is the scoring that reads it."""
    return (placeholders.TOKEN,) if placeholders.has(run["args"], "repo") else ()


def memory_mb(text: str | None) -> int | None:
    """`500m` or `2g` as MiB; raises UsageError for anything else."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in ("m", "g") or not durations.is_decimal(number, 6, 0) or not int(number):
        raise UsageError(f"memory {shown(text)} is not a size", "such as 500m or 2g")
    return int(number) * (1024 if unit == "g" else 1)


def _filled(args: list[Any], places: Mapping[str, str]) -> list[str]:
    filled = []
    for arg in map(str, args):
        for name, value in places.items():
            arg = arg.replace("{" + name + "}", value)
        filled.append(arg)
    return filled


def _sealed_code(root: str, standing: Standing) -> tuple[SourceFile, ...]:
    """Sealed Python files travel with every job; the bytes that travel are those that were checked."""
    recorded = {name: digest for name, digest in standing.sealed.items() if name.endswith(".py")}
    files = tuple(SourceFile(name, (Path(root) / name).read_bytes()) for name in recorded if Path(root, name).is_file())
    if {file.path: file.sha256 for file in files} != recorded:
        gates.unchanged(root, recorded)
        raise GateError("sealed files changed while they were read", next_step="campaign.py next")
    return files


def collect(root: str, wait_s: float = 0.0, tell: Tell = silent) -> list[dict[str, Any]]:
    """Settle ended jobs and read their metrics; with `wait_s`, until the next one ends. Returns the rows written.

    `tell` hears of a backend that does not answer while it is waited for.
    """
    approved = seal.load(root)
    if approved is None:
        raise GateError("there is no approved campaign here", next_step="program.py show")
    engines = {
        name: backends.get(name, root) for name in {job["backend"] for job in ledger.standing(root).open.values()}
    }
    return jobs.wait(root, engines, None, time.time() + wait_s, tell)
