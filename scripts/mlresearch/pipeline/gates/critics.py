"""Gates of the critics: a review counts when it read the very bytes, names what it checked, and follows from itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlresearch import gates as files
from mlresearch.errors import GateError
from mlresearch.pipeline import results, steps
from mlresearch.pipeline.gates import research
from mlresearch.pipeline.gates.code import made_faults
from mlresearch.pipeline.gates.looking import Look
from mlresearch.pipeline.task import Output, SendBack, State, Verdict, World


def verify_research(state: State, output: Output, world: World) -> Verdict:
    """Every source is looked up once more: a critic who lets an invented one pass is refused."""
    look = _reviewed(state, "verify_research", output, world)
    for source in [] if output["mustReblock"] else research.cited(state):
        look.resolves(f"sources of {source['id']}", source["kind"], source["id"])
    return _answer("verify_research", look, output)


def format_critic(state: State, output: Output, world: World) -> Verdict:
    look = _reviewed(state, "format_critic", output, world)
    return _answer("format_critic", look, output)


def code_review(state: State, output: Output, world: World) -> Verdict:
    """The scripts are still what was accepted; what code can tell of them is told again."""
    look = _reviewed(state, "code_review", output, world)
    if not output["mustReblock"]:
        look.faults += made_faults(state, state.results["implement"], world)
    return _answer("code_review", look, output)


def subjects(state: State, step: str) -> list[str]:
    """What a critic's `checked` must name, each of it; the page lists the same."""
    if step == "verify_research":
        return list(dict.fromkeys(source["id"] for source in research.cited(state)))
    if step == "format_critic":
        return [state.results["data_audit"]["dataset"]]
    return [Path(name).name for name in results.scripts(state)] if step == "code_review" else []


def _reviewed(state: State, step: str, output: Output, world: World) -> Look:
    look = Look(state, world)
    wanted, told = results.to_review(state, step), output["reviewed"]
    for name, digest in wanted.items():
        if name not in told:
            look.faults.append(f"reviewed: {name} was not read")
        elif told[name] != digest:
            look.faults.append(f"reviewed: {name} has other bytes than {told[name][:12]}…: read it again")
    for name in [name for name in told if name not in wanted]:
        look.expect(_digest(look.root, name) == told[name], f"reviewed: {name} is not there with these bytes")
    look.files += [name for name in results.scripts(state) if name in wanted]
    checked = "\n".join(f"{entry['what']}\n{entry['command']}" for entry in output["checked"]).lower()
    for subject in subjects(state, step):
        look.expect(subject.lower() in checked, f"checked: nothing was checked of {subject}")
    return look


def _digest(root: str, name: str) -> str:
    try:
        path = files.inside(root, name)
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, GateError):
        return "missing"


def _answer(step: str, look: Look, output: Output) -> Verdict:
    errors = [issue for issue in output["issues"] if issue["severity"] == "error"]
    look.expect(output["ok"] == (not errors), f"ok: {output['ok']} with {len(errors)} issues of severity error")
    told = f"mustReblock: {output['mustReblock']} with {len(errors)} issues of severity error"
    look.expect(output["mustReblock"] == bool(errors), told)
    if look.faults or not output["mustReblock"]:
        return look.verdict()
    return SendBack(steps.BY_NAME[step].blocks or "", tuple(output["issues"]))
