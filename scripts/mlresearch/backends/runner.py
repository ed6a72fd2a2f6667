"""The detached process that runs one local job: `python -S -E runner.py FOLDER LOCK_FD < message`.

Owns the job's life: limits, end, exit.json. It starts nothing on a message that was cut short, and nothing
twice: the caller hands it the locked `FOLDER/lock`, locked from then on until the last process of the job
is gone. Two processes share the work, so that no single kill -9 leaves a job without a keeper: the watcher
enforces the limits, and the guard, its parent, ends the job when the watcher is killed. Python 3.9,
standard library alone.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mlresearch.backends import process_tree
else:
    import process_tree  # a sibling: this file runs as a plain script

POLL_S = 0.05
# A look at the tree costs 1.2 ms with 80 processes on the machine: at most 2 % of the time goes into looking.
LOOK_REST = 50.0
# what Python ignores or the runner handles; an ignored signal would stay ignored in the job
DEFAULTED = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ]
DIED = "the runner died, and the job with it; see the end of the log"


def main(folder: str, lock: int) -> None:
    """Record the start and leave a guard behind; without that record nothing is started, now or later."""
    # a submitter may have ignored or blocked signals, and both are inherited
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    job = json.loads(sys.stdin.buffer.read())
    os.set_inheritable(lock, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    begun = time.monotonic()
    job["started_at"] = time.time()
    put(folder + "/started.json", {"started_at": job["started_at"]})
    if os.fork() == 0:
        os.dup2(2, 1)  # from the submitter's pipe to the log
        _in_child(guard, folder, job, begun)
    os._exit(0)


def guard(folder: str, job: dict[str, Any], begun: float) -> None:
    """Wait for the watcher; when it died without recording an end, end the job and record LOST."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    process_tree.adopt_orphans()
    here = os.getpid()
    watcher = os.fork()
    if watcher == 0:
        _in_child(Watch(folder, job, begun, here).run)
    os.waitpid(watcher, 0)
    if not os.path.exists(folder + "/exit.json"):
        process_tree.stop(here, 0, 0)
        record(folder, job, begun, "LOST", None, DIED, None)


class Watch:
    """One job from its first process to its last."""

    def __init__(self, folder: str, job: dict[str, Any], begun: float, guard: int) -> None:
        self.folder, self.job, self.begun, self.guard = folder, job, begun, guard
        self.main = 0
        self.code: int | None = None
        self.peak_kib = 0
        self.next_look = 0.0
        self.signals: list[int] = []
        self.wake, wake_end = os.pipe()
        for end in (self.wake, wake_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_end)

    def run(self) -> None:
        process_tree.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self.signals.append(number))
        # only to end the rest early: a short job must not pay for a poll
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.main = launch(self.job)
        reason = None
        while reason is None and not self.ended():
            reason = self.breach()
            if reason is None:
                self.rest()
        self.finish(*reason or (None, ""))

    def ended(self) -> bool:
        """Reap every child, the adopted ones too, and keep the exit code of the first process."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self.main:
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else 128 - code
        return self.code is not None

    def breach(self) -> tuple[str, str] | None:
        """Why the job must end now, as stage and message, or None."""
        if os.path.exists(self.folder + "/cancel"):
            return "CANCELED", "canceled on request"
        if self.signals:
            return "PREEMPTED", "the runner was told to end: a shutdown of the machine, or a person"
        if os.getppid() != self.guard:
            return "LOST", "the runner's guard was killed, and the job with it"
        if time.monotonic() - self.begun >= self.job["timeout_s"]:
            return "TIMEOUT", f"stopped at its timeout of {self.job['timeout_s']}s"
        return self.memory_breach()

    def memory_breach(self) -> tuple[str, str] | None:
        began = time.monotonic()
        if began < self.next_look:
            return None
        used = sum(process_tree.tree(os.getpid(), self.main).values())
        ended = time.monotonic()
        self.next_look = ended + max(POLL_S, LOOK_REST * (ended - began))
        self.peak_kib = max(self.peak_kib, used)
        limit = self.job["memory_mb"]
        return ("OOM", f"used {used >> 10} MB, limit {limit} MB") if used > limit << 10 else None

    def rest(self) -> None:
        if select.select([self.wake], [], [], POLL_S)[0]:
            os.read(self.wake, 4096)

    def finish(self, stage: str | None, message: str) -> None:
        left = process_tree.stop(os.getpid(), self.main, 0 if stage == "OOM" else self.job["grace_s"])
        self.ended()
        if stage is None:
            stage, message = ("COMPLETED", "") if self.code == 0 else ("FAILED", explain(self.code))
        if left:
            message += f"; {left} processes can not be killed and may still run"
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB, but bytes on macOS
        peak_kib = max(self.peak_kib, largest if process_tree.LINUX else largest >> 10)
        record(self.folder, self.job, self.begun, stage, self.code, message, peak_kib >> 10)


def launch(job: dict[str, Any]) -> int:
    """Start the job's first process in a session of its own; returns its process id."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _in_child(become, job, parent)
    return pid


def become(job: dict[str, Any], parent: int) -> None:
    """Turn this process into the job. Bytes, not text: the submitter's locale may not be the runner's."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in DEFAULTED:
        signal.signal(number, signal.SIG_DFL)
    process_tree.die_with(parent)
    command = [raw(text) for text in job["command"]]
    os.chdir(raw(job["out"]))
    os.execve(command[0], command, {raw(name): raw(value) for name, value in job["environment"].items()})


def raw(text: str) -> bytes:
    return text.encode("latin-1")


def explain(code: int | None) -> str:
    if code is None or code <= 128:
        return f"exit code {code}"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return f"exit code {code}"
    hint = ", perhaps by the kernel for want of memory" if name == "SIGKILL" else ""
    return f"exit code {code}: ended by {name}{hint}"


def record(
    folder: str,
    job: dict[str, Any],
    begun: float,
    stage: str,
    code: int | None,
    message: str,
    peak: int | None,
) -> None:
    """Write exit.json, the only proof of an end; seconds come from a clock that nobody can set."""
    end = {
        "stage": stage,
        "exit_code": code,
        "message": message,
        "started_at": job["started_at"],
        "ended_at": time.time(),
        "seconds": time.monotonic() - begun,
        "peak_memory_mb": peak,
    }
    put(folder + "/exit.json", end)


def put(path: str, value: dict[str, Any]) -> None:
    """Write a file whole or not at all, and durable when this returns."""
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)
    above = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(above)
    os.close(above)


def _in_child(act: Any, *args: Any) -> None:
    """Run `act` in a forked child that never returns into its parent's code."""
    code = 127
    try:
        act(*args)
        code = 0
    except Exception as error:
        os.write(2, f"local runner: {act.__name__}: {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
