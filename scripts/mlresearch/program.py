"""program.md, the contract a person fills in: reads its fenced blocks into a Program, or says every fault.

Refuses what it does not understand: unknown keys, wrong types, missing limits, YAML anchors, tags and duplicate
keys. Nothing has a default, because a limit that was not read is not a limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlresearch import durations, money, placeholders, schema, seal, strict_yaml, tracking
from mlresearch.envelope import Envelope, repo_matches
from mlresearch.errors import ProgramError, UsageError, shown
from mlresearch.invariant import MINIMUM_S

ENVELOPE = "Budget envelope"


@dataclass(frozen=True)
class Program:
    """`blocks` is the file's content by heading; `limits` the envelope in canonical units, as the seal has it."""

    blocks: dict[str, Any]
    limits: dict[str, Any]
    expires_s: int
    digest: str

    @property
    def envelope(self) -> Envelope:
        return Envelope(self.limits)

    def stored(self) -> dict[str, Any]:
        """The parsed program as the seal keeps it."""
        names = {"Goal": "goal", "Scope": "scope", "Run": "run", "Keep or discard": "criteria"}
        stored = {short: self.blocks[name] for name, short in names.items()}
        return {**stored, "envelope": self.blocks[ENVELOPE]}


def load(root: str) -> Program:
    """The project's program; ProgramError with every fault, or UsageError when there is no program.md."""
    path = Path(root) / seal.PROGRAM
    if not path.is_file():
        raise UsageError(f"{path} does not exist", next_step="program.py init")
    text = seal.read_program(root)
    if text is None:
        raise ProgramError(["there is no heading '## Budget envelope'"])
    return parse(text)


def parse(text: str) -> Program:
    """A Program from program.md's text; raises ProgramError with every fault of the file at once."""
    found = seal.blocks(text)
    faults = [fault for heading in seal.HEADINGS for fault in _block_faults(heading, found.get(heading))]
    blocks = _read(found, faults)
    told = schema.faults("program", {heading: blocks.get(heading) for heading in seal.HEADINGS})
    faults += [fault for fault in told if _heading_of(fault) in blocks]
    unsound = {_heading_of(fault) for fault in told}
    sound = {heading: block for heading, block in blocks.items() if heading not in unsound}
    limits = _limits(sound[ENVELOPE], faults) if ENVELOPE in sound else {}
    faults += _meaning(sound, limits)
    if faults:
        raise ProgramError(faults)
    return Program(blocks, limits, limits.pop("expires_s"), seal.digest_of(text))


def _block_faults(heading: str, blocks: list[str] | None) -> list[str]:
    if blocks is None:
        return [f"the heading '## {heading}' is missing"]
    if len(blocks) != 1:
        several = f"{len(blocks)} yaml blocks or headings"
        return [f"'## {heading}' has {several} (exactly one ```yaml block under one heading)"]
    return []


def _read(found: dict[str, list[str]], faults: list[str]) -> dict[str, Any]:
    """The value of every block that stands alone and is YAML; the others' faults are added to `faults`."""
    blocks: dict[str, Any] = {}
    for heading in seal.HEADINGS:
        if len(found.get(heading, [])) == 1:
            try:
                blocks[heading] = strict_yaml.load(found[heading][0])
            except UsageError as error:
                faults.append(f"{heading}: {_in_full(error)}")
    return blocks


def _in_full(error: UsageError) -> str:
    return f"{error.wrong} ({error.allowed})" if error.allowed else error.wrong


def _heading_of(fault: str) -> str:
    return fault.partition(":")[0].partition(".")[0]


def _limits(block: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    """The envelope in micro-dollars and seconds; unreadable values are added to `faults`."""
    names = ("backends", "allowed_flavors", "output_repos", "programs", "max_jobs", "max_parallel")
    limits: dict[str, Any] = {key: block[key] for key in (*names, "allow_deletes", "reserve_final")}
    limits["max_gpu_s"] = None
    if "max_gpu_hours" in block:
        faults.append(f"{ENVELOPE}.max_gpu_hours: no backend here counts GPU time (leave it out; max_walltime)")
    limits["deadline"] = _deadline(block["deadline"], faults) if "deadline" in block else None
    readers = (
        ("max_usd", "max_usd_micro", money.to_micro),
        ("max_walltime", "max_walltime_s", durations.parse),
        ("max_timeout", "max_timeout_s", durations.parse),
        ("expires", "expires_s", durations.parse),
    )
    for key, name, read in readers:
        try:
            limits[name] = read(block[key], key)
        except UsageError as error:
            faults.append(f"{ENVELOPE}.{_in_full(error)}")
    return limits


def _deadline(text: str, faults: list[str]) -> float | None:
    try:
        deadline = datetime.fromisoformat(text).timestamp()
        if deadline > 0:
            return deadline
    except (ValueError, OverflowError):
        pass
    faults.append(f"{ENVELOPE}.deadline: {text!r} is no date (2026-12-01T08:00+01:00)")
    return None


def _meaning(blocks: dict[str, Any], limits: dict[str, Any]) -> list[str]:
    """What no schema sees, over the blocks that are sound in themselves."""
    goal, run, scope = blocks.get("Goal"), blocks.get("Run"), blocks.get("Scope")
    faults = []
    if goal:
        faults += _goal_faults(goal, scope)
    if run:
        faults += _run_faults(run, limits) + _parameter_faults(run, scope)
        faults += placeholders.faults(goal, run, limits)
    if scope:
        both = set(scope["editable_files"]) & set(scope["sealed_files"] + scope["sealed_data"])
        faults += [f"Scope: {name} is both editable and sealed" for name in sorted(both)]
    return faults


def _goal_faults(goal: dict[str, Any], scope: dict[str, Any] | None) -> list[str]:
    faults = _pattern_faults("Goal.metric_pattern", goal["metric_pattern"])
    final = goal["final"]
    if final:
        faults += _pattern_faults("Goal.final.metric_pattern", final["metric_pattern"])
        faults += _script_faults("Goal.final.script", final["script"])
        if scope and final["script"] not in scope["sealed_files"]:
            faults.append("Scope.sealed_files: must hold Goal.final.script: what scores may not be edited")
    return faults


def _pattern_faults(place: str, pattern: str) -> list[str]:
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        return [f"{place}: {shown(pattern)} is no regular expression ({error})"]
    if groups == 1:
        return []
    return [f"{place}: {shown(pattern)} has {groups} groups (exactly one, around the number)"]


def _script_faults(place: str, script: str) -> list[str]:
    return [] if script.endswith(".py") else [f"{place}: {shown(script)} is no Python file (it ends in .py)"]


def _run_faults(run: dict[str, Any], limits: dict[str, Any]) -> list[str]:
    faults = _script_faults("Run.script", run["script"]) + _tracking_faults(run, limits)
    for key, among in (("backend", "backends"), ("flavor", "allowed_flavors")):
        if limits and run[key] not in limits[among]:
            faults.append(f"Run.{key}: {shown(run[key])} is not in {ENVELOPE}.{among}")
    try:
        timeout_s = durations.parse(run["timeout"], "timeout")
    except UsageError as error:
        return [*faults, f"Run.{_in_full(error)}"]
    if run["backend"] != placeholders.HERE and timeout_s < MINIMUM_S:
        least = durations.show(MINIMUM_S)
        faults.append(
            f"Run.timeout: {shown(run['timeout'])} would end before a paid machine has done anything ({least})"
        )
    if timeout_s > limits.get("max_timeout_s", timeout_s):
        faults.append(f"Run.timeout: {shown(run['timeout'])} is longer than {ENVELOPE}.max_timeout")
    return faults


def _tracking_faults(run: dict[str, Any], limits: dict[str, Any]) -> list[str]:
    space = tracking.space(run)
    if space is None:
        return []
    faults = []
    if run["backend"] != "hf":
        faults.append(f"Run.tracking: {shown(space)} needs backend hf: a job on this machine is offline (local)")
    if limits and not any(repo_matches(pattern, space) for pattern in limits["output_repos"]):
        faults.append(f"Run.tracking: {shown(space)} is not in {ENVELOPE}.output_repos")
    return faults


def _parameter_faults(run: dict[str, Any], scope: dict[str, Any] | None) -> list[str]:
    protected = scope["protected"] if scope else {}
    faults = []
    if run["seed_flag"] in protected:
        faults.append(f"Scope.protected: {run['seed_flag']} is the seed, which differs in every run")
    flags = [parameter["flag"] for parameter in run["parameters"].values()]
    for name, parameter in run["parameters"].items():
        place, flag = f"Run.parameters.{name}", parameter["flag"]
        if flag in protected or flag == run["seed_flag"]:
            faults.append(f"{place}: {flag} is protected or the seed, so it is no lever")
        if flags.count(flag) > 1:
            faults.append(f"{place}: {flag} is the flag of another parameter too")
        if parameter["kind"] != "choice":
            faults += [f"{place}: {told}" for told in _range_faults(parameter)]
    return faults


def _range_faults(parameter: dict[str, Any]) -> list[str]:
    low, high, is_int = parameter["low"], parameter["high"], parameter["kind"] == "int"
    faults = [] if low < high else ["low must be below high"]
    if is_int and not (float(low).is_integer() and float(high).is_integer()):
        faults.append("kind int needs whole numbers as low and high")
    if parameter.get("log") and low < (1 if is_int else 5e-324):
        faults.append("a log scale needs low above zero (1 or more for kind int)")
    return faults


def written(template: str, blocks: dict[str, Any]) -> str:
    """program.md's text: the template with its yaml blocks replaced by `blocks`, by heading."""
    for heading, block in blocks.items():
        head, mark, rest = template.partition(f"\n## {heading}\n")
        before, fence, after = rest.partition("```yaml\n")
        if not mark or not fence:
            raise ProgramError([f"the heading '## {heading}' with its yaml block is missing"], "the template")
        _, close, tail = after.partition("```\n")
        template = head + mark + before + fence + strict_yaml.dump(block) + close + tail
    return template
