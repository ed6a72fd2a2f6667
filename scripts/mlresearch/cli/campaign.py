"""campaign.py: the verbs of a campaign, one step each; `run` takes all of them with a sampler."""

from __future__ import annotations

from typing import Any

from mlresearch import durations, ledger, money
from mlresearch.campaign import derived, judging, loop, opening, planning, running, state
from mlresearch.campaign.rules import command_of
from mlresearch.cli import Answer, bind_session, main, project, project_or_here
from mlresearch.cli.permission import permit
from mlresearch.cli.progress import Progress
from mlresearch.cli.watcher import sleep_text
from mlresearch.cli.watching import tell
from mlresearch.envelope import left
from mlresearch.errors import LedgerError
from mlresearch.jobs import news
from mlresearch.options import Values


def start(values: Values) -> Answer:
    root = project()
    row = opening.start(root)
    bind_session(root)
    return Answer(row, f"campaign {row['campaign']} started; next: campaign.py next")


def status(values: Values) -> Answer:
    root = project_or_here()
    finished = state.finished(root)
    if finished is not None:
        return Answer(
            {"state": "finalized", "result": finished},
            "finalized: read runs/summary.md, open runs/report.html",
        )
    campaign = state.load(root)
    data = status_data(campaign)
    return Answer(data, status_text(data))


def status_data(campaign: state.Campaign) -> dict[str, Any]:
    standing, goal = campaign.standing, campaign.program["goal"]
    step = campaign.next_step()
    incumbent = standing.incumbent
    return {
        "root": campaign.root,
        "campaign": standing.campaign,
        "goal": f"{goal['direction']} {goal['metric']}",
        "baseline": None if standing.baseline is None else {key: standing.baseline[key] for key in ("mean", "sigma")},
        "incumbent": None if incumbent is None else {key: incumbent[key] for key in ("experiment", "mean", "config")},
        "undecided": {name: experiment["stage"] for name, experiment in standing.experiments.items()},
        "open_jobs": sorted(standing.open),
        "decided": standing.counts,
        "left": left(campaign.seal.envelope, standing.spent()),
        "stopped": standing.stopped,
        "next": command_of(step, standing.next_experiment),
        "why": step.why,
    }


def status_text(data: dict[str, Any]) -> str:
    baseline, incumbent = data["baseline"], data["incumbent"]
    lines = [f"campaign {data['campaign']}: {data['goal']}"]
    if baseline:
        lines.append(f"baseline {baseline['mean']:.6g}, noise {baseline['sigma']:.3g}")
    if incumbent:
        lines.append(
            f"incumbent {incumbent['experiment']} {incumbent['mean']:.6g} {incumbent['config'] or ''}".rstrip()
        )
    lines.append(f"decided {data['decided'] or 'none'}; undecided {data['undecided'] or 'none'}")
    lines.append(f"open jobs {', '.join(data['open_jobs']) or 'none'}; left {data['left']}")
    if data["stopped"]:
        lines.append(f"stopped ({data['stopped']['reason']}): {data['stopped']['message']}")
    lines.append(f"next: {data['next']} ({data['why']})")
    return "\n".join(lines)


def _next_command(campaign: state.Campaign) -> str:
    return command_of(campaign.next_step(), campaign.standing.next_experiment)


def next_step(values: Values) -> Answer:
    root = project_or_here()
    if state.finished(root) is not None:
        return Answer(
            {"do": "done", "command": "campaign.py report", "why": "the campaign is finalized"},
            "done: campaign.py report",
        )
    campaign = state.load(root)
    step = campaign.next_step()
    command = command_of(step, campaign.standing.next_experiment)
    data = {"do": step.do, "experiment": step.experiment, "command": command, "why": step.why}
    return Answer(data, f"{command}\n{step.why}")


def plan(values: Values) -> Answer:
    root = project()
    proposal = planning.read(root, values.need("file"))
    row = planning.plan(root, proposal, "model", state.load(root).request)
    stored = "; the edit is stored, and the working copy is the incumbent's again" if not proposal["change"] else ""
    name = row["experiment"]
    return Answer(row, f"{name} planned: {row['lever']}{stored}; next: campaign.py submit --experiment {name}")


def submit(values: Values) -> Answer:
    root, name = project(), values.need("experiment")
    state.load(root)
    bind_session(root)
    started: list[dict[str, Any]] = [
        {"job": done.job, "ceiling_usd": done.ceiling_micro / money.MICRO} for done in running.submit(root, name)
    ]
    told = ", ".join(job["job"] for job in started) or "nothing: no run is missing, or as many are open as allowed"
    sleep_s = news.sleep_s(root)
    data = {"experiment": name, "started": started, "sleep_s": sleep_s}
    return Answer(data, f"started {told}; {sleep_text(sleep_s)}; next: campaign.py collect --wait 10m")


def collect(values: Values) -> Answer:
    root, limit = project(), values.text("wait")
    rows = running.collect(root, durations.parse(limit, "--wait") if limit else 0.0, tell)
    left_open = sorted(ledger.standing(root).open)
    measured = [row for row in ledger.rows(root) if row["event"] == "measured"]
    settled = {row["job"] for row in rows if row["event"] == "settled"}
    values_read: list[dict[str, Any]] = [
        {key: row[key] for key in ("job", "experiment", "purpose", "value", "why", "stage")}
        for row in measured
        if row["job"] in settled
    ]
    told = [
        f"{run['job']} {run['experiment']} {run['purpose']}: {run['value']} {run['why']}".rstrip()
        for run in values_read
    ]
    step = _next_command(state.load(root))
    return Answer(
        {"settled": sorted(settled), "measured": values_read, "open": left_open, "next": step},
        "\n".join([*told, f"open: {', '.join(left_open) or 'none'}; next: {step}"]),
    )


def analyse(values: Values) -> Answer:
    row = judging.analyse(project(), values.need("experiment"), values.need("file"))
    return Answer(row, f"analysis stored; next: campaign.py decide --experiment {row['experiment']}")


def decide(values: Values) -> Answer:
    root = project()
    row = judging.decide(root, values.need("experiment"))
    step = _next_command(state.load(root))
    if row["event"] == "baseline":
        return Answer({**row, "next": step}, f"baseline {row['mean']:.6g}, noise {row['sigma']:.3g}; next: {step}")
    gain = "no value" if row["gain"] is None else f"gain {row['gain']:+.4g} ({row['gain_sigma']:+.2f} noise units)"
    return Answer({**row, "next": step}, f"{row['experiment']} {row['state']}: {gain}; next: {step}")


def finalize(values: Values) -> Answer:
    root = project_or_here()
    bind_session(root)
    loop.finalize(root, tell)
    return report(values)


def report(values: Values) -> Answer:
    written = derived.write(project_or_here())
    return Answer(written, f"{written['headline']}\n{written['report.html']}")


def verify(values: Values) -> Answer:
    root = project_or_here()
    faults = ledger.verify(root)
    if faults:
        raise LedgerError(
            faults[0],
            "rows as they were written",
            "restore runs/ledger.jsonl from a copy; a person decides what then",
        )
    standing = ledger.standing(root)
    return Answer(
        {"ok": True, "rows": standing.seq, "head": standing.head},
        f"{standing.seq} rows, whole; head {standing.head[:16]}",
    )


def run_campaign(values: Values) -> Answer:
    root = project()
    bind_session(root)
    with Progress(quiet=values.flag("quiet") or values.flag("json")) as progress:
        loop.run(root, progress.show, permit(root), tell)
    return report(values)


def run(argv: list[str] | None = None) -> int:
    handlers = {
        "start": start, "status": status, "next": next_step, "plan": plan, "submit": submit, "collect": collect,
        "analyse": analyse, "decide": decide, "finalize": finalize, "report": report, "verify": verify,
        "run": run_campaign,
    }  # fmt: skip
    return main("campaign.py", handlers, argv)
