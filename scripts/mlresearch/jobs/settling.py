"""Brings the ledger up to what the backends know: adopts, releases, settles. Never bills at another price."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlresearch import ledger, money, seal
from mlresearch.backends import COMPLETED, ENDED, LOST, Backend, JobRef, JobReport
from mlresearch.errors import BackendError, NotFound, ResearchError, Unavailable
from mlresearch.jobs import intents
from mlresearch.jobs.order import FREE
from mlresearch.jobs.patience import Patience, Tell, silent
from mlresearch.ledger import Transaction
from mlresearch.metrics import Reading, read
from mlresearch.standing import Standing

Row = dict[str, Any]

# a pattern that no line matches: a job without a metric still gets its log hashed
NOTHING = r"(?!)()"


@dataclass(frozen=True)
class Outcome:
    """The rows that were written, and for each job that could not be settled what its backend said."""

    rows: list[Row]
    troubles: Mapping[str, ResearchError]

    def require(self) -> list[Row]:
        """The rows; raises one error that names every job in trouble (Unavailable: a later call may do)."""
        if not self.troubles:
            return self.rows
        kinds = {Unavailable if isinstance(error, Unavailable) else BackendError for error in self.troubles.values()}
        raise (Unavailable if Unavailable in kinds else BackendError)(
            "; ".join(f"{job}: {error.wrong}" for job, error in self.troubles.items()),
            next_step=next(iter(self.troubles.values())).next_step or "jobs.py reconcile",
        )


def reconcile(root: str, backends: Mapping[str, Backend]) -> list[Row]:
    """Adopt, release and settle every open job; returns the rows written, raises once all that could be is settled."""
    return survey(root, backends).require()


def survey(root: str, backends: Mapping[str, Backend], only: str | None = None) -> Outcome:
    """Adopt, release and settle every open job of these backends, or one; trouble with one holds up no other."""
    written: list[Row] = []
    troubles: dict[str, ResearchError] = {}
    for job, held in ledger.standing(root).open.items():
        backend = backends.get(held["backend"])
        if only not in (None, job):
            continue
        if backend is None:  # reserved by another process since the caller looked
            continue
        try:
            _bring_up(root, job, held, backend, written)
        except (Unavailable, BackendError) as error:
            troubles[job] = error
    return Outcome(written, troubles)


def _bring_up(root: str, job: str, held: Row, backend: Backend, written: list[Row]) -> None:
    """Adds to `written` as it goes, so that what precedes a failure is told."""
    found = _find_lost(root, job, held, backend) if held["job_id"] is None else None
    written += [found] if found is not None else []
    if held["job_id"] is not None or (found is not None and found["event"] == "adopted"):
        ended = settle(root, job, backend)
        written += [ended] if ended is not None else []


def _find_lost(root: str, job: str, held: Row, backend: Backend) -> Row | None:
    """A reservation without an id whose submitter died: adopt what the backend knows under the label, else release."""
    if intents.is_alive(root, job):
        return None
    ref = backend.find(held["label"], held["namespace"])
    with ledger.transaction(root) as tx:
        now = tx.standing.open.get(job)
        if now is None or now["job_id"] is not None:
            return None
        if ref is not None:
            intents.forget(root, job)
            return tx.append("adopted", job=job, job_id=ref.job_id, url=ref.url)
        if backend.certain_after_s:
            if now["absent_since"] is None:
                return tx.append("absent", job=job, label=held["label"])
            if time.time() - now["absent_since"] < backend.certain_after_s:
                return None
        intents.forget(root, job)
        return tx.append("released", job=job, why="its submitter died before the backend had it")


def settle(root: str, job: str, backend: Backend) -> Row | None:
    """Book an ended job: its bill, and its metric as read from its log. None while it is not over."""
    held = ledger.standing(root).open.get(job)
    if held is None or held["job_id"] is None:
        return None
    ref = JobRef(held["backend"], held["job_id"], None)
    report = _report(backend, ref, held)
    if report is None or report.stage not in ENDED:
        return None
    pattern = metric_pattern(root, held)
    reading = _reading(backend, ref, report, pattern or NOTHING)
    with ledger.transaction(root) as tx:
        if job not in tx.standing.open:
            return None
        if pattern and not _is_measured(tx.standing, held, job):
            _measure(tx, job, held, report, reading)
        return tx.append("settled", job=job, **_bill(held, report), log_sha256=reading.log_sha256)


def _report(backend: Backend, ref: JobRef, held: Row) -> JobReport | None:
    """Where the job is; one that its backend no longer knows is lost, or it would stay open for ever.

    None for one that is not known yet: a provider may take a while to tell of a new job.
    """
    try:
        return backend.inspect(ref)
    except NotFound as error:
        if time.time() - held["ts"] < backend.certain_after_s:
            return None
        return JobReport(LOST, None, None, None, None, 0, error.wrong, None)


def _reading(backend: Backend, ref: JobRef, report: JobReport, pattern: str) -> Reading:
    """What the log says; nothing for a log that is gone, or its job would stay open for ever.

    One that is missing right after the job's end may still come, and holds the metric: NotFound is raised on.
    """
    try:
        return read(backend.logs(ref), pattern)
    except NotFound:
        if report.ended_at is not None and time.time() - report.ended_at < backend.certain_after_s:
            raise
        return read((), pattern)


def _measure(tx: Transaction, job: str, held: Row, report: JobReport, reading: Reading) -> None:
    """A run that did not complete has no value, whatever its log says: never 0."""
    completed = report.stage == COMPLETED
    tx.append(
        "measured",
        job=job,
        **{key: held[key] for key in ("experiment", "seed", "purpose", "train_job")},
        value=reading.value if completed else None,
        stage=report.stage,
        exit_code=report.exit_code,
        n=reading.n if completed else None,
        stderr=reading.stderr if completed else None,
        why=reading.why if completed else f"{report.stage}: {report.message}"[:300],
        log_sha256=reading.log_sha256,
    )


def _bill(held: Row, report: JobReport) -> Row:
    """At the price the reservation was made at; a lost job may have run to its end, and is billed for that.

    So is one whose bill is no count of seconds, such as after a clock that was set back.
    """
    is_known = report.stage != LOST and type(report.billed_s) is int and report.billed_s >= 0
    billed_s = report.billed_s if is_known else held["reserved_s"]
    price = int(held["ceiling_micro"]) // -(-held["reserved_s"] // 60)
    return {
        "stage": report.stage,
        "exit_code": report.exit_code,
        "billed_s": billed_s,
        "billed_micro": money.job_ceiling(1, billed_s, price),
        "started_at": report.started_at,
        "ended_at": report.ended_at,
    }


def metric_pattern(root: str, held: Row) -> str | None:
    """How to find the metric, or None for a job that is no run of the open campaign."""
    approved = seal.load(root)
    if held["purpose"] == FREE or approved is None or approved.campaign != held["campaign"]:
        return None
    goal = approved.program["goal"]
    place = goal["final"] if held["purpose"] == "final_score" else goal
    return str(place["metric_pattern"])


def _is_measured(standing: Standing, held: Row, job: str) -> bool:
    """True when a settling process died between the two rows."""
    if held["purpose"].startswith("final"):
        runs = (standing.final or {"runs": []})["runs"]
    else:
        runs = standing.experiments[held["experiment"]]["runs"]
    return any(run["job"] == job for run in runs)


def wait(
    root: str, backends: Mapping[str, Backend], jobs: set[str] | None, until: float, tell: Tell = silent
) -> list[Row]:
    """Settle until one of `jobs` (any open job when None) has ended or the clock passes `until`.

    A backend that does not answer is asked again, see `Patience`; what waiting does not mend is raised at once.
    """
    patience = Patience(until, tell)
    pause, longest = 0.05, 5.0 if any(backend.name != "local" for backend in backends.values()) else 0.2
    while True:
        done = survey(root, backends)
        open_jobs = set(ledger.standing(root).open)
        wanted = open_jobs if jobs is None else open_jobs & jobs
        if not wanted or (done.rows and jobs is None):
            return done.rows
        at_least = patience.bear({job: error for job, error in done.troubles.items() if job in wanted})
        if time.time() >= until:
            return done.rows
        time.sleep(min(max(pause, at_least), max(0.0, until - time.time())))
        pause = min(pause * 1.3, longest)


def open_job(root: str, job: str) -> Row:
    """The open job's ledger entry; raises NotFound naming what is open."""
    opened = ledger.standing(root).open
    if job not in opened:
        known = ", ".join(opened) or "none"
        raise NotFound(f"job {job!r} is not open", f"open jobs: {known}", "jobs.py list")
    return opened[job]
