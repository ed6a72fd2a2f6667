"""The real client plays a whole task: typed, done by what the briefs say, approved by a person, ended with a report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e import project
from e2e.actor import bash, command
from e2e.client import REPO, Client
from e2e.model_api import Json, Request, ScriptedModel, say, use
from e2e.task_actor import QUOTE, SCRIPTS, Player, TaskAgent, Unapproved
from fakes import local_task
from fakes.papers_server import PapersServer
from fakes.pipeline_answers import PAPER
from fakes.pipeline_world import DATASET, MODEL
from fakes.whole_hub import TOKEN, WholeHub
from mlresearch import seal
from mlresearch.pipeline import journal

FLAGS = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")
TURNS, PATIENCE_S = 300, 400.0


@pytest.fixture(scope="module")
def papers() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


class Played:
    """One project, its sessions, and the person at the terminal between them."""

    def __init__(self, client: Client, model: ScriptedModel, variables: dict[str, str], where: tuple[str, str]) -> None:
        self.client, self.model, self.where = client, model, where
        self.variables = {**variables, "ML_RESEARCH_PACE_S": "0"}
        self.agents: list[TaskAgent] = []
        self.openings: list[str] = []
        model.plays(*[lambda request: self.player.turn(request)] * TURNS)

    def session(self, prompt: str, start: str = "") -> str:
        """One session; what its model said at the end."""

        def act(player: Player) -> str:
            agent = TaskAgent(self.client.project, player, *self.where)
            self.agents.append(agent)
            if start:
                agent.shell(start)
            try:
                return json.dumps(agent.play())
            except Unapproved as waits:
                return f"please approve {waits}"

        self.player = Player(act)
        session = self.client.ask(self.model, prompt, flags=FLAGS, env=self.variables, seconds=PATIENCE_S)
        assert session.status == 0, session.errors
        self.openings.append(self.player.opening)
        return session.result

    def whole(self, *options: str) -> tuple[str, dict[str, Any]]:
        """The task's name and its end: a session up to the question, the person's answer, and another session."""
        start = " ".join([f"{SCRIPTS}pipeline.py start '{local_task.TEXT}'", *options])
        waits = self.session(f"/ml-research {local_task.TEXT}", start)
        assert "please approve" in waits
        project.approve(self.client, self.variables)
        (task,) = journal.tasks(str(self.client.project))
        ended: dict[str, Any] = json.loads(self.session("go on"))
        return task, ended


def settled(root: Path) -> dict[str, tuple[str, int]]:
    """Stage and bill of each job, once."""
    found = [row for row in project.rows(root) if row["event"] == "settled"]
    assert len({row["job"] for row in found}) == len(found)
    return {row["job"]: (row["stage"], row["billed_micro"]) for row in found}


def assert_ended_well(played: Played, ended: dict[str, Any], where: str) -> None:
    root = played.client.project
    assert (ended["reason"], ended["conforms"], ended["missing"]) == ("completed", True, [])
    jobs = settled(root)
    assert [stage for stage, _ in jobs.values()] == ["COMPLETED"] * 4
    assert [row["job"] for row in project.rows(root) if row["event"] == "submitted"] == list(jobs)
    assert project.terminal(played.client, "campaign.py", "verify").returncode == 0
    report = (root / ended["report"]).read_text()
    for part in (local_task.TEXT, "eval_loss: **1.9**", PAPER, where):
        assert part in report
    assert not (root / seal.PROGRAM).exists()
    assert played.agents[0].submits + played.agents[1].submits == 4


def assert_two_sessions(played: Played, task: str) -> None:
    """The skill was read, nobody could approve, and the next session was told where the task stands."""
    first, second = played.openings
    assert f"# One task: {local_task.TEXT}" in first
    assert "only a person" in played.agents[0].denials[0]
    assert f"the task {task} is open. Next: run pipeline.py next --task {task}" in second


def test_a_task_that_was_typed_is_played_to_its_report_with_paid_jobs_and_a_model_on_the_hub(
    client: Client, model: ScriptedModel, papers: PapersServer, tmp_path: Path
) -> None:
    with WholeHub(tmp_path / "jobs") as hub:
        hub.add(MODEL, DATASET)
        played = Played(client, model, papers.environment | hub.environment, ("ada/{task}", "l4x1"))
        task, ended = played.whole("--backend hf")
        assert_ended_well(played, ended, f"https://huggingface.co/ada/{task}")
        assert_two_sessions(played, task)
        assert list(hub.repos.repos) == [("model", f"ada/{task}-preflight"), ("model", f"ada/{task}")]
        bills = [billed for _, billed in settled(client.project).values()]
        assert len(hub.jobs.jobs) == 3
        assert sum(bills) == hub.jobs.bill_micro() > 0
        assert TOKEN not in model.text


@pytest.mark.long
def test_a_task_is_played_to_its_report_on_this_machine_alone(
    client: Client, model: ScriptedModel, papers: PapersServer
) -> None:
    local_task.make(client.project.parent)
    played = Played(client, model, papers.environment, ("work/{task}/model", "cpu"))
    task, ended = played.whole()
    assert_ended_well(played, ended, f"work/{task}/model")
    assert_two_sessions(played, task)
    assert {billed for _, billed in settled(client.project).values()} == {0}


def planned(client: Client, variables: dict[str, str]) -> str:
    """A task whose plan is accepted; its name."""
    started = project.terminal(client, "pipeline.py", "start", local_task.TEXT, "--json", env=variables)
    task: str = json.loads(started.stdout)["task"]
    honest = local_task.LocalHonest(str(client.project), task)
    file = honest.write("plan.json", json.dumps(honest.plan()))
    done = project.terminal(client, "pipeline.py", "complete", "--phase", "plan", "--output", file, env=variables)
    assert done.returncode == 0, done.stderr
    return task


def forbidden_calls(root: Path, step: str, look: str, evidence: str) -> list[Json]:
    """What a researcher could try beside the look-up; the client offers it no Write at all."""
    return [
        use("Write", file_path=str(root / "work" / "mine.txt"), content="x"),
        bash("touch work/mine.txt"),
        bash(f"{look} && touch work/mine.txt"),
        bash(f"{SCRIPTS}papers.py details {PAPER} --json > program.md"),
        bash(f"{SCRIPTS}pipeline.py complete --phase {step} --output {evidence}"),
        bash(f"{SCRIPTS}jobs.py submit --backend local --script work/train.py --flavor cpu --timeout 1m"),
    ]


def test_a_researcher_does_a_step_by_looking_and_can_change_nothing(
    client: Client, model: ScriptedModel, papers: PapersServer
) -> None:
    local_task.make(client.project.parent)
    task = planned(client, papers.environment)
    step, evidence = "research.landmark", f"work/{task}/evidence/research.landmark/details.json"
    look = f"{SCRIPTS}papers.py details {PAPER} --json > {evidence}"
    source = {"kind": "paper", "id": PAPER, "url": f"https://arxiv.org/abs/{PAPER}", "title": "LoRA"}
    finding = {"claim": "few weights are enough", "quote": QUOTE, "source": 0, "use": "train with LoRA"}
    answer = {"findings": [finding], "sources": [{**source, "evidence": evidence}], "fidelity": "full", "notSeen": []}
    forbidden = forbidden_calls(client.project, step, look, evidence)
    model.plays_for("errand-of-a-researcher", [bash(look)], *[[call] for call in forbidden], [say(json.dumps(answer))])

    def give(request: Request) -> Sequence[Json]:
        page = request.results[-1].text.split("\n\n==")[0]
        errand = {"prompt": f"errand-of-a-researcher\n{page}", "subagent_type": "ml-research:researcher"}
        return [use("Agent", description="look it up", run_in_background=False, **errand)]

    def keep(request: Request) -> Sequence[Json]:
        said = request.results[-1].text
        told, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
        file = client.project / "work" / task / f"{step}.json"
        return [use("Write", file_path=str(file), content=json.dumps(told))]

    complete = bash(f"{SCRIPTS}pipeline.py complete --phase {step} --output work/{task}/{step}.json")
    model.plays([bash(f"{SCRIPTS}pipeline.py next")], give, keep, [complete], [say("done")])
    session = client.ask(model, "go on", flags=FLAGS, env=papers.environment, seconds=PATIENCE_S)
    assert session.status == 0, session.errors
    by_call = {result.call: result for result in model.results}
    assert PAPER in (client.project / evidence).read_text()
    assert all(by_call[call["id"]].failed for call in forbidden), [by_call[call["id"]].text for call in forbidden]
    assert sum("researcher only looks" in by_call[call["id"]].text for call in forbidden) == 5
    assert not (client.project / "work" / "mine.txt").exists()
    assert f"{step}: accepted" in by_call[complete["id"]].text


def rules_of_the_readme() -> Json:
    """The settings that the README gives for the time before an approval, for this copy of the plugin."""
    text = (REPO / "README.md").read_text()
    (found,) = re.findall(r"```json\n(\{\"permissions\".*?)\n```", text, re.DOTALL)
    rules: Json = json.loads(found.replace("PLUGIN", str(REPO)))
    return rules


def test_the_readmes_rules_let_free_commands_run_before_an_approval_and_nothing_else(
    client: Client, model: ScriptedModel
) -> None:
    free = [f"start {local_task.TEXT!r}", "status", "next"]
    asked = [
        command("pipeline.py", "next", "&& touch rider"),
        command("pipeline.py", "next", "; touch rider"),
        f"{SCRIPTS}pipeline.py next",
        command("jobs.py", "submit --backend local --script a.py --flavor cpu --timeout 1m"),
        command("program.py", "approve --digest 0123456789ab"),
        command("hub.py", "delete --repo-id me/model --path weights"),
        "touch rider",
    ]
    model.plays(*[[bash(call)] for call in [*(command("pipeline.py", words) for words in free), *asked]], [say("done")])
    client.ask(model, "go", settings=rules_of_the_readme())
    failed = [result.failed for result in model.results]
    assert failed == [False] * len(free) + [True] * len(asked), [result.text for result in model.results]
    assert journal.tasks(str(client.project))
    assert not (client.project / "rider").exists()
