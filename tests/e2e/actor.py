"""A model that drives a campaign by the plugin's own words: it runs `campaign.py next` and does what the answer says.

Knows nothing of the campaign but the commands' answers, as a session after a compaction would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from e2e.client import REPO
from e2e.model_api import Json, Request, say, use
from e2e.project import rows


def command(script: str, *words: str) -> str:
    return " ".join(["uv run -q", str(REPO / "scripts" / script), *words])


def bash(text: str) -> Json:
    return use("Bash", command=text)


class Campaigner:
    """Give `turn` to the scripted model as often as it may take; it stops after `experiments` decisions."""

    def __init__(self, project: Path, changes: Sequence[dict[str, Any]]) -> None:
        self.project, self.changes = project, list(changes)
        self.did: list[str] = []
        self._planned = 0
        self._queue: Iterator[Sequence[Json]] = iter(())

    def turn(self, request: Request) -> Sequence[Json]:
        for blocks in self._queue:
            return blocks
        answer = self._answer(request)
        if answer is None:
            return [bash(command("campaign.py", "next", "--json"))]
        self.did.append(answer["do"])
        if answer["do"] == "plan" and self._planned == len(self.changes):
            if self._undecided():
                return [bash(command("campaign.py", "collect", "--wait", "20s"))]
            return [say("the campaign is where it should be")]
        self._queue = iter(self._steps(answer))
        return next(self._queue)

    def _undecided(self) -> bool:
        decided = [row for row in rows(self.project) if row["event"] == "decided" and row["state"] != "candidate"]
        return len(decided) < len(self.changes)

    def _answer(self, request: Request) -> dict[str, Any] | None:
        """What `next` said, if it was the last thing that ran."""
        last = request.results[-1].text if request.results else ""
        try:
            found: dict[str, Any] = json.loads(last.splitlines()[0]) if last.startswith("{") else {}
        except ValueError:
            return None
        return found if "do" in found else None

    def _steps(self, answer: dict[str, Any]) -> Iterator[Sequence[Json]]:
        script, *words = answer["command"].split()
        if answer["do"] == "plan":
            yield [self._write(words[-1], json.dumps(self._plan(words[-1])))]
        elif answer["do"] == "analyse":
            folder = f"work/{answer['experiment']}"
            yield [self._write(f"{folder}/curve.txt", "flat"), self._write(f"{folder}/analysis.md", "- flat")]
        yield [bash(command(script, *words))]

    def _write(self, name: str, text: str) -> Json:
        return use("Write", file_path=str(self.project / name), content=text)

    def _plan(self, file: str) -> dict[str, Any]:
        log = next((self.project / "runs" / "jobs").glob("*/log.txt"))
        change = self.changes[self._planned]
        self._planned += 1
        deliverable = {
            "script": "work/curve.py",
            "output": f"{Path(file).parent}/curve.txt",
            "question": "does the curve level off?",
            "expected_if_helped": "it does",
            "expected_if_not": "it does not",
        }
        quote = log.read_text().splitlines()[-1]
        anchor = {
            "file": str(log.relative_to(self.project)),
            "quote": quote,
            "reason": "the last value is low",
        }
        hypothesis = f"{change} is better than the incumbent"
        return {"hypothesis": hypothesis, "change": change, "anchor": anchor, "deliverables": [deliverable]}
