"""jobs.py wait on real local jobs and on the emulated Hub: why it stops, what it tells, and what that saves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN
from cli.commands import Project
from cli.test_jobs_hf import L40S, PAID, START, TRAIN, Shop
from fakes.hf_jobs import Emulator, Fault, Plan
from mlresearch.jobs.watching import VERDICTS

STEPS = """import time
for step in range(1, {count}):
    print("step {{}} loss {{:.4f}} train 0.5 val 0.5".format(step, 1 / step), flush=True)
    time.sleep({pause})
"""
LONG = "time.sleep(600)\n"
ALERT = 'print("\\x1b[91m[TRACKIO ERROR]\\x1b[0m diverged: loss 9: divide --lr by 10 (step 3)", flush=True)\n'
TRACKED = """
import os, sys
os.environ.update(TRACKIO_DIR=os.environ["ML_RESEARCH_OUT"] + "/trackio", HF_HUB_OFFLINE="1")
import trackio
trackio.init("demo", "any name", embed=False, auto_log_gpu=False, auto_log_cpu=False)
trackio.alert("overfitting", "val went down", level=trackio.AlertLevel.WARN)
trackio.alert("diverged", "loss 9", level=trackio.AlertLevel.ERROR)
trackio.finish()
"""
ONE_OFF = (*PAID, "--max-usd", "5")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.cancel_open_jobs()


def submit(project: Project, source: str, *words: str) -> None:
    (project.root / "train.py").write_text(source)
    project.done(
        "jobs.py", "submit", "--backend", "local", "--script", "train.py", "--flavor", "cpu", "--timeout", "5m", *words
    )


def wait(project: Project, *words: str, most: str = "50s") -> dict[str, Any]:
    answer = project.done("jobs.py", "wait", "--job", "j0001", "--for", most, *words)
    assert answer["verdict"] in VERDICTS
    return answer


def test_a_job_is_healthy_with_its_first_step(project: Project) -> None:
    submit(project, STEPS.format(count=3000, pause=0.1))
    answer = wait(project, "--until", "healthy")

    assert (answer["verdict"], answer["stage"], answer["waiting"]) == ("healthy", "RUNNING", True)
    assert answer["step"] >= 1
    assert answer["metrics"]["loss"] <= 1
    assert (answer["alerts"], answer["blind"], answer["sources"]) == ([], [], ["log"])
    assert answer["next"] == f"jobs.py wait --job j0001 --since {answer['cursor']}"


def test_a_job_that_only_loads_is_waited_for_no_longer_than_asked(project: Project) -> None:
    submit(project, "import time\nprint('Step 1: loading', flush=True)\n" + LONG)
    answer = wait(project, "--until", "healthy", most="1s")

    assert (answer["verdict"], answer["stage"], answer["step"]) == ("waiting", "RUNNING", None)


@pytest.mark.parametrize(
    ("source", "words", "verdict", "why"),
    [
        pytest.param(
            STEPS.format(count=3, pause=0.1) + "print('step 3 loss nan', flush=True)\n" + LONG, (), "nan",
            "loss is nan at step 3", id="nan",
        ),
        pytest.param(
            "import time\nfor n in 0.5, 7, 8, 9:\n    print('step 2 loss', n, flush=True)\n" + LONG, (),
            "diverged", "loss was 0.5 and is 9", id="diverged",
        ),
        pytest.param(
            STEPS.format(count=4, pause=0.06) + LONG, ("--stall-after", "1s"), "stalled", "no new step", id="stall",
        ),
        pytest.param("import time\n" + ALERT + LONG, (), "alert", "diverged: loss 9", id="alert"),
    ],
)  # fmt: skip
def test_a_sign_of_trouble_ends_the_wait_and_a_cancel_the_job(
    project: Project, source: str, words: tuple[str, ...], verdict: str, why: str
) -> None:
    submit(project, source)
    answer = wait(project, *words)

    assert (answer["verdict"], answer["stage"], answer["ended"]) == (verdict, "RUNNING", [])
    assert why in answer["why"]
    assert "jobs.py cancel --job j0001" in answer["next"]

    assert project.done("jobs.py", "cancel", "--job", "j0001")["settled"]
    answer = wait(project, "--since", answer["cursor"])
    assert (answer["verdict"], answer["stage"], answer["alerts"]) == ("ended", "CANCELED", [])
    assert answer["ended"][0]["billed_s"] < 300  # the timeout that was reserved


def test_what_the_cursor_covers_ends_no_wait_and_the_next_alert_does(project: Project) -> None:
    go = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\n"
    submit(project, "import time\nprint('step 1 loss nan')\n" + ALERT + go + ALERT + LONG)
    first = wait(project)
    assert (first["verdict"], len(first["alerts"])) == ("alert", 1)
    told = {"level": "error", "title": "diverged", "text": "loss 9: divide --lr by 10", "step": 3}
    assert first["alerts"] == [{**told, "timestamp": None, "line": 2}]

    quiet = wait(project, "--since", first["cursor"], most="2s")
    assert (quiet["waiting"], quiet["alerts"]) == (True, [])
    assert quiet["verdict"] in ("healthy", "waiting")  # a busy machine may need longer to read the log again

    (project.root / "runs" / "jobs" / "j0001" / "out" / "go").touch()
    second = wait(project, "--since", quiet["cursor"])
    assert (second["verdict"], [alert["line"] for alert in second["alerts"]]) == ("alert", [3])


def test_alerts_come_from_trackio_where_the_log_is_silent(project: Project) -> None:
    quiet = (
        f"import subprocess, time\nsubprocess.run([{sys.executable!r}, '-c', {TRACKED!r}], stdout=subprocess.DEVNULL)\n"
    )
    submit(project, quiet + LONG)
    answer = wait(project)

    assert (answer["verdict"], answer["why"]) == ("alert", "diverged: loss 9")
    assert [(alert["level"], alert["title"]) for alert in answer["alerts"]] == [
        ("warn", "overfitting"),
        ("error", "diverged"),
    ]
    assert answer["cursor"] == f"j0001:0:{answer['alerts'][1]['timestamp']}"
    assert [source.split()[0] for source in answer["sources"]] == ["log", "trackio"]
    assert wait(project, "--since", answer["cursor"], most="2s")["alerts"] == []


@pytest.mark.parametrize(
    ("source", "words", "has_cursor"),
    [
        pytest.param("print(1)\n", (), True, id="an end"),
        pytest.param("import time\n" + ALERT + LONG, (), True, id="an alert"),
        pytest.param("import time\nprint(1, flush=True)\n" + LONG, ("--for", "1s"), False, id="neither"),
    ],
)
def test_an_end_or_an_alert_is_told_with_the_cursor(
    project: Project, source: str, words: tuple[str, ...], has_cursor: bool
) -> None:
    submit(project, source)
    said = project.run("jobs.py", "wait", "--job", "j0001", *(words or ("--for", "50s"))).stdout

    answer = wait(project, most="1s")
    assert (f"cursor: {answer['cursor']}" in said.splitlines()) == has_cursor
    assert ("cursor: " in said) == has_cursor


def test_a_source_that_can_not_be_read_is_told(project: Project) -> None:
    submit(project, STEPS.format(count=2, pause=0))
    words = ("--space", "http://127.0.0.1:1", "--project", "demo")
    answer = wait(project, *words)

    assert (answer["verdict"], answer["stage"], answer["step"]) == ("ended", "COMPLETED", 1)
    assert "does not tell its alerts" in answer["blind"][0]
    assert "can not read trackio" in project.run("jobs.py", "wait", "--job", "j0001", *words).stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--until", "healthy"), "--until healthy is about one job"),
        (("--since", "j0001:1:"), "--since is about one job"),
        (("--job", "j0001", "--since", "yesterday"), "no cursor of j0001"),
        (("--job", "j0001", "--stall-after", "soon"), "--stall-after"),
        (("--job", "j0001", "--until", "later"), "healthy, done"),
        (("--job", "j0001", "--space", "ada/board"), "--space names no project"),
    ],
)
def test_what_can_not_be_waited_for_is_refused(project: Project, words: tuple[str, ...], why: str) -> None:
    submit(project, "print(1)\n")
    found = project.run("jobs.py", "wait", *words)

    assert found.returncode == 2
    assert why in found.stderr


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Emulator() as hub:
        made = Shop(tmp_path, hub)
        (made.root / "train.py").write_text(TRAIN)
        yield made


def lines(hour: dict[int, str]) -> tuple[str, ...]:
    """A line a minute for an hour: a step, or what `hour` says for that minute."""
    return tuple(hour.get(minute, f"step {minute} loss 0.5") for minute in range(60))


def test_a_diverged_job_on_the_hub_is_cancelled_for_a_fraction_of_its_reservation(shop: Shop) -> None:
    shop.hub.plans = [Plan(run_s=3600, lines=lines({7: "[TRACKIO ERROR] diverged: loss 9e9 (step 7)"}))]
    reserved = shop.submit(*ONE_OFF)["ceiling_usd"]
    shop.hub.clock.advance(7 * 60 + 30)

    answer = shop.done("wait", "--job", "j0001", "--for", "50s")

    assert (answer["verdict"], answer["stage"]) == ("alert", "RUNNING")
    assert answer["step"] >= 6
    assert [(alert["title"], alert["text"], alert["step"]) for alert in answer["alerts"]] == [
        ("diverged", "loss 9e9", 7)
    ]
    assert shop.done("cancel", "--job", "j0001")["settled"]
    (row,) = shop.settled()
    assert (row["stage"], row["billed_micro"]) == ("CANCELED", shop.hub.bill_micro())
    assert reserved == pytest.approx((75 + START) * L40S / 1e6)
    assert 8 * L40S <= row["billed_micro"] <= 12 * L40S  # 8 minutes, and what a busy machine takes for two commands
    assert TOKEN not in "".join(shop.said)


def test_a_job_on_the_hub_is_healthy_with_its_first_line_of_training(shop: Shop) -> None:
    shop.hub.plans = [Plan(run_s=3600, lines=lines({0: "Downloading"}))]
    shop.submit(*ONE_OFF)
    assert shop.done("wait", "--job", "j0001", "--until", "healthy", "--for", "1s")["verdict"] == "waiting"
    shop.hub.clock.advance(100)

    assert shop.done("wait", "--job", "j0001", "--until", "healthy", "--for", "50s")["verdict"] == "healthy"


@pytest.mark.parametrize("words", [("--job", "j0001"), ()], ids=["one job", "any job"])
def test_a_wait_rides_out_a_hub_that_does_not_answer(shop: Shop, words: tuple[str, ...]) -> None:
    shop.hub.plans = [Plan(run_s=60, lines=("step 1 loss 0.5",))]
    shop.submit(*ONE_OFF)
    shop.hub.clock.advance(61)
    shop.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=503, times=3))

    found = shop.run("wait", *words, "--for", "55s")

    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["ended"][0]["stage"] == "COMPLETED"
    assert "answered 503" in found.stderr


@pytest.mark.parametrize("words", [("--job", "j0001"), ()], ids=["one job", "any job"])
def test_a_wait_stops_for_what_only_a_person_can_mend(shop: Shop, words: tuple[str, ...]) -> None:
    shop.submit(*ONE_OFF)
    shop.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=403, times=1000))

    found = shop.run("wait", *words, "--for", "50s")

    assert found.returncode == 1
    assert "answered 403" in json.loads(found.stdout)["error"]


def test_an_ended_job_whose_log_is_gone_is_told_with_that(shop: Shop) -> None:
    shop.hub.plans = [Plan(run_s=60, lines=("step 1 loss 0.5",))]
    shop.submit(*ONE_OFF)
    shop.hub.clock.advance(61)
    assert shop.done("wait", "--job", "j0001", "--for", "50s")["sources"] == ["log"]
    shop.hub.faults.add(Fault("GET .*/logs", status=404, times=1000))

    answer = shop.done("wait", "--job", "j0001", "--for", "50s")

    assert (answer["verdict"], answer["stage"], answer["sources"]) == ("ended", "COMPLETED", [])
    assert "answered 404" in answer["blind"][0]


def test_a_hub_that_never_answers_is_told_when_the_wait_is_over(shop: Shop) -> None:
    shop.submit(*ONE_OFF)
    shop.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=503, times=1000))

    found = shop.run("wait", "--job", "j0001", "--for", "2s")

    assert found.returncode == 1
    assert "answered 503" in json.loads(found.stdout)["error"]
    assert [row["event"] for row in shop.ledger()][-1] == "submitted"
