"""The literal command lines that a step's brief shows, with the task's values filled in. Runs none of them.

Lookups are written so that their answer lands in an evidence file under work/: the gates read those files. Words in
capitals (QUERY, PAPER, PAGE) are for the agent to fill in.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlresearch.pipeline import derived
from mlresearch.pipeline.job_plans import PLUGIN, REPO, SAVED, SCRIPTS, is_folder, plan, rehearsal
from mlresearch.pipeline.paying import Approval, Submitted, is_unchanged
from mlresearch.pipeline.profiles import BUILT_IN, DOCUMENTED, PROFILES, Profile
from mlresearch.pipeline.task import State
from mlresearch.surface import SURFACE

_SUBMIT = "submit, alone in its call; it prints the job's id, J below"
TEMPLATES = f"{PLUGIN}/skills/ml-research-task/templates/"


@dataclass(frozen=True)
class Line:
    why: str
    command: str

    def as_dict(self) -> dict[str, str]:
        return {"why": self.why, "command": self.command}


# step to (why, script, words, evidence file); {…} is filled in by `_values`
_Spec = tuple[str, str, str, str]
_LANDMARK: Sequence[_Spec] = (
    ("find papers", "papers.py", "search QUERY", "search.json"),
    ("open one", "papers.py", "details PAPER", "details-PAPER.json"),
    ("its sections", "papers.py", "read PAPER", "sections-PAPER.json"),
    ("one or more of them (--section repeats)", "papers.py", "read PAPER --section S", "read-PAPER-S.json"),
)
_CITATIONS: Sequence[_Spec] = (
    ("who built on it", "papers.py", "cites PAPER --influential", "cites-PAPER.json"),
    ("what it rests on", "papers.py", "references PAPER", "references-PAPER.json"),
    ("open one", "papers.py", "details PAPER", "details-PAPER.json"),
    ("read its method", "papers.py", "read PAPER --section S", "read-PAPER-S.json"),
)
_EXAMPLES: Sequence[_Spec] = (
    ("documentation; `hf_docs.py list` names the libraries", "hf_docs.py", "search {documented}", "docs-search.json"),
    ("one page; of a long one, a section (#N)", "hf_docs.py", "fetch PAGE --section S", "docs-PAGE-S.json"),
    ("working code", "code_search.py", "find QUERY --language python", "code-search.json"),
    ("one file", "code_search.py", "read OWNER/NAME PATH", "code-NAME.json"),
)
_DATASETS: Sequence[_Spec] = (
    ("what a paper links to", "papers.py", "linked PAPER", "linked-PAPER.json"),
    ("one data set", "inspect_dataset.py", "show --dataset {dataset}{judged}", "dataset.json"),
    ("a candidate", "inspect_dataset.py", "show --dataset OWNER/NAME{judged}", "dataset-NAME.json"),
)
_MODEL: Sequence[_Spec] = (
    ("the model", "inspect_model.py", "show --model {model}{sized}", "model.json"),
    ("hardware and prices", "jobs.py", "hardware --backend {backend}", "hardware.json"),
)
_DATA: Sequence[_Spec] = (
    ("the data set", "inspect_dataset.py", "show --dataset {dataset}{judged}", "dataset.json"),
    (
        "its lengths in tokens, where the model has a tokenizer.json",
        "inspect_dataset.py",
        "show --dataset {dataset}{judged}{counted}",
        "dataset-tokens.json",
    ),
)

_LOOKUPS: Mapping[str, Sequence[_Spec]] = {
    "research.landmark": _LANDMARK,
    "research.citations": _CITATIONS,
    "research.examples": _EXAMPLES,
    "research.datasets": _DATASETS,
    "verify_research": (*_LANDMARK[1:], *_EXAMPLES[1:2], *_EXAMPLES[3:], *_DATASETS[1:2]),
    "resources.model": _MODEL,
    "resources.dataset": _DATA,
    "data_audit": _DATA,
    "format_critic": _DATA,
    "implement": (*_EXAMPLES[:2], *_MODEL[1:]),
    "code_review": _EXAMPLES[:2],
    "readiness": (("what was spent, and which job is which", "jobs.py", "list", ""),),
    "final_verification": (
        ("every job", "jobs.py", "list", ""),
        ("the ledger is whole", "campaign.py", "verify", ""),
        ("what was spent", "pipeline.py", "status", ""),
        ("one job's log", "jobs.py", "logs --job J", ""),
        ("what is saved", "hub.py", "list --repo-id {saved}", ""),
        ("a paper", "papers.py", "details PAPER", "details-PAPER.json"),
    ),
}  # fmt: skip


def lookups(state: State, step: str) -> list[Line]:
    """What the step may look up, each with where its answer goes. One that is not installed here is left out."""
    values, folder = _values(state), derived.evidence(state.task.name, step)
    found = []
    for why, script, words, evidence in _LOOKUPS.get(step, ()):
        verb = SURFACE.get(script, {}).get(words.partition(" ")[0])
        if verb is None or (values["model"] == BUILT_IN and script == "inspect_model.py"):
            continue
        needed = [values[name] for name in ("saved", "counted") if f"{{{name}}}" in words]
        if not all(needed):
            continue
        line = f"{SCRIPTS}{script} {words.format_map(values)}"
        can_save = any(option.flag == "--save" for option in verb.options)
        saved = f" --save {folder}/{evidence}" if can_save else f" --json > {folder}/{evidence}"
        found.append(Line(why, line + saved if evidence else line))
    return found


def _values(state: State) -> dict[str, str]:
    plan_, made = state.results.get("plan"), state.results.get("implement")
    asked = plan_["baseline"] if plan_ is not None else {"model": None, "dataset": None, "method": None}
    found = {kind: _verified(state, kind) or asked[kind] for kind in ("model", "dataset")}
    method, model = asked["method"] or "", str(found["model"] or "OWNER/NAME")
    judged = method not in ("", "eval", "data", "other")
    return {
        "model": model,
        "dataset": str(found["dataset"] or "OWNER/NAME"),
        "saved": "" if made is None or is_folder(str(made["persistenceDest"])) else str(made["persistenceDest"]),
        "documented": DOCUMENTED.get(method, "QUERY"),
        "sized": f" --method {_weights(asked)}" if method else "",
        "judged": f" --method {method}" if judged else "",
        "counted": f" --tokenizer {model}" if _reads_text(plan_) and REPO.fullmatch(model) else "",
        "backend": state.task.backend if made is None else str(state.task.backend),
    }


def _reads_text(plan_: Mapping[str, Any] | None) -> bool:
    return plan_ is not None and plan_["taskType"] in ("llm", "classification", "embedding", "eval")


def _weights(asked: Mapping[str, str | None]) -> str:
    """Which memory counts: what is trained of the model, as inspect_model.py names it."""
    if asked["method"] in ("eval", "data"):
        return "inference"
    return asked.get("adapter") or ("lora" if asked["method"] in PROFILES["llm"].methods else "full")


def _verified(state: State, kind: str) -> str | None:
    found = state.results.get(f"resources.{kind}")
    return None if found is None else str(found["verified"]["id"])


def profile(state: State) -> Profile | None:
    found = state.results.get("plan")
    return PROFILES.get(str(found["taskType"])) if found is not None else None


def templates(state: State) -> list[Line]:
    """The plugin's own scripts for this kind of task, to be copied and then adapted."""
    kind, folder = profile(state), f"work/{state.task.name}"
    if kind is None:
        return []
    train, evaluate = kind.templates(state.baseline["method"])
    found = [("train.py", train), ("evaluate.py", evaluate)]
    return [Line("start from the template", f"cp {TEMPLATES}{name} {folder}/{to}") for to, name in found if name]


def approving(found: Approval) -> list[Line]:
    """How the approval is asked for; only a person gives it."""
    if found.faults:
        return [Line("mend program.md with the person", f"{SCRIPTS}program.py check")]
    return [
        Line("it must be in order", f"{SCRIPTS}program.py check"),
        Line("what the person reads", f"{SCRIPTS}program.py show"),
        Line(
            "ask the person; they answer the question it raises", f"{SCRIPTS}program.py approve --digest {found.digest}"
        ),
    ]


def running(state: State, step: str, held: Submitted | None) -> list[Line]:
    """Submit, watch and read the step's job; one that was submitted already is only watched."""
    job = plan(state, step)
    if job is None and held is None:
        return _unplanned(state) if step == "evaluate" else []
    if held is not None and not held.is_known:
        return [Line(f"the submit of {held.job} was cut short: does it run?", f"{SCRIPTS}jobs.py reconcile")]
    if held is None and job is not None and is_unchanged(state, step, job):
        return []
    submit = [Line(_SUBMIT, job.command)] if held is None and job is not None else []
    tried = _rehearsed(state) if step == "cpu_smoke" else []
    return [*submit, *_watching(held, is_short=step == "cpu_smoke"), *tried]


def _rehearsed(state: State) -> list[Line]:
    """An evaluation that does not run is found before anything is paid for."""
    job = rehearsal(state)
    if job is None:
        return []
    where = f"{SAVED}: runs/jobs/J/out, or the folder in it that holds what was saved"
    why = f"the evaluation may be tried too, for nothing; it is not handed in ({where})"
    return [Line(why, job.command)]


def _watching(held: Submitted | None, is_short: bool) -> list[Line]:
    name, lines = held.job if held is not None else "J", []
    wait = f"{SCRIPTS}jobs.py wait --job {name}"
    if held is None or held.stage is None:
        lines += [] if is_short else [Line("it has begun well", f"{wait} --until healthy --for 9m")]
        lines.append(Line("its end; repeat until it is done", f"{wait} --until done --for 9m"))
    return [*lines, Line("its whole log", f"{SCRIPTS}jobs.py logs --job {name}")]


def _unplanned(state: State) -> list[Line]:
    """A profile without training has no implement step: the script is written here, then run like any job."""
    task, kind = state.task, profile(state)
    script = "build.py" if kind is not None and kind.builds_data_only else "evaluate.py"
    words = ["submit", "--backend", task.backend, "--script", f"work/{task.name}/{script}", "--flavor", "FLAVOR"]
    line = f"{SCRIPTS}jobs.py {shlex.join([*words, '--timeout', '30m'])} --arg=…"
    return [Line(_SUBMIT, line), *_watching(None, is_short=True)]
