"""pipeline.py: one machine-learning task through its phases; each answer is checked before the next step opens."""

from __future__ import annotations

import os
import re
from typing import Any

from mlresearch import backends, money, store
from mlresearch.cli import Answer, main, record_session
from mlresearch.errors import GateError, ResearchError, UsageError, shown
from mlresearch.options import Values
from mlresearch.pipeline import bills, briefs, closing, drafting, engine, journal, reporting, upkeep
from mlresearch.pipeline.fold import way
from mlresearch.pipeline.task import Accept, Halt, SendBack, State, Verdict, World

COST_CAP_USD, JOB_RETRIES, MOST_RETRIES = "10", 3, 20
_HF_JOBS = re.compile(r"\b(?:hf|hugging ?face)[ -]jobs?\b", re.IGNORECASE)
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def start(values: Values) -> Answer:
    root, text = _root(), " ".join(values.many("task"))
    backend = values.text("backend") or ("hf" if _HF_JOBS.search(text) else "local")
    drafting.require_free(root, lambda name: name in journal.tasks(root) and engine.is_closed(engine.load(root, name)))
    state = engine.start(
        root,
        text,
        model=values.text("model"),
        dataset=values.text("dataset"),
        hub_org=_owner(values, root, backend),
        smoke_model=values.text("smoke_model"),
        backend=backend,
        cost_cap_micro=money.to_micro(values.text("cost_cap_usd") or COST_CAP_USD, "--cost-cap-usd"),
        max_job_retries=_retries(values),
    )
    record_session(root)
    name = state.task.name
    data = {"task": name, "backend": backend, "work": f"work/{name}", "runs": f"runs/{name}", "todo": list(state.todo)}
    return Answer(data, f"{name} is open; its jobs run on backend {backend}; next: pipeline.py next")


def _retries(values: Values) -> int:
    given = values.text("max_job_retries")
    if given is None:
        return JOB_RETRIES
    if not (given.isascii() and given.isdigit() and len(given) < 4 and 1 <= int(given) <= MOST_RETRIES):
        raise UsageError(f"--max-job-retries {shown(given)} is no count", f"a whole number from 1 to {MOST_RETRIES}")
    return int(given)


def _owner(values: Values, root: str, backend: str) -> str | None:
    """Who is billed and gets what is uploaded: the one given, else the token's account."""
    given = values.text("hub_org")
    if given is not None and not _OWNER.fullmatch(given):
        raise UsageError(f"--hub-org {shown(given)} is no name of an account", "letters, digits, dots, _ and -")
    if given is not None or backend == "local":
        return given
    try:
        return backends.get(backend, root).namespace(None)
    except ResearchError as error:
        raise UsageError(f"who is billed is not known here: {error.wrong}", "--hub-org OWNER") from None


def _root() -> str:
    """The nearest folder from here upwards that holds a task or an approval; this one when there is none."""
    here = os.path.realpath(os.getcwd())
    return journal.root_above(here) or next(iter(store.sealed_roots_above(here)), here)


def _chosen(values: Values) -> tuple[str, str]:
    root = _root()
    return root, engine.chosen(root, values.text("task"))


def following(values: Values) -> Answer:
    root, name = _chosen(values)
    record_session(root)  # a later session goes on with the task, and its submits are the task's own
    state = upkeep.tend(root, name)
    if state.stopped is not None:
        return _ended(state)
    pages = briefs.briefs(state)
    if not pages:
        told = "every step is done; next: pipeline.py finalize"
        return Answer({"task": name, "do": "finalize", "briefs": []}, f"{name}: {told}")
    together = f"{len(pages)} steps are open; agents may do them at the same time\n\n" if len(pages) > 1 else ""
    data = {"task": name, "do": "steps", "briefs": [page.as_dict() for page in pages]}
    return Answer(data, f"task {name}\n{together}" + "\n\n".join(map(briefs.text, pages)))


def _ended(state: State) -> Answer:
    assert state.stopped is not None
    stopped, closed = state.stopped, engine.is_closed(state)
    do = "nothing" if closed else "finalize"
    data = {"task": state.task.name, "do": do, "stopped": dict(stopped), "briefs": []}
    told = f"{state.task.name} has ended ({stopped['reason']}): {stopped['message']}"
    told += f"; what a person can do: {stopped['next']}"
    return Answer(data, told if closed else f"{told}; next: pipeline.py finalize")


def complete(values: Values) -> Answer:
    root, name = _chosen(values)
    world, step = _world(root), values.need("phase")
    verdict = engine.complete(root, name, step, values.need("output"), world)
    return _followed(root, name, world, _verdict(step, verdict))


def _verdict(step: str, verdict: Verdict) -> dict[str, Any]:
    if isinstance(verdict, Accept):
        return {"step": step, "verdict": "accepted", "notes": list(verdict.notes)}
    if isinstance(verdict, SendBack):
        return {
            "step": step,
            "verdict": "sent back",
            "to": verdict.step,
            "issues": [dict(one) for one in verdict.issues],
        }
    assert isinstance(verdict, Halt)
    return {"step": step, "verdict": "stopped", "reason": verdict.reason}


def fail(values: Values) -> Answer:
    root, name = _chosen(values)
    world, step = _world(root), values.need("phase")
    answer = engine.fail(root, name, step, values.need("analysis"), world)
    told = {"step": step, "verdict": "granted" if answer.reason is None else "stopped", "reason": answer.reason}
    return _followed(root, name, world, told)


def _followed(root: str, name: str, world: World, told: dict[str, Any]) -> Answer:
    """What was decided and what comes next; a task that stopped is closed at once, unless a job of it is open."""
    state, open_jobs = upkeep.tend(root, name), ""
    if state.stopped is not None:
        try:
            state = closing.finalize(root, name, world)
        except GateError as error:
            open_jobs = str(error)
    data = {"task": name, **told, "todo": list(state.todo), "stopped": dict(state.stopped) if state.stopped else None}
    words = [f"{told['step']}: {told['verdict']}", *(f"note: {note}" for note in told.get("notes", ()))]
    if state.stopped is not None:
        stopped = state.stopped
        words.append(f"the task has ended ({stopped['reason']}): {stopped['message']}")
        words.append(f"what a person can do: {stopped['next']}")
        words.append(f"not closed yet: {open_jobs}" if open_jobs else f"report: {reporting.path(name)}")
    else:
        words.append(
            f"next: pipeline.py {'next' if state.todo else 'finalize'} (open: {', '.join(state.todo) or 'none'})"
        )
    return Answer(data, "\n".join(words))


def _world(root: str) -> World:
    from mlresearch.pipeline.world import Present  # with what reads data and papers: a second that `next` does without

    return Present(root)


def status(values: Values) -> Answer:
    root, name = _chosen(values)
    state = engine.load(root, name)
    known = bills.jobs(state)
    data = {
        "task": name,
        "text": state.task.text,
        "backend": state.task.backend,
        "done": list(state.results),
        "todo": list(state.todo),
        "failures": {step: len(past) for step, past in state.failures.items()},
        "jobs": [{"job": job.name, "step": job.step, "stage": job.stage} for job in known],
        "spent_usd": _usd(bills.spent_micro(known)),
        "approved_usd": _usd(bills.approved_micro(state)),
        "cost_cap_usd": state.task.cost_cap_micro / money.MICRO,
        "stopped": dict(state.stopped) if state.stopped is not None else None,
    }
    return Answer(data, _standing(state))


def _standing(state: State) -> str:
    lines = [f"{state.task.name}: {state.task.text}"]
    for step in way(state.results):
        mark = "done" if step.name in state.results else "open" if step.name in state.todo else "    "
        failed = len(state.failures.get(step.name, ()))
        lines.append(f"  {mark}  {step.name}: {step.title}{f' ({failed} failed)' if failed else ''}")
    lines.append(f"{bills.spending(state)}; backend {state.task.backend}")
    if state.stopped is not None:
        lines.append(f"ended ({state.stopped['reason']}): {state.stopped['message']}")
    return "\n".join(lines)


def finalize(values: Values) -> Answer:
    root, name = _chosen(values)
    state = closing.finalize(root, name, _world(root), stop=values.text("stop"))
    assert state.stopped is not None
    data = {
        "task": name,
        "report": reporting.path(name),
        **state.stopped,
        "compared": reporting.verdict(state),
        "links": reporting.links(state),
        "spent_usd": _usd(bills.spent_micro(bills.jobs(state))),
        "approved_usd": _usd(bills.approved_micro(state)),
    }
    return Answer(data, "\n".join(closing.last_lines(state)))


def _usd(micro: int | None) -> float | None:
    return None if micro is None else micro / money.MICRO


def run(argv: list[str] | None = None) -> int:
    handlers = {
        "start": start, "next": following, "complete": complete, "fail": fail, "status": status, "finalize": finalize,
    }  # fmt: skip
    return main("pipeline.py", handlers, argv)
