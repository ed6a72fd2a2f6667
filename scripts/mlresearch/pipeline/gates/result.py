"""Gates of checklist, evaluation and last look: every claim is derived again from ledger, logs and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from mlresearch import ledger
from mlresearch.backends import COMPLETED
from mlresearch.errors import Unavailable
from mlresearch.pipeline import conformity, script_scope
from mlresearch.pipeline.gates import code, ran
from mlresearch.pipeline.gates.looking import Look, last_object, same
from mlresearch.pipeline.job_plans import plan
from mlresearch.pipeline.profiles import PROFILES
from mlresearch.pipeline.task import Halt, Output, State, Verdict, World

Item = Callable[[State, World], str]


def readiness(state: State, output: Output, world: World) -> Verdict:
    """An item that is claimed and does not hold is refused; one that is honestly missing stops the task."""
    look = Look(state, world)
    claimed = {name: output[name]["ok"] for name in ITEMS}
    for name, item in ITEMS.items():
        wrong = item(state, world) if claimed[name] else ""
        look.expect(not wrong, f"{name}: claimed, and {wrong}")
    missing = [name for name, ok in claimed.items() if not ok]
    told = sorted(output["missing"])
    look.expect(told == sorted(missing), f"missing: {', '.join(told) or 'nothing'}, and not ok are {missing}")
    look.expect(output["allSatisfied"] == (not missing), f"allSatisfied: {output['allSatisfied']}")
    if look.faults or not missing:
        return look.verdict()
    why = "; ".join(f"{name}: {output[name]['evidence']}" for name in missing)
    return Halt("preflight_checklist_unsatisfied", why)


def _reference(state: State, world: World) -> str:
    faults = [fault for fault in _made_faults(state, world) if fault.startswith("reference")]
    return "; ".join(faults)


def _made_faults(state: State, world: World) -> list[str]:
    return code.made_faults(state, state.results["implement"], world)


def _dataset(state: State, world: World) -> str:
    audit, review = state.results.get("data_audit"), state.results.get("format_critic")
    if audit is None or review is None:
        return "the data was not audited"
    return "" if audit["formatCompatible"] and review["ok"] else "the audit of the data says otherwise"


def _preflight(state: State, world: World) -> str:
    name = state.results["gpu_preflight"]["jobId"]
    job = world.job(name)
    return "" if job is not None and job.stage == COMPLETED else f"{name} did not complete"


def _real_model(state: State, world: World) -> str:
    needed = plan(state, "gpu_preflight")
    facts = code.facts_now(state, needed) if needed is not None else "there is no short job"
    if isinstance(facts, str):
        return facts
    return "; ".join(fault for fault in script_scope.departures(code.asked(state), facts) if fault.startswith("model"))


def _destination(state: State, world: World) -> str:
    made = state.results["implement"]
    return "; ".join(code.destination_faults(state, made["persistenceDest"], Look(state, world).limits()))


def _time(state: State, world: World) -> str:
    """The steps of the full run at the speed that the short job measured, inside its limit."""
    needed, job = ran.full_plan(state), world.job(state.results["gpu_preflight"]["jobId"])
    least = code.minimum_s(state) if needed.backend != "local" else 0
    if needed.timeout_s < least:
        return f"{needed.timeout_s} s is less than {least} s"
    end = last_object(job.log) if job is not None else {}
    steps, seconds = end.get("steps"), end.get("seconds")
    if not isinstance(steps, int) or not isinstance(seconds, int | float) or steps < 1:
        return ""
    wanted = state.results["implement"]["expectedSteps"] * seconds / steps
    return "" if wanted <= needed.timeout_s else f"{wanted:.0f} s are needed at the measured speed"


def _monitoring(state: State, world: World) -> str:
    facts = code.facts_now(state, ran.full_plan(state))
    return facts if isinstance(facts, str) else "" if facts.monitoring else "no tracker is wired"


def _by_value(state: State, world: World) -> str:
    """The bytes that ran in the short job are those that will run, and they name no path of this machine."""
    needed, job = ran.full_plan(state), world.job(state.results["gpu_preflight"]["jobId"])
    if job is None or code.script_digest(state, needed.script) not in job.files.values():
        return f"the short job ran other bytes than {needed.script} has now"
    local = [fault for fault in _made_faults(state, world) if "path of this machine" in fault]
    return "; ".join(local)


# what a script calls the difference to the baseline, row by row
DIFFERENCES = ("difference", "difference_of_losses")

ITEMS: Mapping[str, Item] = {
    "referenceNamed": _reference,
    "datasetVerified": _dataset,
    "preflightPassed": _preflight,
    "realModelLoaded": _real_model,
    "persistenceConcrete": _destination,
    "timeoutSized": _time,
    "monitoringWired": _monitoring,
    "codeByValue": _by_value,
}


def evaluate(state: State, output: Output, world: World) -> Verdict:
    """The numbers are the log's, and what was saved is where it should be."""
    look = Look(state, world)
    if not output["evaluated"]:
        look.faults.append("evaluated: false (next: pipeline.py fail --phase evaluate, with a diagnosis)")
        return look.verdict()
    look.expect(output["confirmedWorks"], "confirmedWorks: false, and the evaluation is claimed done")
    metric = str(state.results["plan"]["successMetric"]["name"])
    look.expect(output["metric"] == metric, f"metric: {output['metric']}, and the plan's is {metric}")
    trained = "implement" in state.results
    done = ran.of_step(look, "evaluate", output["jobId"]) if trained else ran.without_plan(look, output["jobId"])
    if done is not None:
        _numbers(look, output, done.end, metric)
    if look.faults or done is None:
        return look.verdict()
    destination = _where(look, output, done.end)
    return look.verdict() if look.faults else _persisted(look, output, destination)


def _numbers(look: Look, output: Output, end: Mapping[str, Any], metric: str) -> None:
    told = measured(end, metric)
    if told is None:
        look.faults.append(f"the JSON line of {output['jobId']} tells no {metric}")
        return
    for key in ("value", "n", "stderr"):
        is_same = same(output[key], told.get(key))
        look.expect(is_same, f"{key}: {output[key]}, and the log says {told.get(key)}")
    look.expect(isinstance(told.get("value"), int | float), f"the log gives no number for {metric}")
    _beside(look, output, told, metric)
    is_told = (output["baselineWhat"] is None) == (output["baselineValue"] is None)
    look.expect(is_told, f"baselineWhat: {output['baselineWhat']}, and baselineValue is {output['baselineValue']}")


def _beside(look: Look, output: Output, told: Mapping[str, Any], metric: str) -> None:
    """The baseline, and the difference example by example where the script measured both on the same rows."""
    before = _before(look, output, told, metric)
    for key, name in (("baselineValue", "value"), ("baselineStderr", "stderr")):
        is_same = same(output[key], before.get(name))
        look.expect(is_same, f"{key}: {output[key]}, and the log says {before.get(name)}")
    known = (told.get(name) for name in DIFFERENCES) if before is told.get("baseline") else ()
    paired = next((found for found in known if isinstance(found, dict)), None)
    claimed = output["difference"]
    keys = ("value", "stderr")
    is_same = (claimed is None) == (paired is None)
    is_same = is_same and all(same((claimed or {}).get(key), (paired or {}).get(key)) for key in keys)
    found = None if paired is None else {key: paired.get(key) for key in keys}
    look.expect(is_same, f"difference: {claimed}, and the log says {found}")


def measured(end: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    """value, n, stderr and perhaps baseline of a metric, out of a script's last JSON line."""
    among = end.get("metrics")
    if isinstance(among, dict) and isinstance(among.get(metric), dict):
        found: Mapping[str, Any] = among[metric]
        return found
    return end if end.get("metric") == metric else None


def _before(look: Look, output: Output, told: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """What was measured of the baseline: by a job of its own where one is named, else on the same line."""
    name = output["baselineJobId"]
    if name is None or name == output["jobId"]:
        baseline = told.get("baseline")
        return baseline if isinstance(baseline, dict) else {}
    job = look.world.job(name)
    if job is None or job.stage != COMPLETED:
        look.faults.append(f"baselineJobId: {name} is no job of the ledger that completed")
        return {}
    of_result = look.world.job(output["jobId"])
    is_same = of_result is not None and dict(job.files) == dict(of_result.files)
    look.expect(is_same, f"baselineJobId: {name} ran another script than {output['jobId']}")
    return measured(last_object(job.log), metric) or {}


def _where(look: Look, output: Output, end: Mapping[str, Any]) -> str:
    """What there must be: what the implementation saves, what was measured, or the data that was built."""
    url, path = output["modelUrl"], output["modelPath"]
    given = path or (url or "").partition("://")[2].partition("/")[2].removeprefix("datasets/").rstrip("/")
    look.expect(given, "modelUrl, modelPath: both null, and a result is somewhere")
    made, state = look.state.results.get("implement"), look.state
    if made is not None:
        wanted = str(made["persistenceDest"])
    elif PROFILES[state.results["plan"]["taskType"]].builds_data_only:
        wanted = str(end.get("output", ""))
    else:
        wanted = str(code.asked(state)["model"])
    is_same = _from_here(look.root, given) == _from_here(look.root, wanted)
    look.expect(is_same, f"modelUrl, modelPath: {given}, and the job saves to {wanted}, or measured that")
    return given


def _from_here(root: str, place: str) -> str:
    """A path below the project as one from there; an owner/name as it is."""
    path = place.rstrip("/")
    return os.path.relpath(os.path.realpath(path), os.path.realpath(root)) if path.startswith("/") else path


def _persisted(look: Look, output: Output, destination: str) -> Verdict:
    try:
        is_there = look.world.saved(destination)
    except Unavailable as error:
        look.faults.append(f"{destination} can not be looked up now: {error.wrong}; complete again later")
        return look.verdict()
    return look.verdict() if is_there else Halt("not_persisted", destination)


def final_verification(state: State, output: Output, world: World) -> Verdict:
    """A critic may find more than code does, never less."""
    look = Look(state, world)
    wrong = conformity.missing(state, world)
    told = "\n".join(output["missing"]).lower()
    for name, what in wrong.items():
        look.expect(name.lower() in told, f"missing: {name} is left out: {what}")
    is_whole = not output["missing"] and not wrong
    look.expect(output["conforms"] == is_whole, f"conforms: {output['conforms']} with {len(wrong)} criteria unmet")
    _artifacts(look, output)
    return look.verdict()


def _artifacts(look: Look, output: Output) -> None:
    """Every address answers, every path is there, and the result itself is among them."""
    jobs = {row.get("url") for row in ledger.rows(look.root)}
    for number, artifact in enumerate(output["artifacts"]):
        where, place = artifact["where"], f"artifacts.{number}"
        if "://" in where and where in jobs:  # as the backend gave it
            continue
        if "://" in where:
            look.resolves(place, "web", where)
        else:
            look.expect(conformity.is_here(look.root, where), f"{place}: {where} is not there")
    made = look.state.results.get("implement")
    if made is not None:
        destination = made["persistenceDest"]
        is_named = any(destination in artifact["where"] for artifact in output["artifacts"])
        look.expect(is_named, f"artifacts: {destination}, the result itself, is left out")
