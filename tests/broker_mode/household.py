"""The person's terminal with the token, the model's shell without one, and a hand that forges requests."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from backends.hf_harness import TOKEN, seal
from cli.commands import REPO
from fakes.hf_jobs import Emulator
from mlresearch import ledger, presence

LONG_S = 60.0
SESSION = "0c1d2e3f-session"
TRAIN = "print('hello')\n"
SUBMIT = (
    *("submit", "--backend", "hf", "--script", "train.py", "--flavor", "cpu-basic", "--timeout", "10m"),
    *("--env", "SMOKE=1"),
)


def until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Household:
    def __init__(self, top: Path, hub: Emulator) -> None:
        self.root, self.data, self.hub, self.log = top / "project", top / "data", hub, top / "broker.log"
        self.top, self.brokers = top, list[subprocess.Popen[bytes]]()
        self.root.mkdir()
        (self.root / "train.py").write_text(TRAIN)
        self.said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for broker in self.brokers:
            broker.kill()
            broker.wait()

    @property
    def queue(self) -> Path:
        return Path(presence.queue_of(str(self.root)))

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        ours = {"HOME": str(self.top), "XDG_DATA_HOME": str(self.data), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**kept, **ours, **more}

    def person(self, **more: str) -> dict[str, str]:
        return self.environment(HF_TOKEN=TOKEN, HF_ENDPOINT=self.hub.url, **more)

    def approve(self) -> None:
        seal(self.root, output_repos=["ada/run-*"])

    def start(self, *words: str, terminal: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """A broker that serves when this returns; `terminal` is where a person would answer it."""
        with open(self.log, "ab") as log:
            broker = subprocess.Popen(
                [sys.executable, str(REPO / "scripts" / "broker.py"), "run", *words],
                cwd=self.root,
                env=self.person(),
                stdin=terminal,
                stdout=log,
                stderr=log,
            )
        self.brokers.append(broker)
        until(lambda: presence.is_served(str(self.root)) or broker.poll() is not None, "the broker does not start")
        return broker

    def shell(self, *words: str, session: str = SESSION, cwd: Path | None = None) -> subprocess.Popen[str]:
        """A command in the model's shell: no token, no address of the Hub."""
        return subprocess.Popen(
            [sys.executable, str(REPO / "scripts" / words[0]), *words[1:]],
            cwd=cwd or self.root,
            env=self.environment(CLAUDE_CODE_SESSION_ID=session) if session else self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, session: str = SESSION, cwd: Path | None = None) -> tuple[int, str, str]:
        with self.shell(*words, session=session, cwd=cwd) as process:
            out, err = process.communicate(timeout=LONG_S)
        self.said += [out, err]
        return process.returncode, out, err

    def done(self, *words: str) -> dict[str, Any]:
        code, out, err = self.run(*words, "--json")
        assert code == 0, (out, err, self.log.read_text() if self.log.exists() else "")
        answer: dict[str, Any] = json.loads(out)
        return answer

    def call(self, *words: str, **changes: object) -> dict[str, object]:
        """What our own commands would write for a call; `changes` forges it."""
        plain = {"script": words[0], "argv": [*words[1:]], "cwd": str(self.root), "session": SESSION}
        return {**plain, "asked_at": time.time(), **changes}

    @contextmanager
    def forged(self, content: object, name: str = "") -> Iterator[Path]:
        """A request put into the queue by hand, locked as if somebody waited for it; the path without its ending."""
        self.queue.mkdir(parents=True, exist_ok=True)
        path = self.queue / (name or secrets.token_hex(16))
        with open(f"{path}.new", "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
            file.flush()
            os.rename(f"{path}.new", f"{path}.request")
            yield path

    def forge(self, content: object, name: str = "") -> tuple[int, str, str]:
        with self.forged(content, name) as path:
            return self.answer(path)

    def answer(self, path: Path) -> tuple[int, str, str]:
        answer = Path(f"{path}.answer")
        until(answer.exists, f"no answer; {self.log.read_text()}")
        found = json.loads(answer.read_text())
        self.said += [found["stdout"], found["stderr"]]
        return found["code"], found["stdout"], found["stderr"]

    def ledger(self) -> list[dict[str, Any]]:
        return [*ledger.rows(str(self.root))]

    def stop(self, broker: subprocess.Popen[bytes]) -> int:
        broker.send_signal(signal.SIGINT)
        return broker.wait(LONG_S)

    def must_hide_the_token(self) -> None:
        written = [path.read_text("utf-8", "replace") for path in self.top.rglob("*") if path.is_file()]
        assert written
        assert TOKEN not in "".join(written + self.said)
