"""Each alert in a real local job that fails that way: `jobs.py wait` tells it, and it leads to its category."""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands import Project
from mlresearch.pipeline.taxonomy import BY_NAME, OF_ALERT
from templates.lab import DATA, HERE, TEMPLATES, Lab, interpreter

SHORT = ("--batch-size", "4", "--save-steps", "500")


def titles(path: Path) -> set[str]:
    """The second of every tuple whose first word is a level, and of every call of alert()."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        parts = node.elts if isinstance(node, ast.Tuple) else node.args if isinstance(node, ast.Call) else []
        words = [part.value if isinstance(part, ast.Constant) else None for part in parts[:2]]
        if len(parts) == 3 and words[0] in ("ERROR", "WARN", "INFO"):
            assert isinstance(words[1], str), ast.unparse(node)
            found.add(words[1])
    return found


def test_every_alert_of_a_template_has_its_place_in_the_table_and_the_table_has_no_other() -> None:
    assert set().union(*(titles(path) for path in TEMPLATES.glob("train_*.py"))) == set(OF_ALERT)
    assert {category for category in OF_ALERT.values() if category} <= set(BY_NAME)


class Bench(Project):
    """A project whose jobs run with the interpreter of the templates."""

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        self.runner = top / "uv"
        self.runner.write_text(f'#!/bin/sh\nexec "{interpreter()}" "{HERE / "job_runner.py"}" "$@"\n')
        self.runner.chmod(0o755)

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "UV": str(self.runner)}

    def submit(self, template: str, data: Path, *args: str, **env: str) -> None:
        job = ["--script", str(TEMPLATES / f"train_{template}.py"), "--flavor", "cpu", "--timeout", "10m"]
        words = ["--model", "tiny", "--data", str(data), "--output", "model", *args]
        quiet = {"TOKENIZERS_PARALLELISM": "false", **env}
        given = [f"--arg={word}" for word in words] + [f"--env={name}={value}" for name, value in quiet.items()]
        self.done("jobs.py", "submit", "--backend", "local", "--memory", "8g", *job, *given)

    def wait(self, seconds: int = 300) -> dict[str, Any]:
        """What `jobs.py wait` says, asked again as its answer tells, until the job has ended or a sign came."""
        since: tuple[str, ...] = ()
        seen: list[dict[str, Any]] = []
        until = time.monotonic() + seconds
        while True:
            told = self.done("jobs.py", "wait", "--job", "j0001", "--for", "30s", "--until", "done", *since)
            seen += told["alerts"]
            if told["verdict"] not in ("waiting", "healthy") or time.monotonic() > until:
                return {**told, "alerts": seen}
            since = ("--since", told["cursor"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.cancel_open_jobs()


def category(told: dict[str, Any], title: str) -> str | None:
    """Where the alert leads, once it has been read back with numbers and an action."""
    (alert,) = (found for found in told["alerts"] if found["title"] == title)
    assert any(letter.isdigit() for letter in alert["text"])
    assert ": " in alert["text"]
    return OF_ALERT[title]


def assert_cancel_settles(bench: Bench) -> None:
    assert bench.done("jobs.py", "cancel", "--job", "j0001")["settled"]
    ended = bench.done("jobs.py", "wait", "--job", "j0001")["ended"][0]
    assert (ended["stage"], ended["billed_s"] < 600) == ("CANCELED", True)


def test_a_job_that_diverges_is_told_at_once_and_can_be_cancelled(lab: Lab, bench: Bench) -> None:
    words = ("--steps", "40", "--learning-rate", "1e30", *SHORT)
    bench.submit("classifier", lab.home / DATA["classifier"], *words, LINGER="1")
    told = bench.wait()
    assert (told["verdict"], told["stage"], told["why"].split(":")[0]) == ("alert", "RUNNING", "divergence_nan")
    assert category(told, "divergence_nan") == "divergence_nan"
    assert_cancel_settles(bench)


def test_a_job_out_of_memory_is_told_at_once_and_can_be_cancelled(lab: Lab, bench: Bench) -> None:
    data = bench.root / "long.jsonl"
    data.write_text("".join(json.dumps({"text": "a" * 5000}) + "\n" for _ in range(40)))
    words = ("--max-length", "4000", "--steps", "2", "--batch-size", "32")
    bench.submit("sft", data, *words, LINGER="1", ADDRESS_SPACE="1500000000")
    told = bench.wait()
    assert (told["verdict"], told["stage"], told["why"].split(":")[0]) == ("alert", "RUNNING", "oom")
    assert category(told, "oom") == "oom"
    assert_cancel_settles(bench)


def test_a_job_that_overfits_says_so(lab: Lab, bench: Bench) -> None:
    draw, data = random.Random(0), bench.root / "noise.jsonl"
    rows = [{"text": f"{draw.random()}", "label": draw.choice("ab")} for _ in range(60)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--steps", "200", "--learning-rate", "2e-3", "--batch-size", "16", "--save-steps", "200")
    bench.submit("classifier", data, *words, "--eval-steps", "10")
    told = bench.wait()
    assert (told["verdict"], told["stage"]) == ("ended", "COMPLETED")
    assert category(told, "overfitting") == "overfitting"


def test_a_job_on_a_plateau_near_its_memory_s_end_is_given_advice(lab: Lab, bench: Bench) -> None:
    words = ("--steps", "60", "--learning-rate", "1e-12", *SHORT)
    bench.submit("classifier", lab.home / DATA["classifier"], *words, MEMORY_LIMIT_MB="100")
    told = bench.wait()
    assert (told["verdict"], told["stage"]) == ("ended", "COMPLETED")
    assert [category(told, title) for title in ("plateau", "memory_pressure")] == [None, None]


def test_a_job_whose_completions_all_earn_the_same_says_so(lab: Lab, bench: Bench) -> None:
    data = bench.root / "hard.jsonl"
    data.write_text("".join(json.dumps({"prompt": "say: ", "answer": "never said"}) + "\n" for _ in range(20)))
    bench.submit("grpo", data, SMOKE="1")
    told = bench.wait()
    assert (told["verdict"], told["stage"]) == ("ended", "COMPLETED")
    assert category(told, "reward_collapse") == "reward_collapse"


def test_a_job_that_slows_down_says_so(lab: Lab, bench: Bench) -> None:
    """Its process is held for seven times the longest report so far, as by a disk that stalls."""
    words = ("--steps", "200", "--eval-steps", "200", *SHORT)
    bench.submit("classifier", lab.home / DATA["classifier"], *words)
    folder = bench.root / "runs" / "jobs" / "j0001"
    begun, longest = time.monotonic(), 0.1
    for step in range(10, 90, 10):
        await_line(folder / "log.txt", f"step {step} ")
        longest, begun = max(longest, time.monotonic() - begun) if step > 10 else longest, time.monotonic()
    pid = int((folder / "out" / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    time.sleep(7 * longest)
    os.kill(pid, signal.SIGCONT)
    told = bench.wait()
    assert (told["verdict"], told["stage"]) == ("ended", "COMPLETED")
    assert category(told, "throughput_collapse") == "stuck_no_progress"


def await_line(log: Path, beginning: str) -> None:
    deadline = time.monotonic() + 300
    while not any(line.startswith(beginning) for line in log.read_text().splitlines()):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.01)
