"""What has changed since the last look: nothing twice, nothing lost, a screenful at most, and how long to sleep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import watchers
from fakes.toy_project import SCRIPTS, Toy
from ledger_home import RESERVED, Home
from mlresearch import ledger
from mlresearch.campaign import running
from mlresearch.errors import LedgerError, UsageError
from mlresearch.jobs import events, news
from mlresearch.jobs.news import LONGEST_SLEEP_S, MOST_ENDED, SHORTEST_SLEEP_S, Cursor

START = Cursor()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    made = Home(tmp_path)
    ledger.append(made.root, "approved", campaign="c")
    return made


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.write()
    made.approve()
    yield made
    watchers.end(made.path)
    made.end_jobs()


def reserve(home: Home, number: int, **changes: Any) -> str:
    job = f"j{number:04d}"
    ledger.append(home.root, "reserved", job=job, **{**RESERVED, **changes})
    ledger.append(home.root, "submitted", job=job, job_id="x", url=None)
    return job


def settle(home: Home, job: str, stage: str = "COMPLETED", billed_s: int = 3, ended_at: float | None = None) -> None:
    bill = {"stage": stage, "exit_code": 0, "billed_s": billed_s, "billed_micro": 50, "ended_at": ended_at}
    ledger.append(home.root, "settled", job=job, **bill)


def said(toy: Toy, *words: str) -> dict[str, Any]:
    done = toy.run("jobs.py", "news", "--json", *words)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_each_end_is_told_once_with_stage_value_and_cost(home: Home) -> None:
    first = reserve(home, 1)
    settle(home, first, "FAILED")
    seen = news.since(home.root, START)
    settle(home, reserve(home, 2))
    again = news.since(home.root, Cursor.parse(seen.cursor))

    assert [(one["job"], one["stage"], one["billed_micro"]) for one in seen.ended] == [("j0001", "FAILED", 50)]
    assert [one["job"] for one in again.ended] == ["j0002"]
    assert news.since(home.root, Cursor.parse(again.cursor)).ended == []


def test_events_that_the_ledger_does_not_hold_are_told_and_those_it_holds_are_not_told_twice(home: Home) -> None:
    settle(home, reserve(home, 1))
    ledger.append(home.root, "stopped", reason="denied", message="max_usd")
    events.append(home.root, "watching", 1, pid=3)
    events.append(home.root, "settled", 4, job="j0001")
    events.append(home.root, "stopped", 5, reason="denied", message="max_usd")
    events.append(home.root, "stalled", 5, job="j0002", why="no new step")
    seen = news.since(home.root, START)

    assert [one["job"] for one in seen.ended] == ["j0001"]
    assert [one["event"] for one in seen.told] == ["stopped", "stalled"]
    assert news.since(home.root, Cursor.parse(seen.cursor)).told == []


def test_the_end_of_a_task_is_told_once(home: Home) -> None:
    ledger.append(home.root, "closed", campaign="c", task="t", reason="completed")
    events.append(home.root, "closed", 1, task="t", reason="completed")
    seen = news.since(home.root, START)

    assert [(one["event"], one["task"], one["reason"]) for one in seen.told] == [("closed", "t", "completed")]
    assert news.since(home.root, Cursor.parse(seen.cursor)).told == []


def test_more_than_a_screenful_keeps_the_newest_and_counts_the_rest(home: Home) -> None:
    for number in range(1, MOST_ENDED + 6):
        settle(home, reserve(home, number))
    seen = news.since(home.root, START)

    assert (len(seen.ended), seen.left_out) == (MOST_ENDED, 5)
    assert seen.ended[-1]["job"] == f"j{MOST_ENDED + 5:04d}"


def test_how_long_to_sleep_is_the_time_that_like_jobs_took(home: Home) -> None:
    for number, seconds in enumerate((100, 300, 200), 1):
        job = reserve(home, number, timeout_s=3000, reserved_s=3000)
        settle(home, job, billed_s=seconds, ended_at=time.time() + seconds)
    settle(home, reserve(home, 4, timeout_s=3000, reserved_s=3000), "FAILED", billed_s=1)
    settle(home, reserve(home, 5, timeout_s=900, reserved_s=900), billed_s=1)
    assert news.sleep_s(home.root) is None

    reserve(home, 6, timeout_s=3000, reserved_s=3000)
    found = news.sleep_s(home.root)

    assert found is not None
    assert 100 < found <= 201


def test_without_a_like_job_the_timeout_says_how_long_and_never_more_than_an_hour(home: Home) -> None:
    reserve(home, 1, timeout_s=600, reserved_s=600)
    short = news.sleep_s(home.root)
    settle(home, "j0001", "FAILED")
    reserve(home, 2, timeout_s=90_000, reserved_s=90_000)

    assert short is not None
    assert 500 < short <= 601
    assert news.sleep_s(home.root) == LONGEST_SLEEP_S


def test_an_overdue_job_is_looked_at_again_soon(home: Home) -> None:
    settle(home, reserve(home, 1), billed_s=0, ended_at=0.0)
    reserve(home, 2)

    assert news.sleep_s(home.root) == SHORTEST_SLEEP_S


@pytest.mark.parametrize("text", ["", "1", "1.2.3", "-1.0", "1.x", "٣.0", "9" * 17 + ".0", "1.0 "])
def test_a_cursor_that_no_news_printed_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Cursor.parse(text)


def test_a_cursor_of_another_ledger_begins_at_the_start(home: Home) -> None:
    settle(home, reserve(home, 1))

    assert [one["job"] for one in news.since(home.root, Cursor(999, 0)).ended] == ["j0001"]


def test_a_ledger_that_can_not_be_trusted_is_no_news(home: Home) -> None:
    settle(home, reserve(home, 1))
    home.path.write_bytes(home.path.read_bytes().replace(b'"stage": "COMPLETED"', b'"stage": "COMPLETER"') + b"x\n")

    with pytest.raises(LedgerError):
        news.since(home.root, START)


def test_a_session_has_a_cursor_of_its_own_and_a_damaged_one_begins_anew(home: Home) -> None:
    news.remember(home.root, "session-a", Cursor(3, 4))

    assert news.remembered(home.root, "session-a") == Cursor(3, 4)
    assert news.remembered(home.root, "session-b") == START
    (path,) = home.store.glob("news/*.json")
    path.write_text('{"cursor": "3.')
    assert news.remembered(home.root, "session-a") == START
    news.remember(home.root, "../../escape", Cursor(1, 1))
    assert news.remembered(home.root, "") == Cursor(1, 1)  # a name that is no session's is the terminal's


def test_the_command_tells_ends_values_the_next_command_and_the_sleep(toy: Toy) -> None:
    assert toy.run("campaign.py", "start").returncode == 0
    assert toy.run("campaign.py", "submit", "--experiment", "baseline").returncode == 0
    first = said(toy)
    running.collect(toy.path, 30.0)
    while toy.standing().open:
        running.collect(toy.path, 30.0)
    text = toy.run("jobs.py", "news")

    assert (first["next"], first["watching"]) == ("campaign.py collect --wait 10m", False)
    assert SHORTEST_SLEEP_S <= first["sleep_s"] <= 66
    assert text.returncode == 0
    lines = text.stdout.splitlines()
    assert len([line for line in lines if " COMPLETED baseline baseline value 0." in line]) == 3
    assert "next: campaign.py decide --experiment baseline (every run of baseline is measured)" in lines
    assert "sleep: 0 s, there is something to do" in lines
    assert lines[-1].startswith("cursor: ")
    assert said(toy)["ended"] == []
    assert len(said(toy, "--since", "0.0")["ended"]) == 3


def test_a_reader_that_dies_before_it_printed_reads_the_same_again(toy: Toy) -> None:
    running_job(toy)
    ours, theirs = os.pipe()
    os.close(ours)
    words = [sys.executable, str(SCRIPTS / "jobs.py"), "news", "--json"]
    dead = subprocess.run(words, cwd=toy.root, env=toy.environment(), stdout=theirs, timeout=120, check=False)
    os.close(theirs)
    assert dead.returncode == 1

    assert [one["job"] for one in said(toy)["ended"]] == ["j0001"]
    assert said(toy)["ended"] == []


def running_job(toy: Toy) -> None:
    """One job that has ended and is settled."""
    (toy.root / "free.py").write_text("print('done')\n")
    words = ("--backend", "local", "--script", "free.py", "--flavor", "cpu", "--timeout", "1m")
    assert toy.run("jobs.py", "submit", *words).returncode == 0
    while toy.standing().open:
        running.collect(toy.path, 30.0)


def test_eight_at_once_all_tell_the_same(toy: Toy) -> None:
    running_job(toy)
    readers: list[subprocess.Popen[str]] = [toy.start("jobs.py", "news", "--since", "0.0", "--json") for _ in range(8)]
    answers = [reader.communicate(timeout=watchers.PATIENCE_S) for reader in readers]

    assert [reader.returncode for reader in readers] == [0] * 8, answers
    told = [json.loads(out) for out, _ in answers]
    assert {one["cursor"] for one in told} == {told[0]["cursor"]}
    assert all([row["job"] for row in one["ended"]] == ["j0001"] for one in told)
    assert said(toy)["ended"] == []
