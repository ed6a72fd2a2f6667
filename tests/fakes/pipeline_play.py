"""A task that is played honestly, step by step, through the real engine and gates, in a world of facts in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.pipeline_answers import CODE, OUTPUT, PAGE, PAPER, TEXT, Answer, Honest, log_of, log_of_evaluation
from fakes.pipeline_world import FakeWorld
from mlresearch.pipeline import engine
from mlresearch.pipeline.gates import GATES
from mlresearch.pipeline.job_plans import plan
from mlresearch.pipeline.task import State, Verdict

STEPS_OF = {"cpu_smoke": 1, "gpu_preflight": 10, "full_job": 500}


class Play:
    """`given` goes to `engine.start`. `world.known` holds what the honest answers cite."""

    def __init__(self, root: Path, text: str = TEXT, output: str = OUTPUT, **given: Any) -> None:
        usual: dict[str, Any] = {
            "model": None, "dataset": None, "hub_org": "me", "smoke_model": None, "backend": "hf",
            "cost_cap_micro": 10_000_000, "max_job_retries": 3,
        }  # fmt: skip
        root.mkdir(parents=True, exist_ok=True)
        state = engine.start(str(root), text, **(usual | given))
        self.root, self.task, self.world = root, state.task.name, FakeWorld()
        flavor = "l4x1" if state.task.backend == "hf" else "cpu"
        self.honest = Honest(str(root), self.task, output.format(task=self.task), flavor)
        self.world.known |= {("paper", PAPER), ("docs", PAGE), ("code", CODE)}
        self.world.known.add(("web", f"https://huggingface.co/{self.honest.output}"))

    @property
    def state(self) -> State:
        return engine.load(str(self.root), self.task)

    def run(self, step: str, log: str | None = None) -> str:
        """The job that the step's brief asks for, completed; its name."""
        needed = plan(self.state, step)
        assert needed is not None
        usual = log_of_evaluation() if step == "evaluate" else log_of(STEPS_OF[step], 0.5 * STEPS_OF[step])
        if step == "full_job":
            self.world.places.add(self.honest.output)
        return self.world.run(needed, log if log is not None else usual)

    def answer(self, step: str) -> Answer:
        """The honest answer of a step; runs its job where it needs one."""
        honest, group = self.honest, step.partition(".")[0]
        if step in ("plan", "data_audit", "implement"):
            made: Callable[[], Answer] = getattr(honest, step)
            return made()
        if group == "research":
            return honest.recipe() if step == "research.recipe" else honest.finder()
        if group == "resources":
            return honest.resource(step.partition(".")[2])
        if step in ("verify_research", "format_critic", "code_review"):
            return honest.critic(self.state, step)
        if step == "readiness":
            return honest.checklist()
        if step == "final_verification":
            return honest.completion()
        return self._of_job(step, self.run(step))

    def _of_job(self, step: str, job: str) -> Answer:
        log = self.world.jobs[job].log
        if step == "cpu_smoke":
            return self.honest.smoke(job, log)
        return self.honest.evaluation(job) if step == "evaluate" else self.honest.job(job, log, STEPS_OF[step])

    def judge(self, step: str, output: Answer) -> Verdict:
        """What the gate says, with nothing recorded."""
        return self.gate(step, self.state, output)

    def gate(self, step: str, state: State, output: Answer) -> Verdict:
        """The same for a state that is at hand."""
        return GATES[step](state, output, self.world)

    def complete(self, step: str, output: Answer) -> Verdict:
        """Through the engine, by a file under work/, as `pipeline.py complete` does."""
        file = self.honest.write(f"answers/{step}.json", json.dumps(output))
        return engine.complete(str(self.root), self.task, step, file, self.world)

    def advance(self, until: str | None = None) -> State:
        """Play on honestly until a step is open, or to the end."""
        while (state := self.state).todo and until not in state.todo:
            for step in state.todo:
                self.complete(step, self.answer(step))
        return self.state
