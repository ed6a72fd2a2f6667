"""Real jobs of the local backend in a temporary folder: make, await, look for what is left of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlresearch
from mlresearch.backends import ENDED, JobRef, JobReport, JobSpec, SourceFile
from mlresearch.backends.job_folder import JobFolder
from mlresearch.backends.local import LocalBackend

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(mlresearch.__file__)))
PATIENCE_S = 30.0

ON_LINUX = sys.platform.startswith("linux")
WHY_LINUX = "needs Linux: finds processes in /proc"

# Submits one job in a process of its own: `-c SUBMITTER ROOT JOB SOURCE`. Says "ready" first; with
# KILL_AT_LINE=n it kills itself before the n-th line of our code; at the end it tells their number.
SUBMITTER = """
import os, signal, sys
from backends.local_harness import Harness
root, job, source = sys.argv[1:]
harness = Harness(root)
spec = harness.spec(source, job=job)
kill_at, lines = int(os.environ.get("KILL_AT_LINE", "0")), 0
def trace(frame, event, arg):
    global lines
    if "/mlresearch/" not in frame.f_code.co_filename:
        return None
    if event == "line":
        lines += 1
        if lines == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
print("ready", flush=True)
if "KILL_AT_LINE" in os.environ:
    sys.settrace(trace)
harness.backend.submit(spec)
sys.settrace(None)
print(lines, flush=True)
"""


class Harness:
    def __init__(self, root: str | Path) -> None:
        self.root = os.path.realpath(root)
        self.backend = LocalBackend(self.root, grace_s=0.3)

    def spec(self, source: str, **changes: object) -> JobSpec:
        plain = JobSpec(
            job="job",
            label="",
            files=(SourceFile("train.py", source.encode()),),
            args=(),
            deps=(),
            flavor="cpu",
            timeout_s=60,
            env=(),
            secrets=(),
            labels=(),
            namespace=None,
            python=None,
            launcher="python",
            image=None,
            memory_mb=None,
        )
        made = replace(plain, **changes)  # type: ignore[arg-type]
        return replace(made, label=made.label or f"label of {made.job}")

    def start(self, source: str, **changes: object) -> JobRef:
        return self.backend.submit(self.spec(source, **changes))

    def run(self, source: str, **changes: object) -> JobReport:
        return self.ended(self.start(source, **changes))

    def ended(self, ref: JobRef) -> JobReport:
        until(lambda: self.backend.inspect(ref).stage in ENDED and not self.folder(ref.job_id).held())
        return self.backend.inspect(ref)

    def lines(self, job: str = "job") -> list[str]:
        return list(self.backend.logs(JobRef("local", job, None)))

    def folder(self, job: str = "job") -> JobFolder:
        return JobFolder(f"{self.root}/runs/jobs/{job}")

    def path(self, name: str) -> Path:
        return Path(self.root, name)

    def out(self, name: str, job: str = "job") -> Path:
        return Path(self.folder(job).path, "out", name)

    def await_file(self, path: Path) -> str:
        until(lambda: path.exists() and path.read_text() != "")
        return path.read_text()

    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": os.pathsep.join([PACKAGES, os.path.dirname(os.path.dirname(__file__))])}

    def submitter(self, source: str, job: str = "job", **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SUBMITTER, self.root, job, source],
            env=self.environment() | variables,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def members(self) -> dict[int, str]:
        """Living processes of any job under this root, found by what their environment says (Linux)."""
        mark = f"ML_RESEARCH_ROOT={self.root}".encode()
        return {pid: stat for pid, stat in _processes() if mark in _bytes(pid, "environ").split(b"\0")}

    def runner_processes(self, job: str = "job") -> dict[int, int]:
        """The runner's processes, each with its parent (Linux)."""
        command = b"runner.py\0" + self.folder(job).path.encode() + b"\0"
        found = {pid: stat for pid, stat in _processes() if command in _bytes(pid, "cmdline")}
        return {pid: int(stat.rpartition(")")[2].split()[1]) for pid, stat in found.items()}

    def runners(self) -> tuple[int, int]:
        """The guard and the watcher of the running job (Linux)."""
        parents = self.runner_processes()
        (pair,) = [(parent, pid) for pid, parent in parents.items() if parent in parents]
        return pair

    def record(self, name: str, job: str = "job") -> dict[str, object]:
        value = json.loads(Path(self.folder(job).path, name + ".json").read_text())
        assert isinstance(value, dict)
        return value


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _processes() -> list[tuple[int, str]]:
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    stats = [(pid, _bytes(pid, "stat").decode("utf-8", "replace")) for pid in pids]
    return [(pid, stat) for pid, stat in stats if stat and stat.rpartition(")")[2].split()[0] not in "ZX"]


def _bytes(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
