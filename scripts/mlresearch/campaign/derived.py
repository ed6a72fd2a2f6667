"""Files that can be rebuilt from the ledger at any time: runs/experiments.jsonl, runs/summary.md, runs/report.html."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mlresearch import durations, ledger, store
from mlresearch.campaign import state
from mlresearch.report.page import page
from mlresearch.report.summary import headline, summary

SEARCH_RUNS = ("baseline", "screen", "confirm")


def write(root: str) -> dict[str, str]:
    """Write all three; returns their paths and the one-line result."""
    program = state.program_of(root)
    rows = this_campaign(ledger.rows(root))
    folder = Path(root) / "runs"
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in experiments(rows))
    store.put_text(str(folder / "experiments.jsonl"), lines)
    store.put_text(str(folder / "summary.md"), summary(rows, program))
    store.put_text(str(folder / "report.html"), page(rows, program))
    names = ("experiments.jsonl", "summary.md", "report.html")
    return {**{name: str(folder / name) for name in names}, "headline": headline(rows, program)}


def this_campaign(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows from the approval that opened the ledger's last campaign."""
    kept: list[dict[str, Any]] = []
    campaign = None
    for row in rows:
        if row["event"] == "approved" and row["campaign"] != campaign:
            campaign, kept = row["campaign"], []
        kept.append(row)
    return kept


def experiments(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One line an experiment in the order of planning, with the fields a reader of such loops expects."""
    lines: dict[str, dict[str, Any]] = {}
    owner: dict[str, str] = {}
    best: float | None = None
    for row in rows:
        name = str(row.get("experiment"))
        if row["event"] == "started":
            lines["baseline"] = _line(0, row)
        elif row["event"] == "planned":
            lines[name] = _line(len(lines), row)
        elif row["event"] == "reserved" and name in lines and row["purpose"] in SEARCH_RUNS:
            owner[row["job"]] = name
            lines[name]["timeout"] = durations.show(row["timeout_s"])
        elif row["event"] in ("submitted", "adopted") and row["job"] in owner:
            line = lines[owner[row["job"]]]
            line["job_id"].append(row["job_id"])
            line["hub_url"] = row["url"] or line["hub_url"]
            line["status"] = "submitted"
        elif row["event"] == "baseline":
            best = row["mean"]
            lines[name] |= {"metric": row["mean"], "status": "completed", "decision": "keep", "best_so_far": best}
        elif row["event"] == "decided" and row["state"] != "candidate":
            best = row["best"]
            known = [value for value in row["values"] if value is not None]
            metric = sum(known) / len(known) if known else None
            status = "error" if row["state"] == "crash" else "completed"
            lines[name] |= {"metric": metric, "status": status, "decision": row["decision"], "best_so_far": best}
    yield from lines.values()


def _line(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "iter": number,
        "ts": row["ts"],
        "hypothesis": row["hypothesis"],
        "config": row["config"],
        "job_id": [],
        "status": "planned",
        "metric": None,
        "hub_url": None,
        "decision": None,
        "best_so_far": None,
        "timeout": None,
    }
