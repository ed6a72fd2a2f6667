"""A job that really runs, as a process of this machine: no container, no network of its own, its own folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# what a container has by itself; PATH brings python3 and uv
INHERITED = ("PATH", "LANG", "UV_CACHE_DIR", "UV_FIND_LINKS", "XDG_CACHE_HOME", "TMPDIR")


class Execution:
    """Starts at once. `ended` is the moment it ended, None before; `lines` grows."""

    def __init__(
        self, body: Mapping[str, Any], folder: Path, now: Callable[[], float], variables: Mapping[str, str]
    ) -> None:
        self.lines: list[tuple[float, str]] = []
        self.exit_code: int | None = None
        self.ended: float | None = None
        self.timed_out = False
        self._now = now
        self._limit_s = float(body["timeoutSeconds"])
        folder.mkdir(parents=True)
        self._process = subprocess.Popen(
            [*body["command"], *body.get("arguments", [])],
            cwd=folder,
            env=_environment(body, folder, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        timer = threading.Timer(self._limit_s, self._time_out)
        timer.start()
        assert self._process.stdout
        with self._process.stdout as output:
            for raw in output:
                self.lines.append((self._now(), raw.decode("utf-8", "replace").rstrip("\n")))
        self.exit_code = self._process.wait()
        timer.cancel()
        self.ended = self._now()

    def _time_out(self) -> None:
        self.timed_out = True
        self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)

    def close(self) -> None:
        """End it and wait until nothing of it is left."""
        self.stop(signal.SIGKILL)
        self._thread.join()


def _environment(body: Mapping[str, Any], folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    given = {**body.get("environment", {}), **body.get("secrets", {})}
    ours = {"HOME": str(Path.home()), "UV_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "JOB_ID": folder.name}
    return inherited | ours | dict(variables) | {name: str(value) for name, value in given.items()}
