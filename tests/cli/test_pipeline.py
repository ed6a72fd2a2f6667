"""pipeline.py as it is called: a whole task on this machine, and what it refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli.commands import Project
from fakes import local_task
from fakes.local_task import Agent
from fakes.papers_server import PapersServer
from mlresearch import ledger, seal
from mlresearch.cli import jobs, pipeline, program
from mlresearch.pipeline import engine, journal, steps

COMMANDS = {"pipeline.py": pipeline.run, "jobs.py": jobs.run, "program.py": program.run}


class Desk:
    """A project and the commands in this process: a whole task calls sixty of them."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root, self._capture = root, capture

    def call(self, script: str, *words: str) -> tuple[int, str, str]:
        self._capture.readouterr()
        code = COMMANDS[script](list(words))
        out, err = self._capture.readouterr()
        return code, out, err

    def done(self, script: str, *words: str) -> dict[str, Any]:
        code, out, err = self.call(script, *words, "--json")
        assert code == 0, err
        answer: dict[str, Any] = json.loads(out)
        return answer

    def refused(self, *words: str) -> dict[str, Any]:
        code, out, err = self.call("pipeline.py", *words, "--json")
        assert code == 2, out
        assert len(err.splitlines()) == 1
        answer: dict[str, Any] = json.loads(out)
        assert set(answer) == {"error", "allowed", "next"}
        return answer


@pytest.fixture(scope="module")
def papers() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


@pytest.fixture
def desk(
    tmp_path: Path, papers: PapersServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    root = local_task.make(tmp_path)
    for name, value in local_task.environment(tmp_path, papers.environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
    monkeypatch.chdir(root)
    return Desk(root, capsys)


def test_a_task_is_taken_from_its_first_sentence_to_a_report_by_following_the_briefs(desk: Desk) -> None:
    task = desk.done("pipeline.py", "start", local_task.TEXT)["task"]
    agent = Agent(desk.root, desk.done)
    ended = agent.play()
    assert (ended["reason"], ended["conforms"], ended["missing"]) == ("completed", True, [])
    assert agent.submits == 4
    rows = list(ledger.rows(str(desk.root)))
    assert [row["stage"] for row in rows if row["event"] == "settled"] == ["COMPLETED"] * 4
    assert ledger.verify(str(desk.root)) == []
    assert ledger.standing(str(desk.root)).open == {}
    assert seal.load(str(desk.root)) is None
    assert not (desk.root / seal.PROGRAM).exists()
    report = (desk.root / ended["report"]).read_text()
    for part in (local_task.TEXT, "| j0003 | full_job | local cpu | COMPLETED |", "eval_loss: **1.9**", "2106.09685"):
        assert part in report
    status = desk.done("pipeline.py", "status")
    assert (status["task"], len(status["done"]), status["todo"]) == (task, len(steps.STEPS), [])
    assert desk.done("pipeline.py", "next")["do"] == "nothing"
    assert desk.done("pipeline.py", "finalize")["conforms"] is True
    assert desk.done("pipeline.py", "start", "another one")["task"] != task


def test_a_question_is_answered_and_the_task_ends_at_once(desk: Desk) -> None:
    task = desk.done("pipeline.py", "start", "What is LoRA?")["task"]
    honest = local_task.LocalHonest(str(desk.root), task)
    trivial = {"isTrivial": True, "directAnswer": "A low-rank update.", "taskType": None, "successMetric": None}
    asked = {**honest.plan()["baseline"], "model": None, "dataset": None, "adapter": None, "sequenceLength": None}
    file = honest.write("plan.json", json.dumps({**honest.plan(), **trivial, "baseline": asked, "steps": []}))
    ended = desk.done("pipeline.py", "complete", "--phase", "plan", "--output", file)
    assert ended["stopped"]["reason"] == "answered"
    assert ended["stopped"]["conforms"] is True
    assert "A low-rank update." in (desk.root / "runs" / task / "report.md").read_text()
    assert desk.done("pipeline.py", "next")["do"] == "nothing"


def test_a_page_is_short_and_the_whole_is_in_json(desk: Desk) -> None:
    desk.done("pipeline.py", "start", local_task.TEXT)
    agent = Agent(desk.root, desk.done)
    while (found := desk.done("pipeline.py", "next"))["do"] == "steps":
        code, text, _ = desk.call("pipeline.py", "next")
        pages = text.split("\n\n== ")
        assert code == 0
        assert all(len(page.splitlines()) <= 120 for page in pages)
        for brief in found["briefs"]:
            assert brief["schema"]["title"]
            assert brief["goal"] in text
            assert all(line["command"] in text for line in brief["commands"])
        agent.step(found["briefs"][0])
        if "cpu_smoke" in [brief["step"] for brief in found["briefs"]]:
            break


def test_what_an_answer_gets_wrong_is_told_in_one_line_and_nothing_is_lost(desk: Desk) -> None:
    task = desk.done("pipeline.py", "start", local_task.TEXT)["task"]
    honest = local_task.LocalHonest(str(desk.root), task)
    file = honest.write("plan.json", json.dumps({**honest.plan(), "steps": 7, "more": 1}))
    told = desk.refused("complete", "--phase", "plan", "--output", file)
    assert "2 faults" in told["error"]
    assert "more" in told["error"]
    assert "steps" in told["error"]
    assert engine.load(str(desk.root), task).todo == ("plan",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "TASK is missing"),
        ([""], "the task is empty"),
        (["train", "--cost-cap-usd", "-1"], "is not an amount"),
        (["train", "--cost-cap-usd", "ten"], "is not an amount"),
        (["train", "--cost-cap-usd", "nan"], "is not an amount"),
        (["train", "--max-job-retries", "0"], "no count"),
        (["train", "--max-job-retries", "1.5"], "no count"),
        (["train", "--max-job-retries", "99"], "no count"),
        (["train", "--backend", "slurm"], "--backend 'slurm' is unknown"),
        (["train", "--hub-org", "a/b"], "no name of an account"),
        (["train", "--model"], "needs a value"),
        (["train", "--task", "x"], "unknown option '--task'"),
    ],
)
def test_a_start_that_can_not_be_read_opens_nothing(desk: Desk, words: list[str], told: str) -> None:
    assert told in desk.refused("start", *words)["error"]
    assert not (desk.root / "runs").exists()


def test_a_start_beside_a_campaign_or_an_open_task_is_refused(desk: Desk) -> None:
    (desk.root / seal.PROGRAM).write_text("# mine\n")
    assert "program.md" in desk.refused("start", "train")["error"]
    (desk.root / seal.PROGRAM).unlink()
    task = desk.done("pipeline.py", "start", "train")["task"]
    told = desk.refused("start", "train")
    assert task in told["error"]
    assert told["next"] == f"pipeline.py next --task {task}"


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("train it", "local"),
        ("train it on HF Jobs", "hf"),
        ("use Hugging Face jobs for it", "hf"),
        ("hf jobless", "local"),
    ],
)
def test_the_backend_is_this_machine_unless_the_task_says_otherwise(desk: Desk, text: str, backend: str) -> None:
    assert desk.done("pipeline.py", "start", text, "--hub-org", "me")["backend"] == backend


@pytest.mark.parametrize("verb", ["next", "status", "finalize"])
def test_without_a_task_a_verb_says_how_to_begin(desk: Desk, verb: str) -> None:
    code, out, _ = desk.call("pipeline.py", verb, "--json")
    assert code == 1
    assert "pipeline.py start" in json.loads(out)["next"]


@pytest.mark.parametrize("name", ["other", "../x", "", "a\nb"])
def test_a_task_that_is_not_here_is_refused_with_those_that_are(desk: Desk, name: str) -> None:
    task = desk.done("pipeline.py", "start", "train")["task"]
    code, out, _ = desk.call("pipeline.py", "next", f"--task={name}", "--json")
    found = json.loads(out)
    assert (code, task in json.dumps(found)) == ((0, True) if name == "" else (1, True))


def test_it_is_found_from_a_folder_below(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    task = desk.done("pipeline.py", "start", "train")["task"]
    monkeypatch.chdir(desk.root / "work" / task)
    assert desk.done("pipeline.py", "next")["task"] == task


def test_a_session_may_stop_it_and_says_why(desk: Desk) -> None:
    desk.done("pipeline.py", "start", "train")
    assert "unknown" in desk.refused("finalize", "--stop", "tired")["error"]
    code, out, _ = desk.call("pipeline.py", "finalize", "--stop", "approval_denied")
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "approval_denied" in out


def test_what_a_stopped_task_looked_up_is_offered_to_one_of_the_same_words(desk: Desk) -> None:
    old = desk.done("pipeline.py", "start", local_task.TEXT)["task"]
    agent = Agent(desk.root, desk.done)
    while (brief := desk.done("pipeline.py", "next")["briefs"][0])["step"] != "resources.model":
        agent.step(brief)
    desk.done("pipeline.py", "finalize", "--stop", "interrupted")
    desk.done("pipeline.py", "start", local_task.TEXT)
    agent.step(desk.done("pipeline.py", "next")["briefs"][0])
    found = {brief["step"]: brief for brief in desk.done("pipeline.py", "next")["briefs"]}
    file = f"work/{old}/research.landmark.json"
    assert any(f"--output {file}" in note for note in found["research.landmark"]["notes"])
    desk.done("pipeline.py", "complete", "--phase", "research.landmark", "--output", file)
    assert desk.done("pipeline.py", "status")["done"] == ["plan", "research.landmark"]

    desk.done("pipeline.py", "finalize", "--stop", "interrupted")
    desk.done("pipeline.py", "start", f"{local_task.TEXT}, please")
    agent.step(desk.done("pipeline.py", "next")["briefs"][0])
    briefs = desk.done("pipeline.py", "next")["briefs"]
    assert "research.landmark" in [brief["step"] for brief in briefs]
    assert not any("hand it in again" in note for brief in briefs for note in brief["notes"])


def test_the_entry_script_runs_it(tmp_path: Path) -> None:
    project = Project(tmp_path)
    task = project.done("pipeline.py", "start", "train", "a", "thing")["task"]
    assert task.startswith("train-a-thing-")
    assert project.done("pipeline.py", "next")["briefs"][0]["step"] == "plan"
    assert os.path.isdir(project.root / "work" / task)


def test_two_answers_to_one_step_at_once_are_accepted_once(tmp_path: Path) -> None:
    project = Project(tmp_path)
    task = project.done("pipeline.py", "start", local_task.TEXT)["task"]
    honest = local_task.LocalHonest(str(project.root), task)
    file = honest.write("plan.json", json.dumps(honest.plan()))
    words = ("complete", "--phase", "plan", "--output", file)
    with ThreadPoolExecutor() as pool:
        codes = [done.returncode for done in pool.map(lambda _: project.run("pipeline.py", *words), range(3))]
    assert sorted(codes) == [0, 2, 2]
    events = [row["event"] for row in journal.rows(str(project.root), task)]
    assert events == ["started", "accepted"]


def test_a_person_is_shown_the_limits_of_a_task_and_not_those_of_experiments(desk: Desk) -> None:
    task = desk.done("pipeline.py", "start", local_task.TEXT)["task"]
    honest = local_task.LocalHonest(str(desk.root), task)
    file = honest.write("plan.json", json.dumps(honest.plan()))
    desk.done("pipeline.py", "complete", "--phase", "plan", "--output", file)
    code, text, _ = desk.call("program.py", "show")
    assert code == 0
    assert f"task          {task}" in text
    assert not [line for line in text.splitlines() if line.startswith(("room ", "one run ", "experiments "))]
    checked = desk.done("program.py", "check")
    assert (checked["ok"], checked["notes"]) == (True, [])
    code, text, _ = desk.call("program.py", "approve", "--digest", checked["digest"])
    assert (code, "next: pipeline.py next" in text) == (0, True)
