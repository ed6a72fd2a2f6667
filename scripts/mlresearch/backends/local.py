"""Jobs as detached processes of this machine: the backend that needs no account, no network and no service.

Owns `ROOT/runs/jobs/<job>/`: spec.json, src/ (files by value), out/ (where the job runs), log.txt, lock,
started.json, exit.json, cancel. It never asks whether a process id is alive: ids are reused, a lock is not.
It refuses to queue, to run a container, and to hand a job any secret that its spec does not name.

Limits: a job can read what its user can read; a suspended machine suspends the timeout; memory is polled,
not fenced; the folder needs a file system with flock. A kill -9 of the runner and its guard at the same
moment ends the job's first process, but can leave that one's children. On macOS (not Linux) a process that
leaves both its parent and its process group escapes, and a runner killed with SIGKILL can leave its job.
"""

from __future__ import annotations

import builtins
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from mlresearch import backends, store
from mlresearch.backends import JobRef, JobReport, JobSpec, launch
from mlresearch.backends.job_folder import JobFolder
from mlresearch.errors import BackendError, NotFound, Unavailable, UsageError

GRACE_S = 5.0
# The runner says within 0.1 s that it recorded the start; a machine that swaps may need many times that.
START_WAIT_S = 30.0
# A job can read its runner's environment, so that one holds no more than it takes to start this Python.
RUNNER_NEEDS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner.py")


class LocalBackend:
    """`grace_s` is how long a job may take to leave after SIGTERM; it counts as job time."""

    name = "local"
    start_allowance_s = 0
    certain_after_s = 0

    def __init__(self, root: str, grace_s: float = GRACE_S) -> None:
        self.root = os.path.realpath(root)
        self.grace_s = grace_s

    def prices(self) -> dict[str, int]:
        """Own hardware is free; `gpu` exists when nvidia-smi lists a device."""
        return {"cpu": 0, "gpu": 0} if self._has_gpu else {"cpu": 0}

    def submit(self, spec: JobSpec) -> JobRef:
        """Start the job unless its label has started one; BackendError if the folder is another label's."""
        backends.check(spec)
        launch.check(spec)
        if spec.flavor != "cpu" and spec.flavor not in self.prices():
            raise UsageError(f"flavor {spec.flavor!r} is not on this machine", ", ".join(self.prices()))
        folder = self._folder(spec.job)
        command = launch.command(spec, folder.path)
        environment = launch.environment(spec, self.root, folder.path)
        launch.check_size(command, environment)
        try:
            self._start_once(spec, folder, command, environment)
        except OSError as error:
            raise BackendError(f"job {spec.job} can not be written or started: {error}") from None
        return self._ref(spec.job)

    def inspect(self, ref: JobRef) -> JobReport:
        folder = self._known(ref)
        held = folder.held()
        started, end, spec = folder.read("started"), folder.read("exit"), folder.read("spec") or {}
        if end is not None:
            return _ended(spec, end)
        if started is None:
            return _unended(spec, backends.QUEUED, None, "being submitted")
        if held:
            return _unended(spec, backends.RUNNING, started["started_at"], "")
        died = "no end was recorded: the machine went down, or the runner and its guard were killed"
        return _unended(spec, backends.LOST, started["started_at"], died)

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        """The log's lines so far, or until the job has ended; NotFound comes at the call, not at a line."""
        return self._known(ref).log_lines(follow)

    def cancel(self, ref: JobRef) -> None:
        """Leave a request that the runner finds within 0.1 s: a file, since a process id may be reused."""
        path = self._known(ref).path + "/cancel"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def namespace(self, asked: str | None = None) -> str | None:
        """Nobody is billed here; one that is asked for is refused by `submit`."""
        return asked

    def find(self, label: str, namespace: str | None = None) -> JobRef | None:
        """The job with this label; awaits a submit under way, and raises Unavailable if that one is stuck.

        None means that no submit that has begun can still start one; a submit that begins later can.
        """
        return next((self._ref(job) for job in self._jobs() if self._folder(job).started_as(label)), None)

    def list(self) -> builtins.list[JobRef]:
        """Every job that ever started here, by name."""
        return [self._ref(job) for job in self._jobs() if self._folder(job).has_started()]

    def _start_once(
        self, spec: JobSpec, folder: JobFolder, command: builtins.list[str], environment: dict[str, str]
    ) -> None:
        os.makedirs(folder.path, exist_ok=True)
        store.sync_folder(os.path.dirname(folder.path))
        lock = folder.claim(spec.label)
        if lock is None:
            return
        try:
            described = self._describe(spec, command)
            _write(spec, folder.path, described)
            _start(folder, described, command, environment, lock)
        finally:
            os.close(lock)  # ours alone: the runner's copy keeps the lock held

    def _describe(self, spec: JobSpec, command: builtins.list[str]) -> dict[str, Any]:
        described = {name: value for name, value in vars(spec).items() if name != "files"}
        described["files"] = [
            {"path": file.path, "sha256": file.sha256, "size": len(file.content)} for file in spec.files
        ]
        described["memory_mb"] = spec.memory_mb or launch.default_memory_mb()
        return described | {"command": command, "grace_s": self.grace_s, "submitted_at": time.time()}

    @functools.cached_property
    def _has_gpu(self) -> bool:
        return launch.has_gpu()

    def _folder(self, job: str) -> JobFolder:
        return JobFolder(f"{self.root}/runs/jobs/{job}")

    def _ref(self, job: str) -> JobRef:
        return JobRef(self.name, job, None)

    def _jobs(self) -> builtins.list[str]:
        try:
            return sorted(os.listdir(f"{self.root}/runs/jobs"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise BackendError(f"the jobs of {self.root} can not be read: {error}") from None

    def _known(self, ref: JobRef) -> JobFolder:
        folder = self._folder(ref.job_id)
        plain = ref.backend == self.name and os.path.basename(ref.job_id) == ref.job_id
        if not plain or not folder.known():
            raise NotFound(f"job {ref.job_id!r} never started here", next_step="jobs.py list --backend local")
        return folder


def _write(spec: JobSpec, folder: str, described: dict[str, Any]) -> None:
    """The files by value and the record of what is asked for, in place of what an interrupted submit left."""
    shutil.rmtree(folder + "/src", ignore_errors=True)
    os.makedirs(folder + "/out", exist_ok=True)
    for file in spec.files:
        path = f"{folder}/src/{file.path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(file.content)
    # ASCII escapes, because an argument may hold bytes that are no text in any encoding
    store.put_text(folder + "/spec.json", json.dumps(described, indent=1) + "\n")


def _start(
    folder: JobFolder, described: dict[str, Any], command: list[str], environment: dict[str, str], lock: int
) -> None:
    """Hand the job to its runner through a pipe: a submitter killed in mid-sentence has started nothing."""
    message = {name: described[name] for name in ("timeout_s", "memory_mb", "grace_s")}
    message["out"] = _raw(folder.path + "/out")
    message["command"] = [_raw(text) for text in command]
    message["environment"] = {_raw(name): _raw(value) for name, value in environment.items()}
    with open(folder.path + "/log.txt", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", RUNNER, folder.path, str(lock)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # closed once the start is recorded; to wait for an exit is to poll
            stderr=log,
            cwd="/",
            env={name: os.environ[name] for name in RUNNER_NEEDS if name in os.environ},
            start_new_session=True,
            pass_fds=[lock],
        )
    try:
        process.communicate(json.dumps(message).encode(), timeout=START_WAIT_S)
    except subprocess.TimeoutExpired:
        late = f"{folder.path}: the runner has not said in {START_WAIT_S:.0f}s whether it started"
        raise Unavailable(late, next_step="look the job up again") from None
    if not folder.has_started():
        said = " ".join(list(folder.log_lines(False))[-1:])
        raise BackendError(f"{folder.path} was not started: {said}", next_step=f"read {folder.path}/log.txt")


def _raw(text: str) -> str:
    """The bytes that the system will see, one character each: JSON has no bytes."""
    return os.fsencode(text).decode("latin-1")


def _ended(spec: dict[str, Any], end: dict[str, Any]) -> JobReport:
    return JobReport(
        stage=end["stage"],
        exit_code=end["exit_code"],
        submitted_at=spec.get("submitted_at"),
        started_at=end["started_at"],
        ended_at=end["ended_at"],
        billed_s=math.ceil(end["seconds"]),
        message=end["message"],
        peak_memory_mb=end["peak_memory_mb"],
    )


def _unended(spec: dict[str, Any], stage: str, started_at: float | None, message: str) -> JobReport:
    """Billed up to now, and never past the moment at which its runner would have ended it."""
    seconds = 0.0
    if started_at is not None:
        seconds = min(max(time.time() - started_at, 0.0), spec["timeout_s"] + spec["grace_s"])
    return JobReport(
        stage=stage,
        exit_code=None,
        submitted_at=spec.get("submitted_at"),
        started_at=started_at,
        ended_at=None,
        billed_s=math.ceil(seconds),
        message=message,
        peak_memory_mb=None,
    )
