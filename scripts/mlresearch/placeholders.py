"""What `{root}`, `{out}`, `{src}`, `{run}`, `{sealed}` and `{repo}` may stand for in program.md, by backend. Pure.

A job elsewhere sees no folder of this machine, and its own folder is gone when it ends. So it loads data from the Hub
by name and leaves its model in `{repo}`: a repository of its own inside `output_repos`, one a run, so that no run
writes over another's model. Sealed data never leaves this machine: a final scoring that reads it runs here and loads
the model from `{repo}`. A final scoring that reads none of this machine's files runs where training runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HERE = "local"
HERE_FLAVOR = "cpu"
TOKEN = "HF_TOKEN"  # a job needs it to write or read `{repo}`

LONGEST_NAME = 96  # of a repository on the Hub
_LONGEST_RUN = len("-".join(("c" * 8, "baseline", "4294967295")))

_OF_THIS_MACHINE = ("root", "sealed")


def has(args: Iterable[Any], *names: str) -> bool:
    """Whether one of the placeholders stands in the arguments."""
    return any("{" + name + "}" in str(arg) for arg in args for name in names)


def scores_here(goal: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether the final scoring runs on this machine although training does not."""
    return run["backend"] != HERE and bool(goal["final"]) and has(goal["final"]["args"], *_OF_THIS_MACHINE)


def repo(patterns: Iterable[str], campaign: str, experiment: str, seed: int) -> str | None:
    """The repository of one run, `owner/name-CAMPAIGN-EXPERIMENT-SEED`; None where no pattern has one `*`."""
    pattern = next(iter(_open(patterns)), None)
    return None if pattern is None else pattern.replace("*", f"{campaign}-{experiment}-{seed}")


def _open(patterns: Iterable[str]) -> list[str]:
    return [p for p in patterns if p.count("*") == 1 and len(p.partition("/")[2]) + _LONGEST_RUN <= LONGEST_NAME]


def faults(goal: Mapping[str, Any] | None, run: Mapping[str, Any], limits: Mapping[str, Any]) -> list[str]:
    """What can not work on the chosen backend, each with the allowed form."""
    found = [
        f"Run.args: {{{name}}} stands for what only Goal.final may read (no {{{name}}} here)"
        for name in ("run", "sealed")
        if has(run["args"], name)
    ]
    final = goal["final"] if goal else None
    if run["backend"] == HERE:
        places = [("Run.args", run["args"]), ("Goal.final.args", final["args"] if final else [])]
        told = "{repo} needs backend hf: a job on this machine is offline ({out}, and {run} in Goal.final.args)"
        return found + [f"{place}: {told}" for place, args in places if has(args, "repo")]
    found += _elsewhere(run, limits)
    return found + (_final_elsewhere(final["args"], run, limits) if final else [])


def _elsewhere(run: Mapping[str, Any], limits: Mapping[str, Any]) -> list[str]:
    found = []
    if has(run["args"], "root"):
        instead = "load data from the Hub by its name; {src} holds the files that travel with the job"
        found.append(f"Run.args: {{root}} is a folder of this machine, which a job on hf does not see ({instead})")
    if has(run["args"], "repo") and limits and not _open(limits["output_repos"]):
        told = "{repo} makes one repository a run, which no pattern of Budget envelope.output_repos allows"
        found.append(f"Run.args: {told} (owner/name-* with one *, at most {LONGEST_NAME - _LONGEST_RUN} characters)")
    if run["memory"] is not None:
        found.append("Run.memory: on backend hf a flavor brings its own (null)")
    return found


def _final_elsewhere(args: Sequence[Any], run: Mapping[str, Any], limits: Mapping[str, Any]) -> list[str]:
    found = []
    if has(args, "run"):
        found.append("Goal.final.args: {run} is gone when a job on hf ends ({repo}, and {repo} in Run.args)")
    elif not has(args, "repo"):
        found.append("Goal.final.args: nothing names the trained model ({repo}, and {repo} in Run.args)")
    elif not has(run["args"], "repo"):
        found.append("Run.args: Goal.final.args reads {repo}, and no run writes it ({repo} here too)")
    if has(args, *_OF_THIS_MACHINE) and limits:
        why = "Goal.final reads this machine's files, so it scores here"
        for key, needed in (("backends", HERE), ("allowed_flavors", HERE_FLAVOR)):
            if needed not in limits[key]:
                found.append(f"Budget envelope.{key}: {why} ({needed} among them)")
    return found
