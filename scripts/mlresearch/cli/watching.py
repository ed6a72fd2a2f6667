"""The `wait` verb of jobs.py: what is known of a job, its alerts, and the next command."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any

from mlresearch import backends, durations, jobs, ledger
from mlresearch.backends import JobRef
from mlresearch.cli import Answer, project_or_here
from mlresearch.cli.watcher import sleep_text
from mlresearch.errors import UsageError
from mlresearch.jobs import alerts, news, watching
from mlresearch.jobs.alerts import Server, Source
from mlresearch.jobs.health import HEALTHY, STALL_FLOOR_S, STALLED, WAITING
from mlresearch.jobs.places import engines, place_of
from mlresearch.jobs.watching import ENDED, Sight, Terms
from mlresearch.options import Values

FOR_ONE_JOB = ("since", "stall_after", "space", "project", "run")


def wait(values: Values) -> Answer:
    """Without --job, until the next open job ends; with it, see `jobs.watching`."""
    root, job = project_or_here(), values.text("job")
    limit = values.text("for")
    until = time.time() + (durations.parse(limit, "--for") if limit else durations.LONGEST_S)
    if job is not None:
        return _one(root, job, values, until)
    given = [name for name in FOR_ONE_JOB if values.given(name)]
    if given or values.text("until") == HEALTHY:
        wrong = f"--{given[0].replace('_', '-')}" if given else "--until healthy"
        raise UsageError(f"{wrong} is about one job", "with --job J", "jobs.py list --open")
    jobs.wait(root, engines(root), None, until, tell)
    data = _ledger(root, None)
    return Answer(data, f"open: {', '.join(data['open']) or 'none'}; {sleep_text(data['sleep_s'])}")


def tell(told: str) -> None:
    print(f"note: {told}", file=sys.stderr, flush=True)


def _one(root: str, job: str, values: Values, until: float) -> Answer:
    place = place_of(root, job, values.text("backend"))
    stall = values.text("stall_after")
    terms = Terms(
        is_enough=values.text("until") or "done",
        until=until,
        known=alerts.cursor(values.text("since"), job),
        stall_after_s=durations.parse(stall, "--stall-after") if stall else STALL_FLOOR_S,
    )
    backend, sources = backends.get(place.backend, root), _sources(root, job, place, values)
    sight = watching.watch(root, place, terms, backend, sources, tell)
    data = {**_ledger(root, job), **_told(job, sight)}
    return Answer(data, _text(job, data, sight))


def _sources(root: str, job: str, place: JobRef, values: Values) -> list[Source]:
    space, project = values.text("space"), values.text("project")
    if space is None:
        return alerts.of_local(root, job) if place.backend == "local" else []
    if project is None:
        raise UsageError("--space names no project", "--space with --project", "jobs.py wait --help")
    return [Server(space, project, values.text("run"), alerts.token_for(space))]


def _ledger(root: str, job: str | None) -> dict[str, Any]:
    ended = {row["job"]: row for row in ledger.rows(root) if row["event"] == "settled"}
    open_jobs = sorted(ledger.standing(root).open)
    one = [ended[job]] if job is not None and job in ended else []
    return {
        "open": open_jobs,
        "ended": [*ended.values()][-20:] if job is None else one,
        "waiting": job is not None and job in open_jobs,
        "sleep_s": news.sleep_s(root, job),
    }


def _told(job: str, sight: Sight) -> dict[str, Any]:
    state = sight.state
    return {
        "job": job,
        "verdict": sight.verdict,
        "why": sight.why,
        "stage": sight.stage,
        "step": state.step,
        "steps": state.total,
        "step_s": state.step_s,
        "metrics": state.metrics,
        "alerts": [asdict(alert) for alert in sight.alerts],
        "cursor": str(sight.cursor),
        "sources": sight.sources,
        "blind": sight.blind,
        "next": _next(job, sight),
    }


def _next(job: str, sight: Sight) -> str:
    on = f"jobs.py wait --job {job} --since {sight.cursor}"
    if sight.verdict in (HEALTHY, WAITING):
        return on
    if sight.verdict == ENDED:
        return f"jobs.py logs --job {job}"
    look = f"jobs.py logs --job {job}, then " if sight.verdict == STALLED else ""
    return f"{look}jobs.py cancel --job {job}; to let it go on: {on}"


def _text(job: str, data: dict[str, Any], sight: Sight) -> str:
    step = "" if sight.state.step is None else f" step {sight.state.step}"
    head = f"{job} {sight.stage}"
    if sight.verdict != ENDED:
        head = f"{job} {sight.verdict} ({sight.stage}){step}: {sight.why}; {sleep_text(data['sleep_s'])}"
    told = [f"{alert.level.upper()} {alert.said}" for alert in sight.alerts]
    told += [f"can not read {blind}" for blind in sight.blind]
    if sight.alerts or sight.verdict == ENDED:
        told.append(f"cursor: {sight.cursor}")
    return "\n".join([head, *told, f"next: {data['next']}"])
