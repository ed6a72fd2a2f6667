"""A job's log, read in a thread of its own, so that a caller sees each line when it comes and never waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from mlresearch.errors import BackendError, Unavailable

PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LOOK_S = 0.1


class Follower:
    """`open_log` gives the log's lines from the first on, until the job has ended; it is called again when it breaks.

    `trouble` is why the log can not be read now, None when it can. A daemon thread: it holds up no exit. One that
    waits for a line when `stop` is called ends with the next line, or with the job.
    """

    def __init__(self, open_log: Callable[[], Iterator[str]]) -> None:
        self.trouble: Unavailable | BackendError | None = None
        self._fault: BaseException | None = None
        self._open, self._lines = open_log, SimpleQueue[tuple[str, float]]()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job log", daemon=True)
        self._thread.start()

    def taken(self) -> Iterator[tuple[str, float]]:
        """The lines that came since the last call, each with the moment on the monotonic clock."""
        if self._fault is not None:
            raise self._fault
        while True:
            try:
                yield self._lines.get_nowait()
            except Empty:
                return

    def wait_for_end(self, seconds: float) -> bool:
        """Give the last lines of an ended job time to come; False when they did not, or can not be read."""
        give_up = time.monotonic() + seconds
        while self._thread.is_alive() and self.trouble is None and time.monotonic() < give_up:
            self._thread.join(LOOK_S)
        return not self._thread.is_alive() and self.trouble is None

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        count, pause = 0, PAUSE_S
        while not self._stopped.is_set():
            try:
                for place, line in enumerate(self._open(), 1):
                    if self._stopped.is_set():
                        return
                    if place > count:
                        count, pause, self.trouble = place, PAUSE_S, None
                        self._lines.put((line, time.monotonic()))
                self.trouble = None
                return
            except (Unavailable, BackendError) as error:
                self.trouble = error
            except Exception as fault:  # one of ours: for the thread that asked
                self._fault = fault
                return
            self._stopped.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
