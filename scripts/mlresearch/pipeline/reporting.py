"""A task's report: what was asked and done, what it cost, what came out; from the journal and the ledger alone.

Every number is one that a gate accepted or that the ledger booked; nothing is taken from a session's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlresearch import durations, money
from mlresearch.pipeline import bills, comparing, journal, steps
from mlresearch.pipeline.job_plans import is_folder, plan, trial_place
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.task import Output, State

_UNAPPROVED = "nothing is approved"  # how a gate's note begins that is about limits, not about a source


def path(task: str) -> str:
    return f"runs/{task}/report.md"


def verdict(state: State) -> str:
    """What may be said of the result beside its baseline; empty where there is none, or nothing was trained."""
    found, asked = state.results.get("evaluate"), state.results.get("plan")
    if found is None or asked is None or (found["baselineValue"] is None and not _trains(state)):
        return ""
    return comparing.verdict(found, asked["successMetric"]["direction"])


def _trains(state: State) -> bool:
    return PROFILES[state.results["plan"]["taskType"]].trains


def links(state: State) -> dict[str, str]:
    """Where the result is and can be seen: what it is, by place."""
    found = state.results.get("evaluate") or {}
    names = {"modelUrl": "model", "modelPath": "model", "evalUrl": "evaluation", "dashboardUrl": "dashboard"}
    return {str(found[key]): name for key, name in names.items() if found.get(key)}


def report(state: State, ended: Output) -> str:
    """The whole report; `ended` says how the task ended, as the journal's last row will have it."""
    parts = [*_head(state, ended), *_result(state), *_asked(state), *_recipe(state), *_model(state), *_data(state)]
    parts += [*_settings(state), *_jobs(state), *_alerts(state), *_failures(state), *_warnings(state)]
    parts += [*_unseen(state), *_links(state)]
    return "\n".join(parts) + "\n"


def _head(state: State, ended: Output) -> Iterator[str]:
    yield f"# {state.task.name}"
    yield ""
    yield f"> {_line(state.task.text)}"
    yield ""
    yield f"Ended: **{ended['reason']}**: {_line(ended['message'])}."
    yield f"Conforms: **{'yes' if ended['conforms'] else 'no'}**. Next: {_line(ended['next'])}."
    yield from (f"- missing: {_line(each)}" for each in ended["missing"])
    if ended["reason"] == "answered":
        yield from ("", "## Answer", "", str(ended.get("what", "")))


def _result(state: State) -> Iterator[str]:
    found = state.results.get("evaluate")
    if found is None:
        return
    yield from ("", "## Result", "")
    yield f"{comparing.measured(found)}."
    told = verdict(state)
    if told:
        yield f"**{told}.**"
    place = found.get("modelUrl") or found.get("modelPath")
    yield f"The model: {place or 'see the jobs'}. Measured by {found['jobId']}."


def _asked(state: State) -> Iterator[str]:
    plan = state.results.get("plan")
    if plan is None:
        return
    yield from ("", "## What was asked", "")
    yield from (f"- {name}: {value}" for name, value in plan["baseline"].items() if value is not None)
    yield f"- on backend {state.task.backend}; {bills.spending(state)}"
    yield from (f"- assumed: {_line(each)}" for each in plan["assumptions"])


def _recipe(state: State) -> Iterator[str]:
    found = state.results.get("research.recipe")
    if found is None:
        return
    best, sources = found["recipe"][0], found["sources"]
    yield from ("", "## The recipe", "")
    link = sources[best["source"]]["url"] if best["source"] < len(sources) else ""
    if best["result"] is None:
        yield f"It rests on no reported result: {_line(best['fits']).rstrip('.')}. The settings are from: {link}"
    else:
        yield f"{_line(best['result'])} ({best['model']}, {best['dataset']}, {best['method']}): {link}"
    yield _line(best["insight"])
    yield "What the source states (what was really used stands under the settings of the full job):"
    yield from (f"- {name}: {value}" for name, value in best["hyperparameters"].items())


def _model(state: State) -> Iterator[str]:
    found = state.results.get("resources.model")
    if found is None:
        return
    verified, count = found["verified"], found["parameters"]
    size = "number of parameters unknown" if count is None else f"{count:,} parameters"
    about = [size, *(f"{key} {verified[key]}" for key in ("revision", "licence") if verified[key])]
    yield from ("", "## The model", "", f"{verified['id']}: {', '.join(about)}.")


TRAINED = "gpu_preflight", "full_job"


def _alerts(state: State) -> Iterator[str]:
    """What the jobs warned of while they ran, and what the trials leave behind."""
    done = {step: state.results[step] for step in TRAINED if step in state.results}
    found = [(step, one) for step, output in done.items() for one in output["alerts"]]
    yield from ("", "Alerts while they ran:", "") if found else ()
    yield from (f"- {step}: {one['level']} {_line(one['title'])}, {_line(one['text'])}" for step, one in found)
    left = left_over(state)
    yield from ("", f"Left over: {left}, what the short job saved; a person may delete it.") if left else ()


def left_over(state: State) -> str | None:
    """The repository that the short job wrote; None where it wrote none."""
    made = state.results.get("implement")
    if made is None or "gpu_preflight" not in state.results or is_folder(str(made["persistenceDest"])):
        return None
    return trial_place(state.task, str(made["persistenceDest"]))


def _data(state: State) -> Iterator[str]:
    found = state.results.get("data_audit")
    if found is None:
        return
    yield from ("", "## The data", "")
    splits = ", ".join(f"{name} {'?' if rows is None else rows}" for name, rows in found["splits"].items())
    yield f"{found['dataset']}: {splits}."
    if found["mapping"]:
        yield f"Mapping: {', '.join(f'{old} from {new}' for old, new in found['mapping'].items())}."
    yield from (f"- {_line(each)}" for each in found["notable"])


def _settings(state: State) -> Iterator[str]:
    """What the full job was called with, changes after failures included."""
    job = plan(state, "full_job")
    if job is None:
        return
    has_run = "full_job" in state.results or "full_job" in state.failures
    yield from ("", f"## Settings of the full job{'' if has_run else ', which did not run'}", "")
    yield f"`{job.script}` on {job.backend} {job.flavor}, at most {durations.show(job.timeout_s)}:"
    yield ""
    yield from (f"- `{' '.join(words)}`" for words in _by_option(job.args))


def _by_option(args: Iterable[str]) -> list[list[str]]:
    """Each option with its values."""
    found: list[list[str]] = []
    for word in args:
        if word.startswith("--") or not found:
            found.append([])
        found[-1].append(_line(word))
    return found


def _jobs(state: State) -> Iterator[str]:
    known = bills.jobs(state)
    yield from ("", "## Jobs", "")
    if not known:
        yield "None ran."
        return
    yield "| job | step | where | ended | time | cost |"
    yield "|---|---|---|---|---|---|"
    for job in known:
        cells = (job.name, job.step, f"{job.backend} {job.flavor}", job.stage or "open", durations.show(job.billed_s))
        yield f"| {' | '.join(cells)} | {money.show(job.billed_micro)} |"
    elsewhere = [f"- {job.name}: {job.url}" for job in known if job.url.startswith("http")]
    yield from ("", *elsewhere) if elsewhere else ()
    yield ""
    yield f"Together: {bills.spending(state)}."


def _failures(state: State) -> Iterator[str]:
    past = [(step, failed) for step, failures in state.failures.items() for failed in failures]
    if past:
        yield from ("", "## What failed on the way", "")
    for step, failed in past:
        told = failed.analysis
        why = f"{_line(told['rootCause']).rstrip('.')}. The fix that was proposed: {_line(told['minimalFix'])}"
        yield f"- {step} ({failed.job or 'no job'}), {told['category']}: {why}"


def _warnings(state: State) -> Iterator[str]:
    """What critics found, did not block for, and nobody is known to have mended."""
    found = [
        (step, issue)
        for step, output in state.results.items()
        if steps.BY_NAME[step].schema == "critic"
        for issue in output["issues"]
        if issue["severity"] == "warn"
    ]
    if found:
        yield from ("", "## Warnings that were left standing", "")
    yield from (f"- {step}: {_line(issue['claim'])} ({_line(issue['evidence'])})" for step, issue in found)


def _unseen(state: State) -> Iterator[str]:
    """What a step could not see, as its answer or its gate said."""
    found = [(step, each) for step, output in state.results.items() for each in output.get("notSeen", ())]
    if state.results.get("research.recipe", {}).get("citationGraphFidelity") == "reduced":
        found.append(("research.recipe", "citing papers could not be followed in full"))
    found += [(step, note) for step, notes in _notes(state).items() for note in notes]
    if found:
        yield from ("", "## What could not be seen, and what the checks noted", "")
    yield from dict.fromkeys(f"- {step}: {_line(told)}" for step, told in found)


def _notes(state: State) -> dict[str, list[str]]:
    """What gates noted of the answers that stand, by step."""
    kept = dict[str, list[str]]()
    for row in journal.rows(state.task.root, state.task.name):
        if row["event"] == "accepted" and row["step"] in state.results:
            kept[row["step"]] = [note for note in row["notes"] if not note.startswith(_UNAPPROVED)]
    return kept


def _links(state: State) -> Iterator[str]:
    found = dict[str, str]()
    for output in state.results.values():
        found |= {str(one["where"]): str(one["what"]) for one in _objects(output.get("artifacts"))}
        found |= {str(one["url"]): str(one["title"]) for one in _objects(output.get("sources"))}
    found |= links(state)
    if found:
        yield from ("", "## Links", "")
    yield from (f"- {_line(what)}: {where}" for where, what in found.items())


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return value if isinstance(value, list | tuple) else ()


def _line(text: object) -> str:
    return " ".join(str(text).split())
