"""A model that takes a task through its steps by the plugin's own words: it runs `pipeline.py next` and does the brief.

Knows nothing of the task but what the commands answered in this session. Its look-ups are the lines that a brief
prints, and what it claims of papers, model and data it has read in their answers.
"""

from __future__ import annotations

import json
import queue
import re
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.actor import bash
from e2e.model_api import Json, Request, ToolResult, say, use
from fakes.local_task import Agent, LocalHonest
from fakes.pipeline_answers import CODE, PAGE, PAPER, Answer, Honest
from fakes.pipeline_world import DATASET

PATIENCE_S = 240.0
SCRIPTS = "uv run -q ${CLAUDE_PLUGIN_ROOT}/scripts/"
QUOTE = "trains pairs of low-rank matrices beside them"


class Player:
    """Gives a scripted model what `act` does, one call a turn. `act` runs in a thread of its own, and waits there while
    the client works; it returns what the model says at the end.
    """

    def __init__(self, act: Callable[[Player], str]) -> None:
        self._act = act
        self._wanted: queue.Queue[Json] = queue.Queue()
        self._answers: queue.Queue[ToolResult] = queue.Queue()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._open = ""
        self._fault: Exception | None = None
        self.opening = ""

    def turn(self, request: Request) -> Sequence[Json]:
        """Give this to the scripted model as often as it may take."""
        if self._open:
            self._answers.put(next(one for one in request.results if one.call == self._open))
        elif not self._thread.is_alive():
            self.opening = request.opening
            self._thread.start()
        block = self._wanted.get(timeout=PATIENCE_S)
        if self._fault is not None:
            raise self._fault
        self._open = block.get("id", "")
        return [block]

    def call(self, block: Json) -> ToolResult:
        """One call of a tool, from the thread of `act`; what the client answered."""
        self._wanted.put(block)
        return self._answers.get(timeout=PATIENCE_S)

    def _play(self) -> None:
        try:
            self._wanted.put(say(self._act(self)))
        except Exception as error:  # the turn that waits raises it
            self._fault = error
            self._wanted.put(say("the script failed"))


class Unapproved(Exception):
    """The task waits for a person, who approves this digest."""


class TaskAgent(Agent):
    """`output` is where the model goes: a folder under the task's work folder, or owner/name."""

    def __init__(self, root: Path, player: Player, output: str, flavor: str) -> None:
        super().__init__(root, self._command)
        self._player, self._output, self._flavor = player, output, flavor
        self.brief: Mapping[str, Any] = {}
        self.seen: dict[str, str] = {}
        self.denials: list[str] = []
        self.lines: list[str] = []

    def shell(self, line: str) -> str:
        """A command that succeeds."""
        self.lines.append(line)
        done = self._player.call(bash(line))
        assert not done.failed, f"{line}: {done.text}"
        return done.text

    def _command(self, script: str, *words: str) -> dict[str, Any]:
        told = self.shell(f"{SCRIPTS}{script} {shlex.join(words)} --json")
        found: dict[str, Any] = json.loads(told.splitlines()[0])
        return found

    def step(self, brief: Mapping[str, Any]) -> None:
        if brief["approval"] is not None:
            self._ask_for(brief)
        self.brief = brief
        super().step(brief)

    def _ask_for(self, brief: Mapping[str, Any]) -> None:
        """Everything that the brief prints; the last line is for a person, and nobody is here."""
        *before, approve = [line["command"] for line in brief["commands"]]
        for line in before:
            self.shell(line)
        done = self._player.call(bash(approve))
        assert done.failed, "nobody is here to approve"
        self.denials.append(done.text)
        raise Unapproved(brief["approval"]["digest"])

    def write(self, name: str, text: str) -> None:
        done = self._player.call(use("Write", file_path=str(self.root / name), content=text))
        assert not done.failed, done.text

    def submit(self, command: str) -> str:
        """The printed line, to the letter."""
        found = re.search(r"\b(j\d{4,})\b", self.shell(command))
        assert found is not None
        return found[1]

    def look(self, script: str, **words: str) -> str:
        """Run a look-up of the brief, its capitals filled in; the file that its answer went to."""
        lines = [line["command"] for line in self.brief["commands"] if f"/{script} " in line["command"] + " "]
        line: str = next(line for line in lines if " > " in line)
        for name, value in words.items():
            line = line.replace(name, value)
        self.shell(line)
        return line.partition(" > ")[2]

    def honest(self, task: str) -> Honest:
        return Looking(self, task, self._output.format(task=task), self._flavor)

    def _answer(self, brief: Mapping[str, Any]) -> Answer:
        if brief["agent"] != "critic" or brief["step"] == "final_verification":
            return super()._answer(brief)
        named = [PAPER, PAGE, CODE, DATASET, "train.py", "evaluate.py"]
        checked = [{"what": name, "command": f"looked up {name}", "found": "as claimed"} for name in named]
        return {"ok": True, "mustReblock": False, "issues": [], "checked": checked, "reviewed": brief["reviewed"]}


class Looking(LocalHonest):
    """Answers whose evidence the client's commands wrote, and whose facts were read there."""

    def __init__(self, agent: TaskAgent, task: str, output: str, flavor: str) -> None:
        super().__init__(str(agent.root), task, output, flavor)
        self._agent = agent

    def write(self, name: str, text: str) -> str:
        self._agent.write(f"{self.work}/{name}", text)
        return f"{self.work}/{name}"

    def evidence(self, name: str, *words: str) -> str:
        return self._agent.look("inspect_model.py" if name == "inspected-model" else "inspect_dataset.py")

    def source(self, kind: str, name: str, url: str) -> Answer:
        """Of a look-up of this step, or of the finder that made it."""
        file = self._agent.seen.get(name, "")
        return {"kind": kind, "id": name, "url": url, "title": f"about {name}", "evidence": file}

    def finder(self) -> Answer:
        """By what the step can look up: a paper, the data, or nothing."""
        step, seen = self._agent.brief["step"], self._agent.seen
        if step == "research.examples":
            return {"findings": [], "sources": [], "fidelity": "reduced", "notSeen": ["no documentation was reached"]}
        if step == "research.datasets":
            seen[DATASET] = self._agent.look("inspect_dataset.py")
        elif step != "research.recipe":
            seen[PAPER] = self._agent.look("papers.py details", PAPER=PAPER)
        paper = self.source("paper", PAPER, f"https://arxiv.org/abs/{PAPER}")
        data = self.source("dataset", DATASET, f"https://huggingface.co/datasets/{DATASET}")
        sources = [data, paper] if step == "research.datasets" else [paper, *([data] if seen.get(DATASET) else [])]
        finding = {"claim": "few weights are enough", "source": 0, "use": "train with LoRA at rank 8 or more"}
        finding["quote"] = DATASET if step == "research.datasets" else QUOTE
        return {"findings": [finding], "sources": sources, "fidelity": "full", "notSeen": []}

    def resource(self, kind: str) -> Answer:
        answer = Honest.resource(self, kind)
        told = json.loads((self.root / answer["verified"]["evidence"]).read_text())
        answer["verified"] |= {"revision": told.get("revision"), "licence": told.get("license")}
        return answer | ({"parameters": told["parameters"]["total"]} if kind == "model" else {})

    def data_audit(self) -> Answer:
        answer = Honest.data_audit(self)
        told = json.loads((self.root / answer["evidence"]).read_text())
        rows = {each["split"]: each["rows"] for each in told["splits"]}
        return {**answer, "splits": rows, "columns": told["types"]}
