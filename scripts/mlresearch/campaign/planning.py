"""One experiment's plan: gated and stored before anything runs, so that nobody explains a result they already saw."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from mlresearch import gates, ledger, schema, seal, store
from mlresearch.campaign import opening, rules, snapshots
from mlresearch.envelope import Request
from mlresearch.errors import GateError, UsageError
from mlresearch.seal import Seal
from mlresearch.standing import Standing

LARGEST = 100_000


def read(root: str, file: str) -> dict[str, Any]:
    """A plan from a file under work/, with every fault reported at once."""
    path = gates.inside(root, file)
    if not path.is_file():
        raise UsageError(f"plan {file!r} does not exist", "a JSON file under work/", "write it, then campaign.py plan")
    if path.stat().st_size > LARGEST:
        raise UsageError(f"plan {file!r} is too large", f"at most {LARGEST} bytes")
    try:
        plan = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"plan {file!r} is no JSON ({str(error)[:80]})", "one JSON object") from None
    faults = schema.faults("plan", plan)
    if faults:
        raise UsageError(
            f"plan {file!r}: " + " | ".join(faults), "the form in plan.schema.json", "mend the file, plan again"
        )
    return dict(plan)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def plan(root: str, proposal: Mapping[str, Any], by: str, request: Request, now: float | None = None) -> dict[str, Any]:
    """Gate a proposal against the incumbent and write `planned`. Raises GateError naming the gate that holds it back.

    A model's edit is stored by value, and the working copy is the incumbent's again: the next plan starts from it.
    """
    now = now or time.time()
    approved = seal.require(root, now)
    if by == "model":
        _anchored(root, proposal["anchor"])
    with store.locked(root, "campaign"):
        with ledger.transaction(root) as tx:
            _may_plan(tx.standing, approved, request, now)
            gates.unchanged(root, tx.standing.sealed)
            incumbent = _incumbent(tx.standing)
            files = snapshots.take(root, opening.editable(approved)) if by == "model" else incumbent["files"]
            same = _under_way(tx.standing, {**incumbent["config"], **proposal["change"]}, files)
            row = {} if same else tx.append("planned", **_fields(tx.standing, approved, proposal, by, files))
        if by == "model":
            snapshots.put_back(root, incumbent["files"])
    if same:
        raise GateError(f"{same} is this very change", "a change that is not under way", "campaign.py next")
    return row


def _anchored(root: str, anchor: Mapping[str, str]) -> None:
    if not anchor["quote"].strip():
        raise GateError("the anchor quotes nothing", "text that stands in its file", "quote it to the letter")
    gates.anchored(root, anchor["file"], anchor["quote"])


def _under_way(standing: Standing, config: Mapping[str, Any], files: Mapping[str, str]) -> str | None:
    """The undecided experiment that is the same change; so a plan that was killed and repeated runs once."""
    for name, experiment in standing.experiments.items():
        if experiment["config"] == config and experiment["files"] == files:
            return name
    return None


def _fields(
    standing: Standing, approved: Seal, proposal: Mapping[str, Any], by: str, files: Mapping[str, str]
) -> dict[str, Any]:
    incumbent = _incumbent(standing)
    return {
        "experiment": f"e{standing.next_experiment:04d}",
        "hypothesis": proposal["hypothesis"],
        "lever": one_lever(proposal["change"], incumbent, files, approved.program),
        "config": {**incumbent["config"], **proposal["change"]},
        "parent": incumbent["experiment"],
        "files": files,
        "by": by,
        "anchor": proposal.get("anchor"),
        "deliverables": proposal.get("deliverables", []),
        "prediction": proposal.get("prediction"),
        "literature": proposal.get("literature", []),
    }


def _incumbent(standing: Standing) -> dict[str, Any]:
    if standing.incumbent is None:
        raise GateError("there is no baseline yet", "a baseline of several seeds first", "campaign.py next")
    return standing.incumbent


def _may_plan(standing: Standing, approved: Seal, request: Request, now: float) -> None:
    if not standing.started or standing.final is not None:
        raise GateError("the campaign takes no plan now", "a started campaign before its finalize", "campaign.py next")
    _incumbent(standing)
    halt = rules.stop(standing, approved.program, approved.envelope, request, now)
    if halt is not None:
        raise GateError(f"the campaign stops here ({halt.reason}): {halt.message}", next_step="campaign.py finalize")


def one_lever(
    change: Mapping[str, Any], incumbent: Mapping[str, Any], files: Mapping[str, str], program: Mapping[str, Any]
) -> str:
    """The name of the one thing that differs from the incumbent; raises GateError for none, several or a bad value."""
    edited = sorted(name for name, digest in files.items() if incumbent["files"].get(name) != digest)
    locked = [name for name in edited if name not in program["scope"]["editable_files"]]
    if locked:
        raise GateError(f"{', '.join(locked)} was edited", "edits of Scope.editable_files only", "restore the file")
    if len(change) > 1 or (change and edited):
        both = ", ".join([*change, *edited])
        raise GateError(
            f"one lever an experiment, and {both} differ from the incumbent", "one parameter, or edited files"
        )
    if not change and not edited:
        raise GateError("nothing differs from the incumbent", "one parameter under change, or an edited editable file")
    if edited:
        return ", ".join(edited)
    ((name, value),) = change.items()
    _check_value(name, value, program["run"]["parameters"])
    default = program["run"]["parameters"][name].get("default")
    if incumbent["config"].get(name, default) == value:
        raise GateError(f"{name} is {value!r} already", "a value that differs from the incumbent's")
    return name


def _check_value(name: str, value: object, parameters: Mapping[str, Any]) -> None:
    if name not in parameters:
        raise GateError(
            f"{name!r} is no lever of this program", ", ".join(parameters) or "none", "program.md, Run.parameters"
        )
    parameter = parameters[name]
    if parameter["kind"] == "choice":
        if value not in parameter["choices"]:
            raise GateError(f"{name}={value!r} is outside its choices", ", ".join(map(str, parameter["choices"])))
        return
    number = isinstance(value, int) if parameter["kind"] == "int" else isinstance(value, (int, float))
    if isinstance(value, bool) or not number or not parameter["low"] <= float(str(value)) <= parameter["high"]:
        allowed = f"{parameter['kind']} from {parameter['low']} to {parameter['high']}"
        raise GateError(f"{name}={value!r} is outside its range", allowed)
