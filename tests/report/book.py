"""Builds the rows of a campaign as the ledger holds them, decided by the shipped rule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from mlresearch import stats

Row = dict[str, Any]
PROGRAM: dict[str, Any] = {
    "goal": {"metric": "val_accuracy", "direction": "maximize", "target": None},
    "envelope": {"max_jobs": 60, "max_walltime": "1h", "max_usd": 0},
}
LIMITS = {"max_jobs": 60, "max_walltime_s": 3600, "max_usd_micro": 2_000_000}
HOSTILE = (
    '<script>alert("x")</script> | [a](http://evil.example/x) ![i](http://evil.example/i.png) \u202eback\ud800\n# no'
)


class Book:
    """Writes the rows of a campaign as the ledger holds them."""

    def __init__(self, price_micro: int = 0, direction: str = "maximize") -> None:
        self.rows: list[Row] = []
        self.ts, self.price, self.direction = 1_780_000_000.0, price_micro, direction
        self.jobs = 0
        self.row("approved", campaign="c-7f3a", digest="d" * 64, limits=LIMITS)
        self.row("started", campaign="c-7f3a")

    def row(self, event: str, **fields: Any) -> None:
        self.ts += 2.0
        seq = len(self.rows) + 1
        self.rows.append({"seq": seq, "ts": self.ts, "prev": "0" * 64, "event": event, **fields})

    def job(self, experiment: str | None, purpose: str, value: float | None, seconds: int = 2) -> None:
        self.jobs += 1
        job, log = f"j{self.jobs:04d}", hashlib.sha256(str(self.jobs).encode()).hexdigest()
        who = {"experiment": experiment, "purpose": purpose, "seed": 100 + self.jobs}
        cost = {
            "ceiling_micro": self.price,
            "reserved_s": 60,
            "timeout_s": 60,
            "flavor": "cpu",
            "backend": "local",
        }
        self.row("reserved", job=job, label="L" + job, **who, **cost)
        self.row("submitted", job=job, job_id="pid", url=None)
        self.row("measured", job=job, value=value, log_sha256=log, **who)
        bill = {"billed_s": seconds, "billed_micro": self.price, "log_sha256": log}
        self.row("settled", job=job, stage="COMPLETED", exit_code=0, **bill)

    def baseline(self, values: Sequence[float]) -> None:
        for value in values:
            self.job("baseline", "baseline", value)
        self.values, self.sigma = list(values), stats.noise(values)
        self.best, self.reference, self.incumbent = stats.mean(values), list(values), "baseline"
        seeds = list(range(101, 101 + len(values)))
        self.row(
            "baseline",
            experiment="baseline",
            values=self.values,
            sigma=self.sigma,
            seeds=seeds,
            mean=self.best,
        )

    def plan(self, name: str, hypothesis: str, lever: str = "rate", at: Any = 0.1) -> None:
        self.row("proposed", experiment=name, hypothesis=hypothesis, by="sampler")
        told = {"hypothesis": hypothesis, "lever": lever, "config": {lever: at}}
        self.row("planned", experiment=name, parent=self.incumbent, by="sampler", **told)

    def decide(self, name: str, decision: str, state: str, verdict: stats.Verdict | None, gain: float | None) -> None:
        lever = {"experiment": name, "decision": decision, "state": state}
        told = {"gain": gain, "gain_sigma": None if gain is None else gain / self.sigma}
        test = {
            "standard_error": verdict and verdict.standard_error,
            "critical": verdict and verdict.critical,
            "interval": verdict and list(verdict.interval),
        }
        self.row("decided", **lever, **told, **test, incumbent=self.incumbent, best=self.best)

    def experiment(self, name: str, screen: float | None, fresh: Sequence[float] = (), hypothesis: str = "try") -> None:
        self.plan(name, hypothesis)
        self.job(name, "screen", screen)
        if screen is None:
            self.decide(name, "crash", "crash", None, None)
            return
        gain = stats.gain_of(screen, self.best, self.direction)
        if not stats.screen(screen, self.best, self.sigma, stats.SCREEN, self.direction):
            self.decide(name, "discard", "below_screen", None, gain)
            return
        self.decide(name, "keep", "candidate", None, gain)
        for value in fresh:
            self.job(name, "confirm", value)
        verdict = stats.confirm(fresh, self.reference, [self.values], self.direction)
        if verdict.confirmed:
            self.best, self.reference, self.incumbent = stats.mean(fresh), list(fresh), name
        state = "confirmed" if verdict.confirmed else "refuted"
        self.decide(name, "keep" if verdict.confirmed else "discard", state, verdict, verdict.gain)

    def finalize(self, base: Sequence[float], best: Sequence[float | None]) -> None:
        for name, values in (("baseline", base), (self.incumbent, best)):
            for value in values:
                self.job(name, "final_train", value, seconds=1)
                self.job(name, "final_score", value, seconds=1)
        sealed = [value for value in best if value is not None]
        gap = stats.mean(sealed) - self.best if sealed else None
        baseline = {"search": stats.mean(self.values), "sealed": list(base)}
        incumbent = {"experiment": self.incumbent, "search": self.best, "sealed": list(best)}
        self.row("finalized", baseline=baseline, incumbent=incumbent, gap=gap)


BASE = (0.9500, 0.9560, 0.9530, 0.9480, 0.9565)


def campaign(**options: Any) -> Book:
    book = Book(**options)
    book.baseline(BASE)
    book.experiment("e0001", 0.9300, hypothesis="a larger batch")
    book.experiment("e0002", None, hypothesis="a rate that diverges")
    book.experiment("e0003", 0.9600, (0.9510, 0.9540, 0.9520), hypothesis="more epochs")
    book.experiment("e0004", 0.9740, (0.9722, 0.9750, 0.9694), hypothesis="scale the inputs")
    book.row("stopped", reason="no_gain", message="8 experiments in a row brought no confirmed gain")
    book.finalize((0.9472, 0.9500), (0.9667, 0.9694))
    return book
