"""Decides: candidate, confirmed, refuted, discarded, crashed. The rule is program.md's, the numbers the ledger's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlresearch import gates, ledger, seal, stats, store
from mlresearch.campaign import rules, snapshots
from mlresearch.errors import GateError, UsageError
from mlresearch.seal import Seal
from mlresearch.standing import BASELINE, Standing

# a file's time is that of the kernel's last tick: up to 10 ms behind the clock that stamps the ledger
FILE_CLOCK_S = 0.01


def analyse(root: str, name: str, file: str) -> dict[str, Any]:
    """Record that every planned file was written after the plan; raises GateError naming those that were not."""
    seal.require(root, time.time())
    standing = ledger.standing(root)
    experiment = _undecided(standing, name)
    if rules.under_way(standing, name):
        raise GateError(
            f"runs of {name} are still under way", "an analysis of finished runs", "campaign.py collect --wait 10m"
        )
    planned_at = next(row["ts"] for row in ledger.rows(root) if row["seq"] == experiment["seq"])
    outputs = [item["output"] for item in experiment["deliverables"] or []]
    found = gates.written(root, [*outputs, file], planned_at - FILE_CLOCK_S)
    return ledger.append(root, "analysed", experiment=name, files=found)


def _undecided(standing: Standing, name: str) -> dict[str, Any]:
    if name not in standing.experiments:
        known = ", ".join(standing.experiments) or "none"
        raise UsageError(f"experiment {name!r} is not undecided", f"undecided: {known}", "campaign.py status")
    return standing.experiments[name]


def decide(root: str, name: str) -> dict[str, Any]:
    """Apply the rule to a measured experiment, write the decision; a kept change becomes the working copy."""
    with store.locked(root, "campaign"):
        approved = seal.require(root, time.time())
        standing = ledger.standing(root)
        experiment = _undecided(standing, name)
        _must_be_measured(standing, name, experiment, approved)
        gates.unchanged(root, standing.sealed)
        if name == BASELINE:
            return _baseline(root, experiment, approved)
        verdict = judge(standing, experiment, approved, _is_simpler(root, standing, experiment, approved))
        incumbent = name if verdict["decision"] == "keep" else _name_of_incumbent(standing)
        if verdict["decision"] == "keep":
            # before the row, so that a kill in between repeats both and the next plan starts from the new incumbent
            snapshots.put_back(root, experiment["files"])
        return ledger.append(root, "decided", experiment=name, incumbent=incumbent, **verdict)


def _must_be_measured(standing: Standing, name: str, experiment: Mapping[str, Any], approved: Seal) -> None:
    if not rules.is_measured(standing, name, approved.program["criteria"]):
        raise GateError(f"{name} is not measured yet", "decisions on finished runs", "campaign.py next")
    if experiment["by"] == "model" and not experiment["analysed"]:
        raise GateError(
            f"the analysis of {name} is missing",
            "every planned file written",
            f"campaign.py analyse --experiment {name}",
        )


def _baseline(root: str, experiment: Mapping[str, Any], approved: Seal) -> dict[str, Any]:
    """The noise floor. A baseline that crashes or does not move with its seed is a person's business."""
    runs = rules.results(experiment, approved.program["criteria"])
    crashed = [run for run in runs if run["value"] is None]
    if crashed:
        why = next(r["why"] for r in ledger.rows(root) if r["event"] == "measured" and r["job"] == crashed[0]["job"])
        job, is_here = crashed[0]["job"], approved.program["run"]["backend"] == "local"
        place = f"runs/jobs/{job}/log.txt" if is_here else f"jobs.py logs --job {job}"
        _stop(root, f"the baseline gave no metric: {why} ({place})")
        raise GateError(
            f"the baseline gave no metric: {why} (read {place})",
            "code that runs and prints Goal.metric",
            "mend it, then approve anew",
        )
    values = [run["value"] for run in runs]
    try:
        sigma = stats.noise(values)
    except GateError as error:
        _stop(root, error.wrong)
        raise
    seeds = [run["seed"] for run in runs]
    return ledger.append(
        root, "baseline", experiment=BASELINE, values=values, seeds=seeds, sigma=sigma, mean=stats.mean(values)
    )


def _stop(root: str, message: str) -> None:
    ledger.append(root, "stopped", reason="unrecoverable", message=message[:500])


def judge(standing: Standing, experiment: Mapping[str, Any], approved: Seal, simpler: bool) -> dict[str, Any]:
    """The decision's fields, from the runs of the experiment's present stage alone."""
    assert standing.incumbent is not None and standing.baseline is not None
    goal, criteria = approved.program["goal"], approved.program["criteria"]
    values = [run["value"] for run in rules.results(experiment, criteria)]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return _verdict(standing, "crash" if experiment["stage"] == "screen" else "refuted", values, None)
    sigma, incumbent = standing.baseline["sigma"], standing.incumbent
    gain = stats.gain_of(stats.mean(known), incumbent["mean"], goal["direction"])
    if experiment["stage"] == "screen":
        passed = stats.screen(known[0], incumbent["mean"], sigma, criteria["screen"], goal["direction"])
        passed = passed or (simpler and gain >= -sigma)
        return _verdict(standing, "candidate" if passed else "below_screen", values, gain, simpler=simpler)
    found = stats.confirm(
        known, incumbent["values"], [standing.baseline["values"]], goal["direction"], goal["min_effect"]
    )
    kept = found.confirmed or (simpler and gain >= -sigma / 2)
    return _verdict(standing, "confirmed" if kept else "refuted", values, gain, found, simpler)


def _verdict(
    standing: Standing,
    state: str,
    values: list[float | None],
    gain: float | None,
    found: stats.Verdict | None = None,
    simpler: bool = False,
) -> dict[str, Any]:
    assert standing.incumbent is not None and standing.baseline is not None
    decision = {"confirmed": "keep", "candidate": "candidate", "crash": "crash"}.get(state, "discard")
    keep = state == "confirmed"
    test = asdict(found) if found else {}
    return {
        "decision": decision,
        "state": state,
        "values": values,
        "gain": gain,
        "gain_sigma": None if gain is None else gain / standing.baseline["sigma"],
        "standard_error": test.get("standard_error"),
        "critical": test.get("critical"),
        "interval": list(test["interval"]) if found else None,
        "simpler": simpler,
        "best": stats.mean([v for v in values if v is not None]) if keep else standing.incumbent["mean"],
    }


def _name_of_incumbent(standing: Standing) -> str | None:
    return None if standing.incumbent is None else str(standing.incumbent["experiment"])


def _is_simpler(root: str, standing: Standing, experiment: Mapping[str, Any], approved: Seal) -> bool:
    """True for an edit that leaves fewer lines, where program.md prefers that."""
    incumbent = standing.incumbent
    if (
        not approved.program["criteria"]["prefer_simpler"]
        or incumbent is None
        or experiment["files"] == incumbent["files"]
    ):
        return False
    return snapshots.lines(root, experiment["files"]) < snapshots.lines(root, incumbent["files"])
