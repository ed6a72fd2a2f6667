"""jobs.py watch and news: waiting that costs nothing, and one answer to what happened meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlresearch import durations, ledger, money, seal
from mlresearch.campaign import rules, state
from mlresearch.cli import Answer, project_or_here
from mlresearch.errors import GateError, ResearchError
from mlresearch.jobs import events, notices, watcher
from mlresearch.jobs import news as changes
from mlresearch.jobs.news import Cursor, News
from mlresearch.jobs.order import FREE
from mlresearch.options import Values
from mlresearch.pipeline import drafting, engine

ENTRY = Path(__file__).parents[2] / "jobs.py"
LONGEST_LINE = 200


@dataclass(frozen=True)
class Next:
    """The next command of the campaign or task, and why; empty where none is open. `is_ready`: it can be done now."""

    command: str
    why: str
    is_ready: bool


def watch(values: Values) -> Answer:
    root, idle, every = project_or_here(), values.text("idle"), values.text("every")
    idle_s = durations.parse(idle, "--idle") if idle else watcher.IDLE_S
    every_s = durations.parse(every, "--every") if every else None
    if values.flag("foreground"):
        return _foreground(root, idle_s, every_s)
    ledger.standing(root)  # one that can not be read is told here, not in a log
    words = ["--foreground", "--idle", str(idle_s), *(["--every", str(every_s)] if every_s else [])]
    started = watcher.start(root, [sys.executable, str(ENTRY), "watch", *words])
    sleep_s = changes.sleep_s(root)
    data = {
        "already": started.already,
        "pid": started.pid,
        "events": events.path_of(root),
        "log": watcher.log_path(root),
        "sleep_s": sleep_s,
    }
    told = f"already watching (process {started.pid})" if started.already else f"watching (process {started.pid})"
    return Answer(data, f"{told}; {sleep_text(sleep_s)}, then jobs.py news")


def _foreground(root: str, idle_s: int, every_s: int | None) -> Answer:
    """The watcher itself, until it has nothing more to watch."""
    with watcher.place(root) as is_mine:
        if not is_mine:
            return Answer({"already": True, "why": ""}, "already watching")
        pace = None if every_s is None else watcher.Pace(every_s, every_s)
        watching = watcher.Watcher(root, idle_s, pace, os.environ.get(notices.VARIABLE, ""), _log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_caught: watching.stop.set())
        why = watching.run()
    return Answer({"already": False, "why": why}, f"ended: {why}")


def _log(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", file=sys.stderr, flush=True)


def news(values: Values) -> Answer:
    root, session, given = project_or_here(), os.environ.get("CLAUDE_CODE_SESSION_ID", ""), values.text("since")
    found = changes.since(root, Cursor.parse(given) if given else changes.remembered(root, session))
    step = _next(root)
    data: dict[str, Any] = {**found.as_dict(), "next": step.command, "why": step.why}
    if step.is_ready:  # with something to do there is nothing to wait for
        data["sleep_s"] = 0
    remember = partial(changes.remember, root, session, Cursor.parse(found.cursor))
    return Answer(data, _text(found, step, data["sleep_s"]), printed=remember)


def _next(root: str) -> Next:
    try:
        task = _task(root)
    except GateError as error:  # a task's record that was damaged
        return Next("pipeline.py status", error.wrong, False)
    except ResearchError:  # a seal or program.md that can not be read, which the campaign's own look tells
        task = None
    return _next_of_campaign(root) if task is None else _next_of_task(root, task)


def _next_of_campaign(root: str) -> Next:
    try:
        if state.finished(root) is not None:
            return Next("campaign.py report", "the campaign is finalized", True)
        if seal.load(root) is None:
            return Next("", "", False)
        campaign = state.load(root)
        step = campaign.next_step()
    except ResearchError as error:  # such as prices that can not be read now
        return Next("campaign.py next", error.wrong, False)
    command = rules.command_of(step, campaign.standing.next_experiment)
    return Next(command, step.why, step.do != "collect")


def _task(root: str) -> str | None:
    """The task that the approved program belongs to, or that is open without one; None for a campaign."""
    drafted = drafting.task_of(seal.read_program(root) or "")
    if drafted is not None:
        return drafted
    return engine.unfinished(root) if seal.load(root) is None else None


def _next_of_task(root: str, task: str) -> Next:
    """A task has one job at a time: while it is open there is nothing to do but wait."""
    still = sorted(ledger.standing(root).open)
    why = f"{still[0]} is open" if still else f"the task {task} goes on"
    return Next(f"pipeline.py next --task {task}", why, not still)


def _text(found: News, step: Next, sleep_s: int | None) -> str:
    lines = [f"since {found.since}: jobs ended: {len(found.ended)}; other news: {len(found.told)}"]
    if found.left_out:
        lines[0] += f"; {found.left_out} older ones left out: jobs.py list"
    lines += [*map(_ended_line, found.ended), *map(_told_line, found.told), _open_line(found)]
    if found.open and not found.watching:
        lines.append("nobody watches: jobs.py watch")
    if step.command:
        lines.append(f"next: {step.command} ({step.why})")
    lines += [sleep_text(sleep_s), f"cursor: {found.cursor}"]
    return "\n".join(line[:LONGEST_LINE] for line in lines)


def _ended_line(job: dict[str, Any]) -> str:
    value = "" if job["value"] is None else f" value {job['value']:.6g}"
    why = f" ({job['why']})" if job["why"] else ""
    cost = f"{durations.show(job['billed_s'])} {money.show(job['billed_micro'])}"
    purpose = "" if job["purpose"] == FREE else f" {job['purpose']}"
    return f"{job['job']} {job['stage']} {job['experiment'] or '-'}{purpose}{value}{why} {cost}"


def _told_line(one: dict[str, Any]) -> str:
    rest = [f"{key} {value}" for key, value in one.items() if key not in ("ts", "event", "job") and value]
    return " ".join([one["event"], *([one["job"]] if one.get("job") else []), *rest])


def _open_line(found: News) -> str:
    told = [
        f"{job['job']} {job['backend']}/{job['flavor']} about {durations.show(job['left_s'])}" for job in found.open
    ]
    more = [f"{found.open_count - len(told)} more"] if found.open_count > len(told) else []
    return f"open: {', '.join([*told, *more]) or 'none'}"


def sleep_text(sleep_s: int | None) -> str:
    if sleep_s is None:
        return "sleep: nothing to wait for"
    return f"sleep: {sleep_s} s" if sleep_s else "sleep: 0 s, there is something to do"
