"""jobs.py: submit one job inside the envelope, watch it, settle it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from mlresearch import backends, durations, jobs, ledger, money
from mlresearch.backends import JobRef
from mlresearch.campaign.running import memory_mb
from mlresearch.cli import Answer, main, project_or_here, table, watcher
from mlresearch.cli.watching import tell, wait
from mlresearch.errors import BackendError, NotFound, Unavailable, UsageError
from mlresearch.jobs import Order, census, news
from mlresearch.jobs.census import Stranger
from mlresearch.jobs.order import FREE, placed
from mlresearch.jobs.places import engines, place_of
from mlresearch.options import Values

OPEN = ("RESERVED", "SUBMITTED")


def submit(values: Values) -> Answer:
    root = project_or_here()
    backend = backends.get(values.need("backend"), root)
    done = jobs.submit(root, order_of(values, root), backend)
    sleep_s = news.sleep_s(root, done.job)
    data = {
        "job": done.job,
        "job_id": done.ref.job_id,
        "url": done.ref.url,
        "ceiling_usd": done.ceiling_micro / money.MICRO,
        "sleep_s": sleep_s,
    }
    told = f"{done.job} submitted, at most {money.show(done.ceiling_micro)}; {watcher.sleep_text(sleep_s)}"
    return Answer(data, f"{told}; next: jobs.py wait --job {done.job}")


def order_of(values: Values, root: str) -> Order:
    """The order that the options spell out; the guard builds its question from the same options."""
    limit = values.text("max_usd")
    return Order(
        backend=values.need("backend"),
        script=values.need("script"),
        flavor=values.need("flavor"),
        timeout_s=durations.parse(values.need("timeout")),
        args=tuple(placed(arg, root) for arg in values.many("arg")),
        deps=tuple(values.many("dep")),
        env=_pairs("--env", values.many("env")),
        secrets=tuple(values.many("secret")),
        labels=_pairs("--label", values.many("label")),
        namespace=values.text("namespace"),
        memory_mb=memory_mb(values.text("memory")),
        image=values.text("image"),
        python=values.text("python"),
        launcher=values.text("launcher") or "python",
        experiment=values.text("experiment"),
        max_usd_micro=None if limit is None else money.to_micro(limit, "--max-usd"),
    )


def _pairs(flag: str, texts: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in pairs:
            raise UsageError(f"{flag} {text[:60]!r} is no NAME=VALUE given once", f"{flag} NAME=VALUE")
        pairs[name] = value
    return pairs


def inspect(values: Values) -> Answer:
    root, job = project_or_here(), values.need("job")
    place = place_of(root, job, values.text("backend"))
    backend = backends.get(place.backend, root)
    report = backend.inspect(place)
    jobs.settle(root, job, backend)
    data = {"job": job, **{key: getattr(report, key) for key in report.__dataclass_fields__}, "url": place.url}
    told = [job, report.stage, durations.show(report.billed_s), report.message, place.url]
    return Answer(data, " ".join(filter(None, told)))


def metrics(values: Values) -> Answer:
    """Of a machine elsewhere while the job runs there; of a job here what its runner knew at the end."""
    root, job = project_or_here(), values.need("job")
    place = place_of(root, job, values.text("backend"))
    load = _load(root, job, place)
    return Answer({"job": job, "load": load}, "\n".join(f"{name} {value}" for name, value in load.items()))


def _load(root: str, job: str, place: JobRef) -> dict[str, Any]:
    backend = backends.get(place.backend, root)
    if place.backend == "hf":
        from mlresearch.backends.hf import HfBackend

        found = HfBackend().metrics(place)
        if found is None:
            raise NotFound(f"{job} does not run now", "the load of a running job", f"jobs.py inspect --job {job}")
        return dict(found)
    report = backend.inspect(place)
    if report.peak_memory_mb is None:
        told = f"the load of {job} ({report.stage}) is not known here"
        raise NotFound(told, "the peak memory of a job that has ended", f"jobs.py wait --job {job}")
    return {"peak_memory_mb": report.peak_memory_mb, "seconds": report.billed_s}


def logs(values: Values) -> Answer:
    root = project_or_here()
    place = place_of(root, values.need("job"), values.text("backend"))
    lines = backends.get(place.backend, root).logs(place, values.flag("follow"))
    if values.flag("json"):
        return Answer({"job": values.need("job"), "lines": list(lines)})
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return Answer({})


def listing(values: Values) -> Answer:
    found = [job for job in _listed(project_or_here()) if values.text("backend") in (None, job["backend"])]
    kept = [job for job in found if not values.flag("open") or job["stage"] in OPEN]
    head = ["job", "stage", "experiment", "purpose", "where", "cost", "address"]
    return Answer({"jobs": kept}, table([_cells(job) for job in kept], head) if kept else "no jobs")


def _listed(root: str) -> list[dict[str, Any]]:
    """Each job of the ledger, in its order."""
    found: dict[str, dict[str, Any]] = {}
    keys = ("job", "experiment", "purpose", "backend", "flavor", "timeout_s", "ceiling_micro")
    unknown = {"billed_s": None, "billed_micro": None, "url": None}
    for row in ledger.rows(root):
        if row["event"] == "reserved":
            found[row["job"]] = {**{key: row[key] for key in keys}, "stage": "RESERVED", **unknown}
        elif row["event"] in ("submitted", "adopted"):
            found[row["job"]] |= {"stage": "SUBMITTED", "url": row["url"]}
        elif row["event"] == "settled":
            found[row["job"]] |= {key: row[key] for key in ("stage", "billed_s", "billed_micro")}
        elif row["event"] == "released":
            found[row["job"]]["stage"] = "RELEASED"
    return [*found.values()]


def _cells(job: dict[str, Any]) -> list[str]:
    purpose = "-" if job["purpose"] == FREE else job["purpose"]
    where = f"{job['backend']}/{job['flavor']}"
    return [job["job"], job["stage"], job["experiment"] or "-", purpose, where, _cost(job), job["url"] or "-"]


def _cost(job: dict[str, Any]) -> str:
    if job["billed_micro"] is not None:
        return money.show(job["billed_micro"])
    return f"<= {money.show(job['ceiling_micro'])}" if job["stage"] in OPEN else "-"


def cancel(values: Values) -> Answer:
    root, job = project_or_here(), values.need("job")
    place_of(root, job, values.text("backend"))
    held = jobs.open_job(root, job)
    if held["job_id"] is None:
        raise NotFound(f"{job} has no id yet", "a job that has started", "jobs.py reconcile")
    backend = backends.get(held["backend"], root)
    backend.cancel(JobRef(held["backend"], held["job_id"], None))
    jobs.wait(root, engines(root), {job}, time.time() + 15, tell)
    return Answer({"job": job, "settled": job not in ledger.standing(root).open}, f"{job} canceled")


def hardware(values: Values) -> Answer:
    name = values.text("backend") or "local"
    prices = jobs.prices.read(backends.get(name, project_or_here()))
    data = {
        "backend": name,
        "flavors": {flavor: micro / money.MICRO for flavor, micro in prices.items()},
        "unit": "USD per minute",
    }
    return Answer(
        data,
        table(
            [[flavor, f"{money.show(micro)}/min"] for flavor, micro in sorted(prices.items())],
            ["flavor", "price"],
        ),
    )


def reconcile(values: Values) -> Answer:
    root = project_or_here()
    done = jobs.survey(root, engines(root))
    troubles = {job: error.wrong for job, error in done.troubles.items()}
    strangers, unseen = _strangers(root)
    troubles |= unseen
    told = [f"{row['job']} {row['event']} {row.get('stage', '')}".rstrip() for row in done.rows]
    told += [*map(str, strangers), *(f"{place}: {wrong}; next: jobs.py reconcile" for place, wrong in troubles.items())]
    data = {
        "rows": done.rows,
        "open": sorted(ledger.standing(root).open),
        "strangers": [one.as_dict() for one in strangers],
        "troubles": troubles,
    }
    return Answer(data, "\n".join(told) or "nothing to settle", 1 if troubles else 0)


def _strangers(root: str) -> tuple[list[Stranger], dict[str, str]]:
    """Jobs on the Hub that the ledger does not know; and what stood in the way of looking, if anything did."""
    if not any(row["event"] == "reserved" and row["backend"] == "hf" for row in ledger.rows(root)):
        return [], {}
    from mlresearch.backends.hf import HfBackend

    try:
        return census.strangers(root, HfBackend()), {}
    except (Unavailable, BackendError) as error:
        return [], {"other jobs": error.wrong}


def run(argv: list[str] | None = None) -> int:
    handlers = {
        "submit": submit, "inspect": inspect, "metrics": metrics, "logs": logs, "wait": wait, "list": listing,
        "cancel": cancel, "hardware": hardware, "reconcile": reconcile, "watch": watcher.watch, "news": watcher.news,
    }  # fmt: skip
    return main("jobs.py", handlers, argv)
