"""What the commands tell around a task: the next step, what its limits are for, where things are once it is over."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import task_film
from fakes.papers_server import PapersServer
from fakes.task_film import At, Film
from mlresearch import seal

STEPS = ("plan", "implement", "gpu_preflight", "full_job", "final_verification")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    """A free task as it stood at each of STEPS."""
    top, pictures = tmp_path_factory.mktemp("play"), tmp_path_factory.mktemp("pictures")
    with PapersServer() as papers, task_film.desk(top, papers.environment):
        film = Film(top, pictures, is_paid=False)
        film.shoot(STEPS)
        yield film.at


def told(script: str, *words: str) -> tuple[int, str]:
    """The exit status and text of a command for a person, errors included."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = task_film.COMMANDS[script](list(words))
    return code, said.getvalue()


def task_of(root: Path) -> str:
    (name,) = (path.name for path in (root / "work").iterdir())
    return name


def test_news_inside_a_task_names_its_next_step_and_no_campaign(at: At) -> None:
    player = at("plan")
    task = task_of(player.root)
    before = player.run("jobs.py", "news")
    assert before["next"] == f"pipeline.py next --task {task}"
    assert before["sleep_s"] == 0
    player = at("full_job")
    brief = player.to("full_job")
    job = player.submit(next(line["command"] for line in brief["commands"] if " submit " in line["command"]))
    during = player.run("jobs.py", "news")
    assert during["next"] == f"pipeline.py next --task {task}"
    assert during["why"] == f"{job} is open"
    assert during["sleep_s"] > 0
    player.run("jobs.py", "wait", "--job", job)
    code, text = told("jobs.py", "news")
    assert code == 0
    assert f"next: pipeline.py next --task {task} (the task {task} goes on)" in text
    assert "campaign" not in text


def test_news_after_a_task_has_nothing_more_to_do(at: At) -> None:
    player = at("final_verification")
    player.play()
    found = player.run("jobs.py", "news")
    assert (found["next"], found["sleep_s"]) == ("", None)
    (end,) = [one for one in found["told"] if one["event"] == "closed"]
    assert (end["task"], end["reason"]) == (task_of(player.root), "completed")
    assert player.run("jobs.py", "news")["told"] == []


def test_news_names_a_record_of_a_task_that_was_damaged(at: At) -> None:
    player = at("plan")
    record = player.root / "runs" / task_of(player.root) / "journal.jsonl"
    record.write_text(record.read_text().replace("SFT", "DPO") + "{}\n")
    found = player.run("jobs.py", "news")
    assert found["next"] == "pipeline.py status"
    assert "damaged, edited or reordered" in found["why"]


def test_the_limits_of_a_task_are_shown_with_what_each_is_for(at: At) -> None:
    player = at("implement")
    code, text = told("program.py", "show")
    assert code == 0
    assert "for           cpu_smoke: at most 4 runs of 30m on local\n" in text
    assert "time limits are guesses until the scripts are written" in text
    player = at("gpu_preflight")
    player.run("pipeline.py", "next")
    code, text = told("program.py", "show")
    for line in (
        "may spend     at most $0.00",
        "jobs          at most 13, 1 at once",
        "job time      at most 11h, 3h each",
        "for           gpu_preflight: at most 4 runs of 15m on local cpu",
        "for           full_job: at most 4 runs of 1h30m on local cpu",
        "for           evaluate: at most 5 runs of 30m on local cpu",
        "for           runs count every new try (memory has four rungs); one of evaluate may be for the baseline",
        "for           the longest time limit is for a job that ran out of time and gets more",
        "for           no dollars: jobs on this machine are free",
    ):
        assert f"{line}\n" in text
    assert "cpu_smoke" not in text
    found = player.run("program.py", "show")
    assert [need["step"] for need in found["needs"]] == ["gpu_preflight", "full_job", "evaluate"]


@pytest.mark.parametrize("verb", [["show"], ["check"], ["approve", "--digest", "0" * 16]])
def test_after_the_end_the_way_to_the_closed_program_is_told(at: At, verb: list[str]) -> None:
    player = at("final_verification")
    player.play()
    task = task_of(player.root)
    code, text = told("program.py", *verb)
    assert code == 2
    assert f"program.md was closed with the task {task}; it stands at runs/{task}/program.md" in text
    assert f"next: pipeline.py status --task {task}" in text
    assert len(text.splitlines()) == 1
    assert (player.root / "runs" / task / seal.PROGRAM).is_file()


def test_before_the_plan_a_task_says_that_it_has_no_program(at: At) -> None:
    player = at("plan")
    code, text = told("program.py", "show")
    assert code == 2
    assert f"the task {task_of(player.root)} has no program.md" in text
    assert "a task whose plan is accepted" in text


def test_the_end_of_a_task_is_told_with_number_baseline_cost_and_report(at: At) -> None:
    player = at("final_verification")
    task = task_of(player.root)
    for brief in player.run("pipeline.py", "next")["briefs"]:
        player.step(brief)
    code, text = told("pipeline.py", "finalize")
    assert code == 0
    before = "baseline (the model before training): 2.4 (standard error 0.02)"
    assert text.splitlines() == [
        f"{task}: completed, conforms",
        f"eval_loss: 1.9 (n = 200, standard error 0.01); {before}",
        "Better than the baseline by 0.5, 22.4 standard errors of the difference",
        f"model: work/{task}/model",
        "cost: spent $0.00; approved: at most $0.00 (jobs on backend local are free); jobs: 4",
        f"report: runs/{task}/report.md",
    ]
    found = player.run("pipeline.py", "finalize")
    assert (found["spent_usd"], found["approved_usd"]) == (0, 0)
    assert found["links"] == {f"work/{task}/model": "model"}
    code, status = told("pipeline.py", "status")
    assert "spent $0.00; approved: at most $0.00 (jobs on backend local are free); backend local" in status
    assert "$10" not in status
