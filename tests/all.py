# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""The one test command: lint, types, the plugin's manifests, then every test.

    PYTHONPATH=.uv python3 -m uv run tests/all.py [--long] [pytest arguments]

Owns the test environment (from tests/requirements.txt, cached outside the repository) and the order
of the checks. A failed check does not stop the next one, so that one run shows every fault; it stops
only where nothing further can run. Exit 0 when all passed, 1 when any failed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sandbox
import template_env
from e2e.install import ClientMissing, cache_folder, find_or_install_client

REPO = Path(__file__).resolve().parent.parent
LOCK = REPO / "tests" / "requirements.txt"
# Nothing listens there: without it the client's plugin commands wait 17 s for a public address.
CLOSED_PORT = "http://127.0.0.1:9"


class Checks:
    """Runs checks one after the other and remembers which failed and how long each took."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failed: list[str] = []

    def run(self, name: str, check: Callable[[], int]) -> bool:
        """Run one check under a heading; true when it returned 0."""
        print(f"\n== {name}", flush=True)
        begin = time.monotonic()
        ok = check() == 0
        verdict = "ok" if ok else "FAILED"
        self.lines.append(f"{verdict:6} {time.monotonic() - begin:6.1f} s  {name}")
        print(f"== {name}: {verdict}", flush=True)
        if not ok:
            self.failed.append(name)
        return ok

    def summary(self, closing: str) -> int:
        """Print the table, pytest's closing line and the verdict; the exit status."""
        print("\n== summary", *self.lines, sep="\n")
        print(closing)
        print(f"failed: {', '.join(self.failed)}" if self.failed else "all checks passed", flush=True)
        return 1 if self.failed else 0


def uv_command() -> list[str]:
    """How to call uv: $UV (uv sets it for what it runs), then PATH, then this interpreter's module."""
    found = os.environ.get("UV") or shutil.which("uv")
    return [found] if found else [sys.executable, "-m", "uv"]


def call(*command: str | Path, env: dict[str, str] | None = None) -> int:
    """Run a command in the repository, its output passed through; its exit status."""
    return subprocess.run(
        [str(part) for part in command], cwd=REPO, env=env, stdin=subprocess.DEVNULL, check=False
    ).returncode


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one test command at a time sets up the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prepare_environment(venv: Path) -> int:
    """Bring the environment to exactly what the lock says; 0.2 s when it is already there."""
    uv = uv_command()
    with locked(cache_folder()):
        if not (venv / "bin" / "python").exists():
            status = call(*uv, "venv", "--quiet", "--clear", "--no-project", "--python", ">=3.11,<3.15", venv)
            if status != 0:
                return status
        return call(*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", venv / "bin" / "python", LOCK)


def prepare_template_environment() -> int:
    """Build, once, the environment that the training templates run in, and tell the tests where it is."""
    with locked(cache_folder()):
        status = template_env.prepare(uv_command())
    if not template_env.missing():
        os.environ[template_env.CHOSEN] = str(template_env.python())
    return status


def prepare_client() -> int:
    """Find or install the real client and tell the tests where it is."""
    try:
        with locked(cache_folder()):
            client = find_or_install_client()
    except ClientMissing as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.environ["CLAUDE_BIN"] = str(client)
    return call(client, "--version")


def check_sandbox() -> int:
    """Say whether the client's sandbox can be tested here: some containers give no user namespaces."""
    why = sandbox.missing() if sys.platform == "linux" else ""
    print(f"not tested here, {why}" if why else "it works here")
    return 0


def validate_manifests() -> int:
    """The client's own strict validation, with a throw-away home and no way to a network."""
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"HOME": home, "CLAUDE_CONFIG_DIR": home, "ANTHROPIC_BASE_URL": CLOSED_PORT}
        manifests = [REPO / ".claude-plugin" / name for name in ("plugin.json", "marketplace.json")]
        return max(
            call(os.environ["CLAUDE_BIN"], "plugin", "validate", "--strict", path, env=env) for path in manifests
        )


def run_pytest(venv: Path, folder: Path, arguments: list[str], said: list[str]) -> int:
    """Run every test in `folder`, passing the output on; `said` receives it line by line."""
    where = f"--basetemp={folder}"
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-n", "2", "--refuse-skips", where, *arguments]
    with subprocess.Popen(
        command,
        cwd=REPO,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if line.strip():
                said.append(line.strip())
    return process.returncode


def main(arguments: list[str]) -> int:
    """Run all checks; `arguments` go to pytest."""
    checks = Checks()
    venv = cache_folder() / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    tool = venv / "bin"
    if not checks.run("test environment", lambda: prepare_environment(venv)):
        return checks.summary("pytest did not run: there is no test environment")
    if not checks.run("template environment", prepare_template_environment):
        return checks.summary("pytest did not run: there is no environment for the templates")
    checks.run("ruff check", lambda: call(tool / "ruff", "check", "."))
    checks.run("ruff format", lambda: call(tool / "ruff", "format", "--check", "."))
    checks.run("mypy --strict", lambda: call(tool / "mypy"))
    if not checks.run("real client", prepare_client):
        return checks.summary("pytest did not run: the real client is missing")
    checks.run("the client's sandbox", check_sandbox)
    checks.run("claude plugin validate --strict", validate_manifests)
    said = ["pytest said nothing"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as kept:
        folder = Path(kept, "tests")
        checks.run("pytest", lambda: run_pytest(venv, folder, arguments, said))
        if set(arguments) <= {"--long"}:  # a part of the tests may write no ledger at all
            checks.run("no secret left behind", lambda: call(sys.executable, "tests/scan_for_secrets.py", folder))
    return checks.summary(said[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
