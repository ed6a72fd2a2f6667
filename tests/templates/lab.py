"""What the template tests share: running a template for real, and reading back what it left.

A run goes through `server.py` (a fork with the libraries loaded) or, with `plainly`, through a Python started
for it alone, as a person or a job starts it. Both without network, Space, token or accelerator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import template_env

HERE = Path(__file__).parent
TEMPLATES = HERE.parents[1] / "skills" / "ml-research-task" / "templates"
LIMIT = 300  # seconds; a run takes 2 to 10 on an idle machine
DROPPED = ("TRACKIO", "HF_", "SMOKE", "MEMORY_LIMIT_MB", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "WORLD_SIZE", "RANK")


@dataclass(frozen=True)
class Outcome:
    """One finished run: its exit status, everything it printed, and the JSON of its last line (strict)."""

    code: int
    log: str
    out: Path

    @property
    def result(self) -> dict[str, Any]:
        return strict_json(self.log.rstrip().splitlines()[-1])

    def numbers(self, kind: str) -> list[float]:
        """The values of the `step N loss X` lines, or of the `eval N metric X` lines."""
        return [float(words[3]) for words in map(str.split, self.log.splitlines()) if words[:1] == [kind]]


@dataclass
class Running:
    pid: int
    log: Path
    out: Path
    lab: Lab

    def wait_for(self, beginning: str) -> str:
        """The log, once it has a line that begins so."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            text = self.log.read_text() if self.log.exists() else ""
            if any(line.startswith(beginning) for line in text.splitlines()):
                return text
            time.sleep(0.01)
        raise AssertionError(f"no line {beginning!r} came:\n{text}")

    def end(self, *allowed: int) -> Outcome:
        code = self.lab.ask({"wait": self.pid})["code"]
        outcome = Outcome(code, self.log.read_text(), self.out)
        assert code in allowed, outcome.log[-3000:]
        return outcome


@dataclass
class Lab:
    home: Path
    server: subprocess.Popen[str] | None = None
    count: int = field(default=0)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.home / "hf"), "CUDA_VISIBLE_DEVICES": ""}
        quiet |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        return {**kept, **quiet, **(more or {})}

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if self.server is None:
            words = [str(interpreter()), str(HERE / "server.py")]
            self.server = subprocess.Popen(
                words, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert self.server.stdout is not None
            assert self.server.stdout.readline(), "the server of the templates did not start"
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        answer: dict[str, Any] = json.loads(self.server.stdout.readline())
        return answer

    def start(
        self,
        script: str | Path,
        *args: object,
        out: Path,
        env: Mapping[str, str] | None = None,
        address_space: int = 0,
    ) -> Running:
        """Start a template (by name) or a script; `address_space` is what it may map beyond what it holds now."""
        path = script if isinstance(script, Path) else TEMPLATES / f"{script}.py"
        self.count += 1
        log = self.home / f"{os.getpid()}-{self.count}.log"
        argv = [str(path), *map(str, args)]
        order = {"argv": argv, "env": dict(env or {}), "log": str(log), "address_space": address_space}
        return Running(self.ask(order)["pid"], log, out, self)

    def train(self, name: str, out: Path, *args: object, code: int = 0, **env: str) -> Outcome:
        """Run train_NAME on its small data set to the end."""
        return self.start_training(name, out, *args, **env).end(code)

    def start_training(self, name: str, out: Path, *args: object, **env: str) -> Running:
        words = ("--model", "tiny", *args) if "--model" not in args else args
        words = ("--data", self.home / DATA[name], *words) if "--data" not in words else words
        return self.start(f"train_{name}", "--output", out, *words, out=out, env=env)

    def run(self, script: str | Path, *args: object, out: Path, code: int = 0, **env: str) -> Outcome:
        return self.start(script, *args, out=out, env=env).end(code)

    def close(self) -> None:
        if self.server is not None and self.server.stdin is not None and self.server.stdout is not None:
            self.server.stdin.close()
            self.server.stdout.close()
            self.server.wait(timeout=60)


# the small data set of each training template, as `made_data` writes them
DATA = {
    "sft": "language.jsonl",
    "dpo": "preferences.jsonl",
    "reward": "pairs.jsonl",
    "grpo": "prompts.jsonl",
    "classifier": "opinions.jsonl",
    "embedding": "mirrored.jsonl",
    "vision": "digits.jsonl",
}


def interpreter() -> Path:
    path = template_env.python()
    if template_env.missing():
        pytest.skip(template_env.missing())
    return path


def plainly(lab: Lab, name: str, out: Path, *args: object, **env: str) -> Outcome:
    """As a person starts it: a new Python, nothing loaded."""
    words = [str(interpreter()), str(TEMPLATES / f"{name}.py"), "--output", str(out), *map(str, args)]
    done = subprocess.run(words, env=lab.environment(env), capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-3000:]
    return Outcome(done.returncode, done.stdout, out)


def strict_json(line: str) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    parsed: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return parsed


def trackio(out: Path, *words: str) -> dict[str, Any]:
    """What Trackio's own command line reads back."""
    start = [sys.executable, "-c", "from trackio.cli import main; main()", *words, "--project", "templates", "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    env = {**kept, "TRACKIO_DIR": str(out / "trackio"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(start, env=env, capture_output=True, text=True, timeout=120, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def alerts(out: Path) -> dict[str, tuple[str, str]]:
    """Title → level and text of what the run raised."""
    return {alert["title"]: (alert["level"], alert["text"]) for alert in trackio(out, "list", "alerts")["alerts"]}
