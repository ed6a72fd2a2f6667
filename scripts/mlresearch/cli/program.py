"""program.py: write, check, show, approve and revoke the contract of a campaign."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlresearch import durations, ledger, money, program, seal, store
from mlresearch.campaign import approval
from mlresearch.campaign.rules import final_runs
from mlresearch.cli import Answer, main, project, project_or_here, record_session
from mlresearch.envelope import START_ALLOWANCE_S, Spent, left
from mlresearch.errors import GateError, NotFound, UsageError
from mlresearch.guard.situations import Machine
from mlresearch.jobs.prices import FREE_BACKENDS
from mlresearch.options import Values
from mlresearch.pipeline import drafting, fold, journal, needs
from mlresearch.pipeline.needs import Need
from mlresearch.program import Program

TEMPLATE = Path(__file__).parents[3] / "program.template.md"


def init(values: Values) -> Answer:
    target = Path(os.getcwd()) / seal.PROGRAM
    if target.exists():
        raise UsageError(f"{target} exists", "a folder without one", "program.py check")
    store.put_text(str(target), TEMPLATE.read_text(encoding="utf-8"))
    return Answer({"written": str(target)}, f"wrote {target}; fill it in, then program.py check")


def check(values: Values) -> Answer:
    root = _root()
    read = program.load(root)
    notes = [] if _task(root) else warnings(read)
    told = "\n".join([f"program.md is in order; digest {read.digest[:16]}", *notes])
    return Answer({"ok": True, "digest": read.digest, "notes": notes}, told)


def _root() -> str:
    """The project; where a task has no program.md the refusal says why, and where it went."""
    try:
        return project()
    except UsageError as error:
        raise _of_a_task() or error from None


def _of_a_task() -> UsageError | None:
    """Why the task that was begun last here has no program.md in the project's folder; None where there is no task."""
    root = journal.root_above(os.path.realpath(os.getcwd()))
    if root is None:
        return None
    name = journal.tasks(root)[-1]
    kept = journal.folder(root, name) / seal.PROGRAM
    if kept.is_file():
        told = f"program.md was closed with the task {name}; it stands at {os.path.relpath(kept, root)}"
        return UsageError(told, "an open task, or a campaign", f"pipeline.py status --task {name}")
    told = f"the task {name} has no program.md"
    return UsageError(told, "a task whose plan is accepted", f"pipeline.py status --task {name}")


def show(values: Values) -> Answer:
    root = _root()
    read = program.load(root)
    state = seal.state(root, seal.load(root), time.time())
    ceiling = ceiling_micro(read)
    data: dict[str, Any] = {
        "root": root,
        "state": state,
        "digest": read.digest,
        "limits": read.limits,
        "worst_case_usd": approval.worst_case_micro(read) / money.MICRO,
        "one_run_usd": None if ceiling is None else ceiling / money.MICRO,
        "left": _left(root, read),
    }
    task = _task(root)
    if task is not None:
        data |= {"task": task, "needs": [asdict(need) for need in _needs(root, task)]}
    return Answer(data, _shown(root, read, state))


def _left(root: str, read: Program) -> str:
    """What the envelope still holds; jobs from before a campaign's approval are not charged to it."""
    standing = ledger.standing(root)
    return left(read.envelope, standing.spent() if approval.goes_on(root, standing, read) else Spent())


def _shown(root: str, read: Program, state: str) -> str:
    limits, goal = read.envelope, read.blocks["Goal"]
    lines = [
        f"{root}: {state}",
        f"goal          {goal['direction']} {goal['metric']}",
        f"may spend     at most {money.show(limits.max_usd_micro)}",
        f"jobs          at most {limits.max_jobs}, {limits.max_parallel} at once",
        f"job time      at most {durations.show(limits.max_walltime_s)}, {durations.show(limits.max_timeout_s)} each",
        f"room          {_room(read)}",
        f"one run       {_one_run(read)}",
        f"where         {', '.join(limits.backends) or 'nowhere'} on {', '.join(limits.allowed_flavors) or 'nothing'}",
        f"publishes to  {', '.join(limits.output_repos) or 'nothing'}",
        f"deletes       {'what is in there' if limits.allow_deletes else 'nothing'}",
        *_scope(read),
        f"expires       {durations.show(read.expires_s)} after approval",
        f"left          {_left(root, read)}",
        f"digest        {read.digest[:16]}",
    ]
    task = _task(root)
    lines = _of_task(root, read, lines, task) if task else [*lines, *warnings(read)]
    if state != "sealed":
        lines.append(f"to approve: program.py approve --digest {read.digest[:16]}")
    return "\n".join(lines)


def _task(root: str) -> str | None:
    """The task that program.md was drafted for: it has no experiments, and each of its jobs its own time limit."""
    return drafting.task_of(seal.read_program(root) or "")


def _of_task(root: str, read: Program, lines: list[str], task: str) -> list[str]:
    """The same limits with what each is for, and without what only experiments have."""
    left_out = ("room ", "one run ", "experiments ")
    kept = [line for line in lines if not line.startswith(left_out)]
    place = next(number for number, line in enumerate(kept) if line.startswith("job time ")) + 1
    kept[place:place] = [f"for           {told}" for told in _uses(root, read, task)]
    return [kept[0], f"task          {task}: pipeline.py status", *kept[1:]]


def _uses(root: str, read: Program, task: str) -> list[str]:
    """What a task's limits are for; nothing where its record can not be read."""
    found = _needs(root, task)
    told = [str(need) for need in found]
    if found:
        told.append("runs count every new try (memory has four rungs); one of evaluate may be for the baseline")
    if any(need.flavor for need in found):
        told.append("the longest time limit is for a job that ran out of time and gets more")
    elif any(need.step == "full_job" for need in found):
        told.append("time limits are guesses until the scripts are written; pipeline.py next then drafts closer ones")
    if read.envelope.max_usd_micro == 0 and set(read.envelope.backends) <= set(FREE_BACKENDS):
        told.append("no dollars: jobs on this machine are free")
    return told


def _needs(root: str, task: str) -> tuple[Need, ...]:
    """The jobs that are still to come, as often as each may run."""
    try:
        state = fold.state(journal.rows(root, task))
    except (GateError, NotFound):
        return ()
    return needs.needs(state) if "plan" in state.results and state.stopped is None else ()


def _scope(read: Program) -> list[str]:
    """What may change, what may not, and how a gain is judged: a person approves these too."""
    scope, rule = read.blocks["Scope"], read.blocks["Keep or discard"]
    levers = ", ".join(read.blocks["Run"]["parameters"]) or "none"
    return [
        f"edits         {', '.join(scope['editable_files']) or 'no file'}; levers {levers}",
        f"fixed         {', '.join(scope['sealed_files']) or 'no file'}",
        f"taken away    {', '.join(scope['sealed_data']) or 'no file'} (until the end; kept outside the project)",
        f"experiments   at most {rule['max_experiments']}; {rule['baseline_seeds']} baseline seeds, "
        f"{rule['confirm_seeds']} to confirm, {rule['final_seeds']} at the end",
    ]


def _room(read: Program) -> str:
    rule, limits = read.blocks["Keep or discard"], read.envelope
    final = _final_jobs(read)
    kept = max(final, limits.max_jobs - int(limits.max_jobs * (1 - limits.reserve_final)))
    free = max(0, limits.max_jobs - rule["baseline_seeds"] - kept) // (1 + rule["confirm_seeds"])
    fit = min(free, rule["max_experiments"])
    return (
        f"{rule['baseline_seeds']} jobs for the baseline, {kept} for the end: {fit} confirmed experiments fit between"
    )


def _one_run(read: Program) -> str:
    """What is reserved for each run: its timeout and what a start may take beside it."""
    run = read.blocks["Run"]
    timeout_s = durations.parse(run["timeout"])
    start_s = START_ALLOWANCE_S.get(run["backend"], 0)
    told = f"on {run['backend']} {run['flavor']} for {durations.show(timeout_s)}"
    told += f" and a start of {durations.show(start_s)}" if start_s else ""
    ceiling = ceiling_micro(read)
    if ceiling is None:
        return f"{told}; its price was not read today: jobs.py hardware --backend {run['backend']}"
    return f"at most {money.show(ceiling)} {told}"


def ceiling_micro(read: Program) -> int | None:
    """The most one run can cost at the price that was read last; None for a price that was not read today."""
    run = read.blocks["Run"]
    backend = run["backend"]
    known = Machine("", None, "", time.time()).prices().get(backend, {})
    price = 0 if backend in FREE_BACKENDS else known.get(run["flavor"])
    reserved_s = durations.parse(run["timeout"]) + START_ALLOWANCE_S.get(backend, 0)
    return None if price is None else money.job_ceiling(1, reserved_s, price)


def _final_jobs(read: Program) -> int:
    return final_runs({"goal": read.blocks["Goal"], "criteria": read.blocks["Keep or discard"]})


def warnings(read: Program) -> list[str]:
    """What is allowed and will disappoint."""
    rule, limits = read.blocks["Keep or discard"], read.envelope
    final = _final_jobs(read)
    least = rule["baseline_seeds"] + 1 + rule["confirm_seeds"] + final
    ceiling = ceiling_micro(read) or 0
    if ceiling * min(limits.max_parallel, least) > limits.max_usd_micro:
        fit = limits.max_usd_micro // ceiling
        told = f"{money.show(limits.max_usd_micro)} holds the reservations of {fit} runs at a time, not of max_parallel"
        return [f"note          {told}"]
    if limits.max_jobs >= least:
        return []
    needs = f"{rule['baseline_seeds']} for the baseline, {1 + rule['confirm_seeds']} an experiment, {final} at the end"
    return [f"note          {limits.max_jobs} jobs leave no room for one confirmed experiment: it takes {needs}"]


def approve(values: Values) -> Answer:
    root = _root()
    done = approval.approve(root, values.need("digest"))
    record_session(root)
    following = "pipeline.py next" if _task(root) else "campaign.py start"
    return Answer(done, f"approved campaign {done['campaign']}: at most {done['worst_case']}; next: {following}")


def revoke(values: Values) -> Answer:
    done = approval.revoke(project_or_here())
    return Answer(done, f"campaign {done['campaign']} may spend nothing more")


def run(argv: list[str] | None = None) -> int:
    handlers = {"init": init, "check": check, "show": show, "approve": approve, "revoke": revoke}
    return main("program.py", handlers, argv)
