"""The broker: takes requests from the queue, executes each at most once, publishes the answers.

Owns the order that makes a death at any moment harmless: claim in the store, sign in the queue that it was taken,
execute, answer in the store, answer in the queue. It refuses to be two, to run code that lies where the model can
write, and to answer anything that still holds a secret.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

from mlresearch import presence, store
from mlresearch.backends.hf_hub import Hub, Patience
from mlresearch.broker import folder, records
from mlresearch.broker.folder import Folder
from mlresearch.broker.reply import Reply, refusal
from mlresearch.broker.request import SCRIPTS, Offer, Request, check, read
from mlresearch.errors import Refused, ResearchError

MOST_AT_ONCE = 16  # long waits among them
MOST_OUTPUT = 1 << 20
KEPT_S = 24 * 3600
_PAUSE_S = 0.05
_PATIENCE_S = 10.0  # what is under way may take this long once the broker is asked to stop


class Broker:
    """`tell` gets a line for the person, `confirm` asks them yes or no."""

    def __init__(
        self, root: str, offer: Offer, tell: Callable[[str], None], confirm: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.root, self.offer, self._tell, self._asks = os.path.realpath(root), offer, tell, confirm
        self._busy: dict[str, threading.Thread] = {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._question = threading.Lock()
        self._sign: int | None = None
        self._troubles: list[str] = []

    def serve(self, stop: threading.Event) -> None:
        """Until `stop` is set; raises Refused where it may not run, LedgerError when another broker serves here."""
        scripts = os.path.realpath(SCRIPTS)
        if scripts.startswith(self.root + "/"):
            told = f"the plugin lies in {self.root}, where the model could change what the broker runs"
            raise Refused(told, "a plugin outside the project", "install the plugin, then start its broker.py")
        with store.locked(self.root, "broker", wait_s=1.0):
            records.prune(self.root)
            try:
                while not stop.is_set():
                    self._round()
                    stop.wait(_PAUSE_S)
            finally:
                self._close()

    def _round(self) -> None:
        """One look at the queue. Whatever the model did to the folder, the broker says so once and goes on."""
        troubles = []
        try:
            with folder.opened(self.root) as queue:
                self._sign = queue.sign(self._sign)
                for request in queue.requests():
                    try:
                        self._take(queue, request)
                    except OSError as error:
                        troubles.append(f"request {request} can not be answered: {error.strerror}")
        except OSError as error:
            troubles.append(f"the queue can not be used: {error}; next: make {presence.queue_of(self.root)} a folder")
        for trouble in troubles:
            if trouble not in self._troubles:
                self._tell(trouble)
        self._troubles = troubles

    def _take(self, queue: Folder, request: str) -> None:
        if request in self._busy:
            return
        if queue.has(f"{request}.answer"):
            if queue.age(f"{request}.answer") > KEPT_S:
                queue.drop(f"{request}.request", f"{request}.taken", f"{request}.answer")
            return
        known = records.found(self.root, request)
        if known is not None:
            queue.put(f"{request}.answer", known.dump())
        elif len(self._busy) < MOST_AT_ONCE:
            self._begin(queue, request)

    def _begin(self, queue: Folder, request: str) -> None:
        try:
            raw = queue.read(request)
        except ResearchError as error:
            queue.put(f"{request}.answer", refusal(error, False).dump())
            return
        if raw is not None and records.claim(self.root, request):
            queue.put(f"{request}.taken", b"")
            worker = threading.Thread(target=self._work, args=(request, raw), daemon=True)
            self._busy[request] = worker
            worker.start()

    def _work(self, request: str, raw: bytes) -> None:
        try:
            reply = self._redacted(self._answer(raw))
            records.answer(self.root, request, reply)
            with folder.opened(self.root) as queue:
                queue.put(f"{request}.answer", reply.dump())
        except OSError as error:
            self._tell(f"an answer could not be left: {error}")
        finally:
            del self._busy[request]

    def _answer(self, raw: bytes) -> Reply:
        as_json = b'"--json"' in raw
        try:
            asked = read(raw)
            check(asked, self.root, self.offer, self._confirm)
            reply = self._execute(asked)
            self._tell(f"exit {reply.code}: {asked.script} {' '.join(asked.argv)}")
            return reply
        except ResearchError as error:
            self._tell(f"refused: {error}")
            return refusal(error, as_json)
        except Exception as error:  # a request may hold anything; it must not end the broker
            self._tell(f"refused: {error.__class__.__name__}: {error}")
            return refusal(Refused(f"the request can not be judged ({error.__class__.__name__})"), as_json)

    def _confirm(self, question: str) -> bool:
        with self._question:
            return self._asks(question)

    def _execute(self, asked: Request) -> Reply:
        """The same entry, with this interpreter; in a session of its own, so that the terminal's ^C spares it.

        Its outputs are files: a pipe would stay open for as long as a watcher that it leaves behind.
        """
        environment = {**os.environ, presence.BROKERED: "1", "CLAUDE_CODE_SESSION_ID": asked.session}
        with TemporaryFile() as out, TemporaryFile() as err:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPTS / asked.script), *asked.argv],
                cwd=asked.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            self._running.add(process)
            try:
                code = process.wait()
            finally:
                self._running.discard(process)
            return Reply(code, _end(out), _end(err))

    def _redacted(self, reply: Reply) -> Reply:
        clean = Hub(None, Patience()).redactor(self.offer.secrets)
        return Reply(reply.code, clean(reply.stdout), clean(reply.stderr))

    def _close(self) -> None:
        """Give what is under way a moment, interrupt the rest as ^C would, and take the sign down."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._busy and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        for process in tuple(self._running):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        for worker in tuple(self._busy.values()):
            worker.join(_PATIENCE_S)
        with suppress(OSError), folder.opened(self.root) as queue:
            queue.drop(presence.SIGN)
        if self._sign is not None:
            os.close(self._sign)


def _end(output: IO[bytes]) -> str:
    """The end of a long output, which is where the newest lines are."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - MOST_OUTPUT))
    cut = "(cut)\n" if size > MOST_OUTPUT else ""
    return cut + output.read().decode("utf-8", "replace")
