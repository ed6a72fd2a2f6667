"""Folds the rows of the last campaign in a ledger into a Story, also while the campaign is in progress.

Refuses nothing: an event it does not tell is passed over. Jobs and money count as they were billed, which
can be more than the reservation that the envelope's arithmetic holds them to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mlresearch import durations, money, placeholders, stats, tracking
from mlresearch.report.story import BASELINE, Baseline, Experiment, Final, Finalist, Limits, Run, Spend, Story

Row = Mapping[str, Any]


def tell(rows: Iterable[Row], program: Mapping[str, Any]) -> Story:
    """The story of the last campaign in the rows; `program` is the sealed program's dict."""
    fold = _Fold(program)
    for row in rows:
        fold.add(row)
    return fold.story()


class _Fold:
    """The telling under way: one method an event, so that an event nobody tells is passed over."""

    def __init__(self, program: Mapping[str, Any]) -> None:
        self.program = program
        self.rows = 0
        self.reset("")

    def reset(self, campaign: str) -> None:
        self.campaign = campaign
        self.approved: Mapping[str, Any] = {}
        self.began: float | None = None
        self.ended: float | None = None
        self.baseline: Baseline | None = None
        self.incumbent: tuple[str, float] | None = None
        self.experiments: dict[str, Experiment] = {}
        self.jobs: dict[str, str | None] = {}
        self.open: set[str] = set()
        self.spend: list[Spend] = []
        self.scored: dict[str, list[Run]] = {}
        self.trained: dict[str, list[str]] = {}
        self.stopped: tuple[str, str] | None = None
        self.final: Final | None = None
        self.revoked = False

    def add(self, row: Row) -> None:
        self.rows += 1
        step: Callable[[Row], None] | None = getattr(self, "on_" + str(row["event"]), None)
        if step is not None:
            step(row)
        self.began = row["ts"] if self.began is None else self.began
        self.ended = row["ts"]

    def on_approved(self, row: Row) -> None:
        if row["campaign"] != self.campaign:
            self.reset(row["campaign"])
        self.approved, self.stopped, self.revoked = row.get("limits") or {}, None, False

    def on_baseline(self, row: Row) -> None:
        values = tuple(row["values"])
        seeds = tuple(row.get("seeds") or [None] * len(values))
        self.baseline = Baseline(values, seeds, row.get("mean", stats.mean(values)), row["sigma"])
        self.incumbent = (BASELINE, self.baseline.mean)

    def on_planned(self, row: Row) -> None:
        self.experiments[row["experiment"]] = Experiment(
            name=row["experiment"],
            seq=row["seq"],
            hypothesis=row.get("hypothesis") or "",
            lever=row.get("lever"),
            config=row.get("config") or {},
        )

    def on_reserved(self, row: Row) -> None:
        # the sealed runs of an incumbent are the price of the final, not of trying the change
        final = str(row.get("purpose")).startswith("final")
        self.jobs[row["job"]] = None if final else row.get("experiment")
        self.open.add(row["job"])
        self._charge(row["job"], jobs=1)

    def on_released(self, row: Row) -> None:
        if row["job"] in self.jobs:
            self._charge(row["job"], jobs=-1)
            self.open.discard(row["job"])
            del self.jobs[row["job"]]

    def on_settled(self, row: Row) -> None:
        if row["job"] in self.jobs:
            self.open.discard(row["job"])
            before = self.spend[-1] if self.spend else Spend(row["ts"], 0, 0)
            seconds, micro = row["billed_s"], row["billed_micro"]
            self.spend.append(Spend(row["ts"], before.seconds + seconds, before.micro + micro))
            self._charge(row["job"], seconds=seconds, micro=micro)

    def _charge(self, job: str, jobs: int = 0, seconds: int = 0, micro: int = 0) -> None:
        told = self.experiments.get(self.jobs[job] or "")
        if told is not None:
            self.experiments[told.name] = replace(
                told, jobs=told.jobs + jobs, seconds=told.seconds + seconds, micro=told.micro + micro
            )

    def on_measured(self, row: Row) -> None:
        run = Run(row["job"], row.get("seed"), row["purpose"], row["value"], row.get("log_sha256") or "")
        told = self.experiments.get(row["experiment"])
        if run.purpose == "final_train" and run.value is not None:
            self.trained.setdefault(row["experiment"], []).append(self._place(row))
        elif run.purpose == "final_score":
            self.scored.setdefault(row["experiment"], []).append(run)
        elif told is not None and not run.purpose.startswith("final"):
            self.experiments[told.name] = replace(told, runs=(*told.runs, run))

    def _place(self, row: Row) -> str:
        """Where the run left its model; empty for one that ran elsewhere and kept it to itself."""
        run, envelope = self.program.get("run") or {}, self.program.get("envelope") or {}
        if run.get("backend", placeholders.HERE) == placeholders.HERE:
            return f"runs/jobs/{row['job']}/out"
        wrote = placeholders.has(run.get("args") or (), "repo")
        names = (self.campaign, row["experiment"], row["seed"])
        return placeholders.repo(envelope.get("output_repos") or (), *names) or "" if wrote else ""

    def on_decided(self, row: Row) -> None:
        told = self.experiments.get(row["experiment"])
        if told is None:
            return
        if row.get("incumbent") and row.get("best") is not None:
            self.incumbent = (row["incumbent"], row["best"])
        bounds = row.get("interval")
        self.experiments[told.name] = replace(
            told,
            state=row["state"],
            gain=row.get("gain"),
            gain_sigma=row.get("gain_sigma"),
            interval=(bounds[0], bounds[1]) if bounds else None,
            best=row.get("best"),
            decided=None if row["state"] == "candidate" else row["seq"],
        )

    def on_stopped(self, row: Row) -> None:
        self.stopped = (str(row["reason"]), str(row.get("message") or ""))

    def on_revoked(self, row: Row) -> None:
        self.revoked = True

    def on_finalized(self, row: Row) -> None:
        baseline = self._finalist(BASELINE, row["baseline"])
        incumbent = self._finalist(row["incumbent"].get("experiment") or BASELINE, row["incumbent"])
        self.final = Final(baseline, incumbent, row.get("gap"))

    def _finalist(self, name: str, told: Mapping[str, Any]) -> Finalist:
        sealed = tuple(told.get("sealed") or ())
        runs = self.scored.get(name, [])
        # a repeated run is measured twice and reported once: then the seeds cannot be told from the order
        seeds = tuple(run.seed for run in runs) if tuple(run.value for run in runs) == sealed else ()
        examples = {n for n in told.get("sealed_n") or () if n is not None}
        return Finalist(
            name,
            told.get("search"),
            sealed,
            seeds,
            tuple(self.trained.get(name, ())),
            examples=examples.pop() if len(examples) == 1 else None,
            stderrs=tuple(error for error in told.get("sealed_stderr") or () if error is not None),
        )

    def story(self) -> Story:
        goal, run = self.program.get("goal") or {}, self.program.get("run") or {}
        return Story(
            metric=str(goal.get("metric") or "metric"),
            direction=str(goal.get("direction") or "maximize"),
            target=goal.get("target"),
            campaign=self.campaign,
            limits=_limits(self.approved, self.program.get("envelope") or {}),
            baseline=self.baseline,
            incumbent=self.incumbent,
            experiments=tuple(self.experiments.values()),
            jobs=len(self.jobs),
            open_jobs=len(self.open),
            spend=tuple(self.spend),
            began=self.began,
            ended=self.ended,
            rows=self.rows,
            stopped=self.stopped,
            final=self.final,
            revoked=self.revoked,
            backend=run.get("backend"),
            space=tracking.space(run),
        )


def _limits(approved: Mapping[str, Any], envelope: Mapping[str, Any]) -> Limits:
    """The approval's canonical limits, else the program's own words; UsageError when these cannot be read."""
    if approved:
        return Limits(*(approved.get(key) for key in ("max_jobs", "max_walltime_s", "max_usd_micro")))
    walltime, usd = envelope.get("max_walltime"), envelope.get("max_usd")
    return Limits(
        jobs=envelope.get("max_jobs"),
        seconds=None if walltime is None else durations.parse(walltime, "max_walltime"),
        micro=None if usd is None else money.to_micro(usd, "max_usd"),
    )
