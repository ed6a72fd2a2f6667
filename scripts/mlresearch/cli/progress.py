"""Live progress of a campaign on stderr: a panel on a terminal, one line a decision elsewhere. Reads, never decides."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mlresearch import durations, ledger
from mlresearch.campaign.rules import Step
from mlresearch.campaign.state import Campaign

SHOWN = 8


class Progress:
    """Use as a context manager; `show` is called after every step with what comes next."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live: Live | None = None
        self._seen = 0
        self._begun = time.time()
        self._decided: list[Text] = []

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(console=self._console, refresh_per_second=6, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, step: Step, campaign: Campaign) -> None:
        if self._console.quiet:
            return
        for row in self._new_rows(campaign):
            line = _told(row)
            if line is not None:
                self._decided.append(line)
                if self._live is None:
                    self._console.print(line, soft_wrap=True)
        if self._live is not None:
            self._live.update(self._panel(step, campaign))

    def _new_rows(self, campaign: Campaign) -> list[dict[str, object]]:
        if campaign.standing.seq == self._seen:
            return []
        rows = [row for row in ledger.rows(campaign.root) if row["seq"] > self._seen]
        self._seen = campaign.standing.seq
        return rows

    def _panel(self, step: Step, campaign: Campaign) -> Group:
        standing, limits = campaign.standing, campaign.seal.envelope
        spent = standing.spent()
        head = Text(f"campaign {standing.campaign}  ", style="bold")
        head.append(f"{campaign.program['goal']['direction']} {campaign.program['goal']['metric']}", style="cyan")
        table = Table.grid(padding=(0, 2))
        planned = min(standing.next_experiment - 1, campaign.program["criteria"]["max_experiments"])
        most = campaign.program["criteria"]["max_experiments"]
        table.add_row("experiments", ProgressBar(most, planned, width=28), f"{planned}/{most}")
        table.add_row(
            "jobs",
            ProgressBar(limits.max_jobs, spent.jobs, width=28),
            f"{spent.jobs}/{limits.max_jobs}, {spent.open_jobs} open",
        )
        passed = durations.show(int(time.time() - self._begun) or 1)
        clock = f"{passed} passed, {durations.show(standing.seconds)} of job time"
        return Group(
            head,
            table,
            Text(f"{step.do}: {step.why}", style="dim"),
            *self._decided[-SHOWN:],
            Text(clock, style="dim"),
        )


def _told(row: dict[str, object]) -> Text | None:
    if row["event"] == "baseline":
        return Text(f"baseline   {row['mean']:.5g}  noise {row['sigma']:.3g}", style="bold")
    if row["event"] == "stopped":
        return Text(f"stopped    {row['message']}", style="yellow")
    if row["event"] != "decided":
        return None
    styles = {"confirmed": "bold green", "candidate": "green", "refuted": "red", "crash": "red"}
    gain = "" if row["gain_sigma"] is None else f"{row['gain_sigma']:+.2f} noise units"
    return Text(
        f"{row['experiment']}      {row['state']:12} {gain:>20}   best {row['best']:.5g}",
        style=styles.get(str(row["state"]), "dim"),
    )


def note(text: str) -> None:
    """One diagnostic line."""
    print(text, file=sys.stderr)
