"""Runs the real Claude Code client in a throw-away home and project.

Owns the client's environment: no variable of the person's own session, no address but loopback, no
state that outlives the test. Refuses nothing the client does; what a test expects stands in the test.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from e2e.model_api import Json, ScriptedModel

REPO = Path(__file__).resolve().parents[2]
KEY = "not-a-key-but-long-enough-to-be-approved"
# Never asked: the scripted model answers whatever name is sent.
MODEL = "claude-sonnet-4-5"
# Nothing listens there: a plugin subcommand without it waits 17 s for a public address.
CLOSED_PORT = "http://127.0.0.1:9"
_KEPT = re.compile(r"PATH|LANG|LC_\w+|TMPDIR|SHELL|SSL_CERT_\w+|UV_(?!INTERNAL|RUN_)\w+|https?_proxy", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")
# A child of a new session has no terminal of its own until it claims the one on its stdin.
_CLAIM = "import fcntl,os,sys,termios; fcntl.ioctl(0,termios.TIOCSCTTY,0); os.execv(sys.argv[1],sys.argv[1:])"


@dataclass(frozen=True)
class Session:
    """One headless run: its exit status and the events it printed."""

    status: int
    events: list[Json]
    errors: str

    @property
    def init(self) -> Json:
        """What the client loaded: plugins, skills, agents, plugin_errors."""
        return next((e for e in self.events if (e.get("type"), e.get("subtype")) == ("system", "init")), {})

    @property
    def result(self) -> str:
        return next((str(e.get("result", "")) for e in self.events if e.get("type") == "result"), "")

    def hooks(self, event: str) -> list[Json]:
        """The hook_started and hook_response events of one kind, such as PreToolUse."""
        return [e for e in self.events if e.get("hook_event") == event]


class Client:
    """The client with its own home and project below `root`; `plugin` is given as --plugin-dir."""

    def __init__(self, program: Path, root: Path, plugin: Path | None = REPO) -> None:
        self.program, self.plugin = program, plugin
        self.home, self.project = root / "home", root / "project"
        self.data = self.home / ".local" / "share"
        for folder in (self.home / ".claude", self.data, self.project):
            folder.mkdir(parents=True)

    def environment(self, model: ScriptedModel | None, extra: Mapping[str, str]) -> dict[str, str]:
        """The variables the client sees; without a model, no address answers."""
        kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        return {
            **_uv_folders(),
            **kept,
            "PATH": path_with_uv(),
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.data),
            "CLAUDE_CONFIG_DIR": str(self.home / ".claude"),
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": model.url if model else CLOSED_PORT,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **extra,
        }

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A subcommand such as `plugin validate`; it needs no model."""
        return subprocess.run(
            [str(self.program), *map(str, arguments)],
            cwd=self.project,
            env=self.environment(None, {}),
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def ask(
        self,
        model: ScriptedModel,
        prompt: str,
        *,
        flags: Sequence[str] = (),
        settings: Json | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = 90,
    ) -> Session:
        """One headless session (`-p`); after `seconds` it and all it started are ended, status negative."""
        more = ["-p", prompt, "--output-format", "stream-json", "--verbose", "--include-hook-events"]
        if settings is not None:
            more += ["--settings", json.dumps(settings)]
        with subprocess.Popen(
            self._arguments(*more, *flags),
            cwd=self.project,
            env=self.environment(model, env or {}),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                _end_tree(process.pid)
                output, errors = process.communicate()
        return Session(process.returncode, [e for line in output.splitlines() if (e := _event(line))], errors)

    def type(
        self,
        model: ScriptedModel,
        prompt: str,
        until: Callable[[str], bool],
        *,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        seconds: float = 30,
    ) -> str:
        """An interactive session in a terminal until `until(screen)` holds; its screen as plain text."""
        self._answer_first_questions()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        argv = [sys.executable, "-c", _CLAIM, *self._arguments(*flags, prompt)]
        variables = self.environment(model, {"TERM": "xterm-256color", **(env or {})})
        with subprocess.Popen(
            argv,
            cwd=self.project,
            env=variables,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            try:
                return _read_screen(ours, until, time.monotonic() + seconds)
            finally:
                _end_tree(process.pid)
                os.close(ours)

    def _arguments(self, *more: str) -> list[str]:
        plugin = ["--plugin-dir", str(self.plugin)] if self.plugin else []
        return [str(self.program), "--model", MODEL, *plugin, *more]

    def _answer_first_questions(self) -> None:
        """Theme, key and trust in the project, which a first interactive start would ask for."""
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        answers: dict[str, Any] = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
            "projects": {str(self.project): trusted},
        }
        (self.home / ".claude" / ".claude.json").write_text(json.dumps(answers))


def _end_tree(pid: int) -> None:
    """End a client and what it started: its shells lead sessions of their own, which no group reaches."""
    try:
        client = psutil.Process(pid)
        tree = [client, *client.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _event(line: str) -> Json | None:
    try:
        found: Json = json.loads(line)
    except ValueError:
        return None
    return found


def _read_screen(terminal: int, until: Callable[[str], bool], end: float) -> str:
    seen, screen = b"", ""
    while time.monotonic() < end and not until(screen):
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # the client has ended and nobody holds the other side
                break
            screen = _ESCAPES.sub(" ", seen.decode("utf-8", "replace"))
    return screen


def _uv_folders() -> dict[str, str]:
    """uv's caches of this machine, so that a throw-away home does not download every package again."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return {"UV_CACHE_DIR": f"{cache}/uv", "UV_PYTHON_INSTALL_DIR": f"{data}/uv/python"}


def path_with_uv() -> str:
    """PATH with the folder of the uv that runs the tests, which need not be installed for the person."""
    uv = os.environ.get("UV")
    path = os.environ.get("PATH", os.defpath)
    return f"{path}{os.pathsep}{Path(uv).parent}" if uv else path
