"""A whole task on this machine, played by an agent that does what each brief says and knows nothing else of the state.

Model and data are folders of the project, jobs really run (on the plain interpreter, without packages), papers come
from the recorded services. Every command is a real one; `Run` says how it is called.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fakes.pipeline_answers import PAPER, QUOTE, Answer, Honest
from fakes.pipeline_world import DATASET, MODEL
from mlresearch.pipeline import engine
from mlresearch.pipeline.job_plans import WITH_JOB
from mlresearch.pipeline.world import Present

TEXT = f"Fine-tune {MODEL} on {DATASET} with SFT and LoRA at a maximum sequence length of 1024"
# in uv's place: the script that follows --script, without any package
RUNNER = f"""#!{sys.executable} -S
import os, sys
os.execv(sys.executable, [sys.executable, "-S", *sys.argv[sys.argv.index("--script") + 1 :]])
"""

# a script and its words; the answer of --json. Raises for a command that does not succeed.
Run = Callable[..., dict[str, Any]]


def make(top: Path) -> Path:
    """The project's folder, with a model and data of its own, and what stands in uv's place beside it."""
    root = top / "project"
    (root / MODEL).mkdir(parents=True)
    (root / MODEL / "config.json").write_text("{}")
    (root / DATASET).mkdir(parents=True)
    for split, count in (("train", 30), ("test", 6)):
        rows = [{"messages": _turns(f"{split} {number}")} for number in range(count)]
        (root / DATASET / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runner = top / "uv"
    runner.write_text(RUNNER)
    runner.chmod(0o755)
    return root


def _turns(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"say {text}"}, {"role": "assistant", "content": text}]


def environment(top: Path, papers: Mapping[str, str]) -> dict[str, str]:
    ours = {"HOME": str(top), "XDG_DATA_HOME": str(top / "store"), "UV": str(top / "uv"), "ML_RESEARCH_PACE_S": "0"}
    return {**papers, **ours, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class LocalHonest(Honest):
    """Honest answers about folders of this machine: they have no revision, and the data is what an inspection says."""

    def finder(self) -> Answer:
        paper = self.source("paper", PAPER, f"https://arxiv.org/abs/{PAPER}")
        data = self.source("dataset", DATASET, f"https://example.org/{DATASET}")
        use = "train with LoRA at rank 8 or more"
        finding = {"claim": "few weights are enough for a fine-tuning", "quote": QUOTE, "source": 0, "use": use}
        return {"findings": [finding], "sources": [paper, data], "fidelity": "full", "notSeen": []}

    def recipe(self) -> Answer:
        return {**super().recipe(), "sources": self.finder()["sources"]}

    def resource(self, kind: str) -> Answer:
        found = super().resource(kind)
        found["verified"] |= {"revision": None, "licence": None}
        return found

    def data_audit(self) -> Answer:
        seen = Present(str(self.root)).verdict(DATASET, None, "sft")
        return {**super().data_audit(), "splits": dict(seen["splits"]), "columns": dict(seen["columns"])}


class Agent:
    """Follows `pipeline.py next` to the end. `submits` are the jobs that it asked for."""

    def __init__(self, root: Path, run: Run) -> None:
        self.root, self.run = root, run
        self.submits = 0

    def play(self) -> dict[str, Any]:
        """The answer of `finalize`."""
        while True:
            found = self.run("pipeline.py", "next")
            if found["do"] != "steps":
                return self.run("pipeline.py", "finalize")
            for brief in found["briefs"]:
                self.step(brief)

    def step(self, brief: Mapping[str, Any]) -> None:
        if brief["approval"] is not None:
            self.run("program.py", "approve", "--digest", brief["approval"]["digest"])
            return
        if brief["job"] is not None and not brief["job"]["is_known"]:
            self.run("jobs.py", "reconcile")
            return
        self.write(brief["output"], json.dumps(self._answer(brief)))
        self.run("pipeline.py", "complete", "--phase", brief["step"], "--output", brief["output"])

    def write(self, name: str, text: str) -> None:
        output = self.root / name
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)

    def honest(self, task: str) -> Honest:
        """Who makes the answers."""
        return LocalHonest(str(self.root), task, f"work/{task}/model", "cpu")

    def submit(self, command: str) -> str:
        """The job that a printed command line makes."""
        words = shlex.split(command)
        name: str = self.run("jobs.py", *words[words.index("submit") :])["job"]
        return name

    def _answer(self, brief: Mapping[str, Any]) -> Answer:
        task, step = brief["task"], brief["step"]
        honest = self.honest(task)
        if step in WITH_JOB:
            return self._of_job(honest, brief)
        if brief["agent"] == "critic" and step != "final_verification":
            return honest.critic(engine.load(str(self.root), task), step)
        if step.startswith("resources."):
            return honest.resource(step.partition(".")[2])
        plain = {"research.recipe": honest.recipe, "readiness": honest.checklist}
        plain |= {"final_verification": honest.completion, "plan": honest.plan, "implement": honest.implement}
        return plain.get(step, honest.data_audit if step == "data_audit" else honest.finder)()

    def _of_job(self, honest: Honest, brief: Mapping[str, Any]) -> Answer:
        step, job = brief["step"], brief["job"]["job"] if brief["job"] else None
        if job is None:
            command = next(line["command"] for line in brief["commands"] if " submit " in line["command"])
            job = self.submit(command)
            self.submits += 1
        self.run("jobs.py", "wait", "--job", job)
        log = self.run("jobs.py", "logs", "--job", job)["lines"]
        if step == "evaluate":
            return honest.evaluation(job)
        return (
            honest.smoke(job, log)
            if step == "cpu_smoke"
            else honest.job(job, log, sum(line.startswith("step ") for line in log))
        )
