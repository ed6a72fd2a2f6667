"""Gate of the scripts: what is on the disk does what was asked, fits what was approved, and can be sent as it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlresearch import arguments, invariant
from mlresearch.backends import SourceFile
from mlresearch.envelope import repo_matches
from mlresearch.errors import UsageError, shown
from mlresearch.invariant import MINIMUM_S
from mlresearch.jobs.submitting import paid
from mlresearch.pipeline import script_scope
from mlresearch.pipeline.gates.looking import Look
from mlresearch.pipeline.job_plans import REPO, TRIALS, JobPlan, is_folder, planned, trial_place
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.script_scope import Facts
from mlresearch.pipeline.task import Output, State, Verdict, World
from mlresearch.script_facts import Script, header

_PINNED = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[\w.,-]+\])?==[\w.+!]+(?:\s*;.*)?")
_PREFLIGHT_MAY_DIFFER = ("steps",)
PAID_STEPS = ("gpu_preflight", "full_job", "evaluate")


def implement(state: State, output: Output, world: World) -> Verdict:
    look = _look(state, output, world)
    return look.verdict()


def made_faults(state: State, made: Output, world: World) -> list[str]:
    """Everything wrong with an implementation as it lies on the disk now."""
    return _look(state, made, world).faults


def _look(state: State, made: Output, world: World) -> Look:
    look = Look(state, world)
    for key in ("args", "preflightArgs", "evalArgs"):
        odd = [word for word in made[key] if "\0" in word or not _is_text(word)]
        look.expect(not odd, f"{key}: {shown(odd)} can stand in no command line")
        if not odd and look.state.task.backend == "local":
            look.faults += [f"{key}: {told}" for told in _astray(look, made[key])]
    if look.faults:
        return look
    train, evaluation = (_script(look, key, made[key]) for key in ("trainScript", "evalScript"))
    if train is not None and evaluation is not None:
        is_same = made["trainScriptContent"].encode("utf-8", "replace") == train
        look.expect(is_same, f"trainScriptContent: not the bytes of {made['trainScript']}")
        _pins(look, made, train, evaluation)
        _asked_for(look, made, train)
        evaluation_faults(look, made, evaluation)
        _limits(look, made, train, evaluation)
    _reference(look, made)
    return look


def _astray(look: Look, args: list[str]) -> list[str]:
    """Files of the project that a job would look for in its own folder."""
    values = [word.partition("=")[2] if word.startswith("--") and "=" in word else word for word in args]
    lost = [value for value in values if value.startswith("work/") or ("/" in value and _is_here(look, value))]
    return [f"{shown(value)} is not found from the job's own folder (allowed: {{root}}/{value})" for value in lost]


def _is_here(look: Look, value: str) -> bool:
    return not value.startswith(("/", "{")) and Path(look.root, value).is_file()


def _is_text(word: str) -> bool:
    """False for half a surrogate pair, which no encoding can write."""
    return "\ufffd" not in word and word.encode("utf-8", "replace").decode() == word


def _script(look: Look, place: str, name: str) -> bytes | None:
    content = look.read(place, name)
    if content is None:
        return None
    look.expect(name.startswith(f"{look.work}/") and name.endswith(".py"), f"{place}: {look.work}/….py is its place")
    try:
        script_scope.read(content, ())
    except (SyntaxError, ValueError, RecursionError) as error:
        look.faults.append(f"{place}: {name} is no Python: {error}")
        return None
    return content


def _pins(look: Look, made: Output, train: bytes, evaluation: bytes) -> None:
    for place, content in (("trainScript", train), ("evalScript", evaluation)):
        found = header(content.decode("utf-8", "replace"))
        pins = None if found is None else found.get("dependencies", [])
        if not isinstance(pins, list) or not all(isinstance(pin, str) and _PINNED.fullmatch(pin) for pin in pins):
            look.faults.append(f"{place}: its PEP 723 header must pin every dependency as name==version")
        elif place == "trainScript":
            is_same = set(pins) == set(made["dependencies"])
            look.expect(is_same, f"dependencies: the header of {made['trainScript']} has {', '.join(pins)}")


def asked(state: State) -> dict[str, Any]:
    """The baseline, with what the resources step chose where the user named nothing."""
    found = dict(state.baseline)
    for kind in ("model", "dataset"):
        chosen = state.results.get(f"resources.{kind}")
        if found[kind] is None and chosen is not None:
            found[kind] = chosen["verified"]["id"]
    return found


def _asked_for(look: Look, made: Output, train: bytes) -> None:
    """What was asked, by the arguments of the full run; and the short run differs in its number of steps alone."""
    full = script_scope.read(train, made["args"])
    look.faults += [f"trainScript: {told}" for told in script_scope.departures(asked(look.state), full)]
    look.faults += [f"trainScript: {told}" for told in script_scope.unknowns(full)]
    short = script_scope.read(train, made["preflightArgs"])
    changed = script_scope.changes(full, short, allowed=_PREFLIGHT_MAY_DIFFER)
    look.faults += [f"preflightArgs: {told}" for told in changed]
    look.expect(made["monitoringWired"], "monitoringWired: false")
    look.expect(script_scope.knows_smoke(train), "smokeKnobs: the script never asks whether SMOKE is 1")
    told = f"persistenceDest: {made['trainScript']} with its args saves nothing to {made['persistenceDest']}"
    look.expect(_saves(train, made["args"], made["persistenceDest"]), told)
    _apart(look, made, train)


def _apart(look: Look, made: Output, train: bytes) -> None:
    """Neither trial saves where the result goes: nothing of it can be resumed from, or pass for the result."""
    task, destination = look.state.task, str(made["persistenceDest"])
    for step in TRIALS:
        job = planned(look.state, made, step)
        allowed = f"an argument that names it, which the trial's command exchanges for {trial_place(task, destination)}"
        told = f"{step}: it would save to {destination}, where only the full job may (allowed: {allowed})"
        look.expect(not _saves(train, job.args, destination), told)


def _saves(content: bytes, args: Sequence[str], destination: str) -> bool:
    """A folder is named; a repository is pushed to, by a call of its own or by the trainer that is given its name."""
    text = content.decode("utf-8", "replace")
    if is_folder(destination):
        named = re.compile(rf"{re.escape(destination.rstrip('/'))}(?![\w.-])")
        return any(named.search(place) for place in (text, *args))
    pushed = {
        push.repo for push in Script(content, arguments.by_name(args), {}).pushes() if push.what != "hub_model_id"
    }
    return destination in pushed or ("" in pushed and (destination in text or destination in args))


def evaluation_faults(look: Look, made: Output, content: bytes) -> None:
    """The evaluation loads what was saved, and prints the metric that the plan named."""
    try:
        found = script_scope.read(content, made["evalArgs"])
    except (SyntaxError, ValueError) as error:
        look.faults.append(f"evalScript: {made['evalScript']} is no Python: {error}")
        return
    destination = made["persistenceDest"]
    look.expect(destination in found.models, f"evalScript: it does not load {destination}, by its args or its text")
    metric = str(look.state.results["plan"]["successMetric"]["name"])
    look.expect(metric.encode() in content, f"evalScript: it never names {metric}, the plan's metric")


def _reference(look: Look, made: Output) -> None:
    reference = made["reference"]
    if reference["url"] is not None:
        look.resolves("reference.url", "web", reference["url"])
        return
    known = {name for profile in PROFILES.values() for name in (*profile.train.values(), profile.evaluate) if name}
    told = f"reference.what: no template of this plugin ({', '.join(sorted(known))}), and no url"
    look.expect(any(name in reference["what"] for name in known), told)


def _limits(look: Look, made: Output, train: bytes, evaluation: bytes) -> None:
    """What a person approved, and what no paid job may be sent without."""
    limits = look.limits()
    jobs = {step: planned(look.state, made, step) for step in PAID_STEPS}
    for step, job in jobs.items():
        if limits is not None:
            limit_faults(look, f"{step}: ", job, limits)
        if job.backend != "local":
            content = evaluation if step == "evaluate" else train
            look.faults += [f"{step}: {fault}" for fault in _paid_faults(look, step, job, content, limits)]
    look.faults += destination_faults(look.state, made["persistenceDest"], limits)


def limit_faults(look: Look, place: str, job: JobPlan, limits: Mapping[str, Any]) -> None:
    flavors = ", ".join(limits["flavors"])
    look.expect(job.flavor in limits["flavors"], f"{place}flavor {job.flavor} (allowed: {flavors})")
    most = limits["max_timeout_s"]
    look.expect(job.timeout_s <= most, f"{place}a time limit of {job.timeout_s} s (allowed: {most} s)")


def _paid_faults(
    look: Look, step: str, job: JobPlan, content: bytes, limits: Mapping[str, Any] | None
) -> list[invariant.Fault]:
    """The same refusals as at the submit, with the profile's own shortest time."""
    sent = paid(look.root, job.order(), (SourceFile(Path(job.script).name, content),))
    repos = None if limits is None else limits["output_repos"]
    if repos is not None:
        allowed = ", ".join(repos) or "output_repos is empty"
        sent = replace(sent, repos=allowed, writable=lambda repo: any(repo_matches(one, repo) for one in repos))
    least = minimum_s(look.state) if step == "full_job" else MINIMUM_S
    return invariant.faults(replace(sent, is_evaluation=step == "evaluate", minimum_s=least))


def minimum_s(state: State) -> int:
    """The shortest time limit of a paid full job of this kind."""
    return max(MINIMUM_S, PROFILES[state.results["plan"]["taskType"]].minimum_s)


def destination_faults(state: State, destination: str, limits: Mapping[str, Any] | None) -> list[str]:
    """A real repository that may be written, or a folder of this task."""
    if state.task.backend == "local" and not REPO.fullmatch(destination):
        inside = f"work/{state.task.name}/"
        is_here = destination.startswith(inside) and ".." not in Path(destination).parts
        return [] if is_here else [f"persistenceDest: {destination} (allowed: a folder under {inside})"]
    if not REPO.fullmatch(destination):
        return [f"persistenceDest: {destination} is no owner/name"]
    repos = None if limits is None else limits["output_repos"]
    if repos is None or any(repo_matches(pattern, destination) for pattern in repos):
        return []
    return [f"persistenceDest: {destination} (allowed: {', '.join(repos) or 'none'})"]


def script_digest(state: State, name: str) -> str:
    """SHA-256 of a script's bytes now; empty when it is gone."""
    path = Path(state.task.root, name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def changed_since_review(state: State, job: JobPlan, allowed: tuple[str, ...] = ()) -> list[str]:
    """What the training script trains now and did not when it was reviewed, whatever job claims it."""
    facts = facts_now(state, job)
    if isinstance(facts, str):
        return [facts]
    return [] if state.frozen is None else script_scope.changes(state.frozen, facts, allowed)


def facts_now(state: State, job: JobPlan) -> Facts | str:
    """The facts of a job's script as it lies on the disk, or why there are none."""
    try:
        return script_scope.read(Path(state.task.root, job.script).read_bytes(), job.args)
    except (OSError, SyntaxError, ValueError, UsageError) as error:
        return f"{job.script} can not be read: {error}"
