"""Gates of the plan and of the research: the user's words stand, and what is cited exists and says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

from mlresearch.errors import Unavailable
from mlresearch.pipeline import steps
from mlresearch.pipeline.gates import asked
from mlresearch.pipeline.gates.looking import Look, looked_up, plain
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.task import Halt, Output, State, Task, Verdict, World

FEWEST_STEPS = 3
LEAST_REASON = 40


def plan(state: State, output: Output, world: World) -> Verdict:
    """The baseline says what the task says, no more and no less."""
    look = Look(state, world)
    if output["isTrivial"]:
        _trivial(look, output)
        return look.verdict() if look.faults else Halt("answered", str(output["directAnswer"]))
    look.expect(output["successMetric"] is not None, "successMetric: null, and something is to be measured")
    look.expect(len(output["steps"]) >= FEWEST_STEPS, f"steps: fewer than {FEWEST_STEPS}")
    profile = PROFILES.get(str(output["taskType"]))
    method = output["baseline"]["method"]
    if profile is None:
        look.faults.append(f"taskType: null (allowed: {', '.join(PROFILES)})")
    else:
        told = f"baseline.method: {method} is no method of {profile.name} (allowed: {', '.join(profile.methods)})"
        look.expect(method in profile.methods, told)
    _names(look, output["baseline"])
    _words(look, output["baseline"])
    return look.verdict() if look.faults else _is_there(look, output["baseline"]) or look.verdict()


def _is_there(look: Look, baseline: Mapping[str, Any]) -> Halt | None:
    """What the user named is looked up before anything is built on it; a source that does not answer stops nothing."""
    for kind, ask in (("model", look.world.model), ("dataset", look.world.dataset)):
        name = baseline[kind]
        if name is None:
            continue
        found, why = looked_up(partial(ask, name))
        if why:
            look.notes.append(f"whether {name} is there could not be looked up: {why}")
        elif found is None:
            return Halt("resource_unavailable", f"there is no {kind} {name}, or not for this account")
    return None


def _trivial(look: Look, output: Output) -> None:
    task = look.state.task
    look.expect(output["directAnswer"], "directAnswer: null, and a trivial request is answered here")
    is_named = task.model or task.dataset or asked.names(task.text)
    told = "isTrivial: the task asks for work on a model or data (allowed: false)"
    look.expect(not (is_named and asked.is_work(task.text)), told)


def _names(look: Look, baseline: Mapping[str, Any]) -> None:
    task = look.state.task
    for kind, given in (("model", task.model), ("dataset", task.dataset)):
        value = baseline[kind]
        if given is not None:
            look.expect(value == given, f"baseline.{kind}: {value}, and --{kind} is {given}")
        elif value is not None:
            told = f"baseline.{kind}: the task does not name {value} (null when the user named none)"
            look.expect(asked.says(task.text, value), told)
    taken = {baseline["model"], baseline["dataset"]}
    for name in asked.names(task.text):
        if (
            name not in taken
            and not _is_other(look, name, task)
            and not _is_beside(name, baseline["dataset"], task.root)
        ):
            told = f"baseline: the task names {name}, and neither model nor dataset is it, to the letter"
            look.faults.append(told)


def _is_beside(name: str, dataset: str | None, root: str) -> bool:
    """True for a file of this project in the folder of the training data: the other half of a split."""
    if dataset is None or not Path(root, name).exists():
        return False
    return name.rpartition("/")[0] in (dataset.rpartition("/")[0], dataset)


def _is_other(look: Look, name: str, task: Task) -> bool:
    """True for a repository to write to, and for words that are no name of anything on the Hub."""
    if task.hub_org and name.startswith(f"{task.hub_org}/"):
        return True
    if not asked.may_be_ordinary(name):
        return False
    try:
        return look.world.model(name) is None and look.world.dataset(name) is None
    except Unavailable as error:
        look.notes.append(f"whether {name} is a name could not be looked up: {error.wrong}")
        return True


def _words(look: Look, baseline: Mapping[str, Any]) -> None:
    """What the text says must be frozen, and what is frozen must be in the text."""
    text = look.state.task.text
    said: Mapping[str, Set[Any]] = {
        "method": asked.methods(text),
        "adapter": asked.adapters(text),
        "sequenceLength": asked.lengths(text),
        "revision": asked.revisions(text),
    }
    for key, allowed in said.items():
        value = baseline[key]
        if allowed and value not in allowed:
            look.faults.append(f"baseline.{key}: {value}, and the task says {', '.join(sorted(map(str, allowed)))}")
    for key in ("sequenceLength", "revision"):
        value = baseline[key]
        if value is not None and not said[key]:
            told = f"baseline.{key}: the task does not say {value} (null when the user gave none)"
            look.expect(str(value) in text.replace(",", ""), told)


def finder(state: State, output: Output, world: World) -> Verdict:
    """What one finder found: its sources exist, were opened, and hold what it quotes."""
    look = Look(state, world)
    texts = look.sources(output["sources"])
    for number, finding in enumerate(output["findings"]):
        place, source = f"findings.{number}", finding["source"]
        if source >= len(texts):
            look.faults.append(f"{place}.source: there is no source {source}")
        elif texts[source] and plain(finding["quote"]) not in texts[source]:
            look.faults.append(f"{place}.quote: not in {output['sources'][source]['evidence']}, to the letter")
    return look.verdict()


def recipe(state: State, output: Output, world: World) -> Verdict:
    """The recipe: every statement rests on a source that was opened, here or by a finder."""
    look = Look(state, world)
    look.sources(output["sources"])
    for name in ("recipe", "codePatterns"):
        for number, entry in enumerate(output[name]):
            there = entry["source"] < len(output["sources"])
            look.expect(there, f"{name}.{number}.source: there is no source {entry['source']}")
    _results(look, output["recipe"])
    followed = state.results.get("research.citations")
    is_full = followed is not None and followed["fidelity"] == "full" and followed["sources"]
    told = "citationGraphFidelity: full, and research.citations answered another fidelity (allowed: reduced)"
    look.expect(output["citationGraphFidelity"] != "full" or is_full, told)
    return look.verdict()


def _results(look: Look, entries: Sequence[Output]) -> None:
    """A result stands with the model and data that reached it; what states none says why it is followed."""
    for number, entry in enumerate(entries):
        place = f"recipe.{number}"
        if entry["result"] is None:
            told = f"{place}.fits: without a result it says in {LEAST_REASON} characters or more why it is followed"
            look.expect(len(entry["fits"].strip()) >= LEAST_REASON, told)
        for key in ("model", "dataset"):
            is_told = entry[key] is not None or entry["result"] is None
            look.expect(is_told, f"{place}.{key}: null, and a result without it is a remark")


def cited(state: State) -> list[Output]:
    """Every source that the accepted research names, once."""
    found: dict[tuple[str, str], Output] = {}
    for step in steps.STEPS:
        if step.name.startswith("research.") and step.name in state.results:
            sources: Sequence[Output] = state.results[step.name]["sources"]
            found |= {(source["kind"], source["id"]): source for source in sources}
    return list(found.values())
