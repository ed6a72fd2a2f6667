"""Broker mode with the real client in its own sandbox: the model's Bash holds no token, and can still submit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sandbox
from backends.hf_harness import TOKEN
from e2e import project
from e2e.actor import bash, command
from e2e.client import REPO, Client, Session
from e2e.install import cache_folder
from e2e.model_api import ScriptedModel
from fakes.hf_jobs import Emulator
from mlresearch import presence

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: bubblewrap"),
    pytest.mark.skipif(bool(sandbox.missing()), reason=f"{sandbox.NEEDED}: {sandbox.missing()}"),
]
LONG_S = 60.0
SUBMIT = "submit --backend hf --script train.py --flavor cpu-basic --timeout 10m --env SMOKE=1"
README = (REPO / "README.md").read_text()


def settings() -> dict[str, Any]:
    """The very settings that the README tells a person to put into the project's own file."""
    assert ".claude/settings.local.json" in README
    found = next(part for part in README.split("```json\n")[1:] if '"sandbox"' in part)
    read: dict[str, Any] = json.loads(found.split("```")[0])
    return read


@pytest.fixture(scope="session")
def sandbox_cache() -> Path:
    """uv's packages for the sandbox alone, filled as the README says."""
    cache = cache_folder() / "uv-sandbox"
    lines = README.split("export UV_CACHE_DIR=")[1].splitlines()[1:]
    fill = [line for line in lines if line.startswith("uv run")]
    assert len(fill) == 3
    for line in fill:
        words = line.replace("PLUGIN", str(REPO)).split()
        done = subprocess.run(
            [os.environ.get("UV", "uv"), *words[1:]],
            env={**os.environ, "UV_CACHE_DIR": str(cache)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return cache


class Sandboxed:
    """The person's machine: the token in their home and terminal, the client in its sandbox."""

    def __init__(self, client: Client, model: ScriptedModel, hub: Emulator, cache: Path) -> None:
        self.client, self.model, self.hub, self.cache = client, model, hub, cache
        self.token = client.home / ".cache" / "huggingface" / "token"
        self.token.parent.mkdir(parents=True)
        self.token.write_text(TOKEN)
        self.broker: subprocess.Popen[bytes] | None = None

    def person(self) -> dict[str, str]:
        return self.client.environment(None, {"HF_TOKEN": TOKEN, "HF_ENDPOINT": self.hub.url})

    def approve(self) -> None:
        limits = {
            "backends": ["hf", "local"],
            "allowed_flavors": ["cpu-basic", "cpu"],
            "max_usd": 1,
            "max_timeout": "20m",
        }
        project.make(self.client, **limits)
        project.approve(self.client)

    def start_broker(self) -> None:
        self.broker = subprocess.Popen(
            [sys.executable, str(REPO / "scripts" / "broker.py"), "run"],
            cwd=self.client.project,
            env=self.person(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + LONG_S
        while not presence.is_served(str(self.client.project)):
            assert self.broker.poll() is None and time.monotonic() < end
            time.sleep(0.05)

    def ask(self, *calls: str, hooks: bool = True) -> Session:
        """One session whose model runs these calls; the person's terminal holds the token, and Bash must not."""
        used = settings()
        writable = used["sandbox"]["filesystem"]["allowWrite"]
        assert writable == ["~/.cache/uv-sandbox"]
        writable[0] = str(self.cache)
        place = self.client.project / ".claude" / "settings.local.json"
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(used))
        self.model.plays(*[[bash(call)] for call in calls])
        session = self.client.ask(
            self.model,
            "go",
            settings={"disableAllHooks": not hooks},
            flags=("--allowedTools", "Bash"),
            env={"HF_TOKEN": TOKEN, "HF_ENDPOINT": self.hub.url, "UV_CACHE_DIR": str(self.cache), "UV_OFFLINE": "1"},
            seconds=180,
        )
        assert session.status == 0, session.errors
        assert len(self.model.results) == len(calls), self.said
        return session

    @property
    def said(self) -> list[str]:
        return [result.text for result in self.model.results]


@pytest.fixture
def home(client: Client, model: ScriptedModel, sandbox_cache: Path) -> Iterator[Sandboxed]:
    with Emulator() as hub:
        made = Sandboxed(client, model, hub, sandbox_cache)
        try:
            yield made
        finally:
            if made.broker is not None:
                made.broker.send_signal(signal.SIGINT)
                made.broker.wait(LONG_S)
    assert TOKEN not in model.text
    kept = [path for path in client.project.rglob("*") if path.is_file()]
    assert TOKEN not in "".join(path.read_text("utf-8", "replace") for path in kept)


PROBE = """
import os
store = os.path.expanduser("~/.local/share/ml-research")
def tried(name, act):
    try:
        print(name, act())
    except OSError as error:
        print(name, error.strerror)
tried("variable", lambda: repr(os.environ.get("HF_TOKEN", "")))
tried("file", lambda: open(os.path.expanduser("~/.cache/huggingface/token")).read())
tried("store", lambda: os.listdir(store))
tried("program", lambda: open("program.md", "a"))
tried("ledger", lambda: open("runs/ledger.jsonl", "a"))
tried("runs", lambda: os.rename("runs", "elsewhere"))
tried("plugin", lambda: open(os.path.join("PLUGIN", "scripts", "jobs.py"), "a"))
lines = [open(f"/proc/{pid}/cmdline", "rb").read() for pid in os.listdir("/proc") if pid.isdigit()]
others = [line for line in lines if b"broker.py" in line]
print("brokers", others)
"""


def test_the_models_shell_finds_no_token_and_no_store_and_writes_no_record(home: Sandboxed) -> None:
    """With every hook off, so that the sandbox alone holds."""
    home.approve()
    home.start_broker()
    work = home.client.project / "work"
    (work / "probe.py").write_text(PROBE.replace("PLUGIN", str(REPO)))
    home.ask("python3 work/probe.py", hooks=False)
    found = dict(line.split(" ", 1) for line in home.said[0].splitlines() if " " in line)
    assert found["variable"] == "''"
    assert found["file"] == "Permission denied"
    assert found["store"] == "[]"
    assert found["brokers"] == "[]"
    for place in ("program", "ledger", "plugin"):
        assert found[place] == "Read-only file system", found
    assert found["runs"] == "Device or resource busy"


def test_a_submit_inside_the_envelope_is_done_by_the_broker_and_one_outside_is_refused(home: Sandboxed) -> None:
    home.approve()
    home.start_broker()
    home.ask(
        command("campaign.py", "start"),
        command("jobs.py", "hardware --backend hf"),
        command("jobs.py", SUBMIT),
        command("jobs.py", "list"),
        command("jobs.py", SUBMIT.replace("10m", "9h")),
    )
    _, hardware, submitted, listed, refused = home.said
    assert "cpu-basic" in hardware
    assert "j0001 submitted, at most" in submitted
    assert "j0001" in listed and "hf/cpu-basic" in listed
    assert "max_timeout" in refused and "ends the campaign" in refused
    rows = project.rows(home.client.project)
    assert [row["job"] for row in rows if row["event"] == "submitted"] == ["j0001"]
    assert len(home.hub.jobs) == 1


def test_a_model_can_neither_start_a_broker_nor_approve(home: Sandboxed) -> None:
    home.approve()
    home.ask(
        command("broker.py", "run"),
        command("broker.py", "run &"),
        f"nohup {command('broker.py', 'run')}",
        command("program.py", "approve --digest x"),
    )
    assert all(result.failed for result in home.model.results)
    assert not presence.is_served(str(home.client.project))


def test_without_a_broker_a_command_says_who_starts_one_and_changes_nothing(home: Sandboxed) -> None:
    home.approve()
    before = project.rows(home.client.project)
    home.ask(command("jobs.py", "submit --backend local --script train.py --flavor cpu --timeout 30s"))
    assert "no broker serves" in home.said[0] and "broker.py run" in home.said[0]
    assert project.rows(home.client.project) == before
    assert home.hub.jobs == {}


FORGE = """
import fcntl, json, os, time
words = "submit --backend hf --script train.py --flavor cpu-basic --timeout 10m --env SMOKE=1 --max-usd 5".split()
call = {"script": "jobs.py", "argv": words, "cwd": os.getcwd(), "session": "forged", "asked_at": time.time()}
name = "work/queue/" + "ab" * 16
file = open(name + ".new", "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(json.dumps(call))
file.flush()
os.rename(name + ".new", name + ".request")
while not os.path.exists(name + ".answer"):
    time.sleep(0.05)
print(open(name + ".answer").read())
"""


def test_a_forged_request_buys_nothing_that_no_person_approved(home: Sandboxed) -> None:
    """With every hook off, no program here, and no person at the broker's terminal."""
    home.start_broker()
    (home.client.project / "train.py").write_text("print('hello')\n")
    (home.client.project / "work" / "forge.py").write_text(FORGE)
    home.ask(command("jobs.py", "hardware --backend hf"), "python3 work/forge.py", hooks=False)
    assert "No program is approved here" in home.said[1]
    assert home.hub.jobs == {}
