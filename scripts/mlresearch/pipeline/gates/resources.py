"""Gates of the resources and of the data: what was named is there, open, and fit; nothing is put in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlresearch.data_rules import METHODS
from mlresearch.errors import Unavailable
from mlresearch.pipeline.gates.looking import Found, Look, is_built_in, looked_up
from mlresearch.pipeline.task import Halt, Output, State, Verdict, World

# of a model's parameters: a count on its page is often rounded
NEAR = 0.05


def model(state: State, output: Output, world: World) -> Verdict:
    look = Look(state, world)
    look.expect(output["kind"] == "model", "kind: this step is about the model")
    verified = output["verified"]
    named = state.baseline["model"]
    revision = state.baseline["revision"] if named else None
    found, why = looked_up(lambda: world.model(verified["id"], revision))
    _flavor(look, output)
    if found is not None and output["parameters"] and found.get("parameters"):
        told = f"parameters: {output['parameters']}, and it has {found['parameters']}"
        look.expect(abs(output["parameters"] / found["parameters"] - 1) <= NEAR, told)
    return _answer(look, output, named, found, why)


def dataset(state: State, output: Output, world: World) -> Verdict:
    look = Look(state, world)
    look.expect(output["kind"] == "dataset", "kind: this step is about the data set")
    found, why = looked_up(lambda: world.dataset(output["verified"]["id"]))
    return _answer(look, output, state.baseline["dataset"], found, why)


def _flavor(look: Look, output: Output) -> None:
    limits = look.limits(is_due=False)
    look.expect(output["flavor"], "flavor: null, and a model needs hardware")
    if limits is not None and output["flavor"]:
        allowed = ", ".join(limits["flavors"])
        look.expect(output["flavor"] in limits["flavors"], f"flavor: {output['flavor']} (allowed: {allowed})")


def _answer(look: Look, output: Output, named: str | None, found: Found | None, why: str) -> Verdict:
    verified = output["verified"]
    if named is not None and verified["id"] != named:
        look.faults.append(f"verified.id: {verified['id']}, and the task names {named}: nothing is put in its place")
        return look.verdict()
    if why:
        look.faults.append(f"verified.id: {verified['id']} can not be looked up now: {why}; complete again later")
        return look.verdict()
    halt = _stops(verified["id"], output, named, found)
    if halt is not None:
        return halt
    if found is None:
        look.faults.append(f"verified.id: there is no {output['kind']} {verified['id']}; inspect another candidate")
        return look.verdict()
    _facts(look, verified, found)
    _choice(look, output, named)
    _evidence(look, "verified.evidence", output["kind"], verified)
    look.sources(output["sources"])
    return look.verdict()


def _stops(name: str, output: Output, named: str | None, found: Found | None) -> Halt | None:
    """What only a person can decide: of a resource that the user named, not of a candidate."""
    if named is None:
        return None
    if found is None:
        return Halt("resource_unavailable", name)
    if not _is_open(found):
        return Halt("gated_access", f"{name} is gated")
    if output["needsUserDecision"]:
        return Halt("resource_unavailable", f"{name} ({output['question']})")
    return None


def _is_open(found: Found) -> bool:
    return bool(found.get("access", not found["gated"]))


def _facts(look: Look, verified: Mapping[str, Any], found: Found) -> None:
    look.expect(verified["exists"], f"verified.exists: false, and {verified['id']} exists")
    told = f"verified.gated: {verified['gated']}, and the page says {bool(found['gated'])}"
    look.expect(verified["gated"] == bool(found["gated"]), told)
    look.expect(_is_open(found), f"verified.id: {verified['id']} is gated; choose an open candidate")
    for key in ("revision", "licence"):
        known = found.get(key)
        is_same = known is None or str(verified[key]).lower() == str(known).lower()
        look.expect(is_same, f"verified.{key}: {verified[key]}, and it is {known}")
    look.expect(found.get("revision") is not None or verified["revision"] is None, "verified.revision: it has none")


def _evidence(look: Look, place: str, kind: str, resource: Mapping[str, Any]) -> None:
    """The inspection speaks of it; for the model that a template builds the listing of hardware serves."""
    names = () if is_built_in(kind, resource["id"]) else (resource["id"],)
    look.evidence(place, resource["evidence"], *names)


def _choice(look: Look, output: Output, named: str | None) -> None:
    """Where nobody named one, the choice is among candidates that were inspected."""
    look.expect(not output["needsUserDecision"], "needsUserDecision: true, and the task leaves the choice to you")
    for number, candidate in enumerate(output["candidates"]):
        _evidence(look, f"candidates.{number}.evidence", output["kind"], candidate)
    if named is None:
        chosen = output["verified"]["id"] in [candidate["id"] for candidate in output["candidates"]]
        look.expect(chosen, f"candidates: {output['verified']['id']} is not among them")


def data_audit(state: State, output: Output, world: World) -> Verdict:
    """What the inspection says of the data, looked up again: columns, rows, and how it serves the method."""
    look = Look(state, world)
    name = state.results["resources.dataset"]["verified"]["id"]
    if output["dataset"] != name:
        look.faults.append(f"dataset: {output['dataset']}, and the one that was verified is {name}")
        return look.verdict()
    method = state.baseline["method"]
    try:
        found = world.verdict(name, output["config"], method)
    except Unavailable as error:
        look.faults.append(f"dataset: {name} can not be inspected now: {error.wrong}; complete again later")
        return look.verdict()
    if found["status"] == "incompatible":
        return Halt("dataset_format_incompatible", f"{name} for {method}: {'; '.join(found['missing'])}")
    _shape(look, output, found)
    _fit(look, output, found, method)
    look.evidence("evidence", output["evidence"], name)
    return look.verdict()


def _shape(look: Look, output: Output, found: Found) -> None:
    for part in ("splits", "columns"):
        claimed, known = output[part], found[part]
        missing, invented = sorted(set(known) - set(claimed)), sorted(set(claimed) - set(known))
        look.expect(not missing, f"{part}: {', '.join(missing)} left out")
        look.expect(not invented, f"{part}: there is no {', '.join(invented)}")
    for split, rows in output["splits"].items():
        known = found["splits"].get(split)
        is_same = known is None or rows == known
        look.expect(is_same, f"splits.{split}: {rows} rows, and the inspection counts {known}")


def _fit(look: Look, output: Output, found: Found, method: str) -> None:
    look.expect(output["formatCompatible"], "formatCompatible: false, and the inspection finds a way")
    status = found["status"]
    if status is None:
        look.notes.append(f"there are no data rules for {method}")
        return
    needed = required(method, found.get("form", ""))
    named = set(output["requiredFields"])
    look.expect(named == needed, f"requiredFields: {sorted(named)} (for {method}: {sorted(needed)})")
    is_needed = status == "needs_mapping"
    look.expect(output["mappingNeeded"] == is_needed, f"mappingNeeded: the inspection says {status}")
    mapping = found.get("mapping", {}) if is_needed else {}
    claimed = output["mapping"] if is_needed else {}
    for target in sorted(set(mapping) | set(claimed)):
        told = f"mapping.{target}: {claimed.get(target)}, and the inspection says {mapping.get(target)}"
        look.expect(_agrees(claimed.get(target), mapping.get(target)), told)
    wrong = [target for target in output["mapping"] if not is_needed and output["mapping"][target] != target]
    look.expect(not wrong, f"mapping: {', '.join(wrong)}, and none is needed")


def _agrees(claimed: str | None, known: object) -> bool:
    """A mapping out of several columns is claimed by naming them all."""
    if claimed is None or known is None:
        return False
    columns = known if isinstance(known, list) else [known]
    return claimed == known or {str(column) for column in columns} == set(re.findall(r"[\w.-]+", claimed))


def required(method: str, form: str) -> set[str]:
    """The columns of the form that the data serves."""
    forms = METHODS[method].forms if method in METHODS else ()
    return {column.name for one in forms if one.name == form for column in one.required}
