"""The service over HTTP on a loopback port, in threads of the test's own process."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.hf_jobs import answers, prices
from fakes.hf_jobs.clock import Clock
from fakes.hf_jobs.faults import Fault, Faults
from fakes.hf_jobs.state import Job, Plan
from fakes.hf_jobs.streams import Streams
from fakes.table_server import Answer, Asked


class InFlight:
    """Counts the requests that are being served."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.count += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.count -= 1


class Emulator:
    """The service while the `with` block lasts. `execute_in` makes jobs really run, each in a folder there.

    `plans` are used up one a job; then `plan` counts. `listed_after_s` is how long a new job is missing from
    listings. `requests` are the calls so far as `METHOD /path`, `bodies` the accepted submits. `others` answers what is
    not about jobs. `variables` are what a job's container has beside what its submit gave.
    """

    def __init__(self, execute_in: Path | None = None) -> None:
        self.clock, self.faults = Clock(), Faults()
        self.jobs: dict[str, Job] = {}
        self.plan, self.plans = Plan(), list[Plan]()
        self.user, self.organizations = "ada", ["lab"]
        self.hardware: list[dict[str, Any]] = prices.listing()
        self.page_size, self.listed_after_s = 3, 0.0
        self.requests: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.others: Callable[[Asked], Answer] | None = None
        self.variables: dict[str, str] = {}
        self.closing, self.busy = threading.Event(), InFlight()
        self.streams = Streams(self.closing)
        self._execute_in = execute_in
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        for job in self.jobs.values():
            if job.execution is not None:
                job.execution.close()

    def create(self, namespace: str, body: dict[str, Any]) -> Job:
        with self._lock:
            plan = self.plans.pop(0) if self.plans else self.plan
            job = Job(namespace, body, plan, self.clock)
            self.bodies.append(body)
            if self._execute_in is not None:
                job.execute(self._execute_in, self.variables)
            self.jobs[job.id] = job
            return job

    def listed(self, namespace: str) -> list[Job]:
        with self._lock:
            jobs = list(self.jobs.values())
        now = self.clock.now()
        return [job for job in jobs if job.namespace == namespace and now - job.created >= self.listed_after_s]

    def bill_micro(self) -> int:
        return sum(job.bill_micro() for job in self.jobs.values())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in mid-sentence is what tests are about; anything else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: Emulator
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer in two pieces waits 40 ms for the client's acknowledgement
    fault: Fault | None = None
    silent = False

    def log_message(self, format: str, *args: object) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        clock = self.hub.clock
        return formatdate(clock.now() + clock.skew_s if timestamp is None else timestamp, usegmt=True)

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def _handle(self) -> None:
        with self.hub.busy:
            self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        place = urlsplit(self.path)
        request = f"{self.command} {place.path}"
        self.hub.requests.append(request)
        self.fault = self.hub.faults.take(request)
        self.silent = self.fault is not None and not self.fault.is_in_stream
        if self.fault is None or self.fault.does_it:
            self._route(request, parse_qs(place.query), raw)
        if self.fault is not None and self.silent:
            self._fail(self.fault)

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "status":
            self.silent = False
            error = {"error": fault.error or f"fault {fault.status}"}
            return self._answer(fault.status, error if fault.body is None else fault.body, fault.headers)
        if fault.kind == "hang":
            self.hub.closing.wait(fault.seconds)
        self._drop()

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, value: Any, headers: Any = None) -> None:
        if self.silent:
            return
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(b"" if self.command == "HEAD" else data)
        except OSError:
            self.close_connection = True

    def _route(self, request: str, query: dict[str, list[str]], raw: bytes) -> None:
        is_known = request == "GET /api/agent-harnesses" or self.headers.get("authorization", "").startswith("Bearer ")
        for pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, request)
            if found and is_known:
                return handler(self, query, raw, *found.groups())
            if found or (self.hub.others is None and not is_known):
                return self._answer(401, {"error": "Invalid username or password."})
        if self.hub.others is None:
            return self._answer(404, {"error": f"the emulator has no {request}"})
        headers = {name.lower(): value for name, value in self.headers.items()}
        words = {name: values[0] for name, values in query.items()}
        method, _, path = request.partition(" ")
        self._pass_on(self.hub.others(Asked(method, unquote(path), words, headers, raw)))

    def _pass_on(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"content-type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def harnesses(self, query: dict[str, list[str]], raw: bytes) -> None:
        self._answer(200, {"standardEnvVars": [], "harnesses": {}})

    def whoami(self, query: dict[str, list[str]], raw: bytes) -> None:
        self._answer(200, answers.account(self.hub.user, self.hub.organizations))

    def hardware(self, query: dict[str, list[str]], raw: bytes) -> None:
        self._answer(200, self.hub.hardware)

    def _known(self, namespace: str) -> bool:
        if namespace in (self.hub.user, *self.hub.organizations):
            return True
        self._answer(404, {"error": f"namespace {namespace} not found"})
        return False

    def create(self, query: dict[str, list[str]], raw: bytes, namespace: str) -> None:
        body = json.loads(raw)
        fault = answers.fault_of(body)
        if not self._known(namespace):
            return
        if fault:
            self._answer(400, {"error": fault})
        else:
            self._answer(200, answers.job(self.hub.create(namespace, body)))

    def listing(self, query: dict[str, list[str]], raw: bytes, namespace: str) -> None:
        if self._known(namespace):
            found = answers.matching(self.hub.listed(namespace), query)
            address = f"{self.hub.url}/api/jobs/{namespace}"
            self._answer(200, *answers.page(found, query, self.hub.page_size, address))

    def _job(self, namespace: str, job_id: str) -> Job | None:
        job = self.hub.jobs.get(job_id)
        if job is not None and job.namespace == namespace:
            return job
        self._answer(404, {"error": "Job not found"})
        return None

    def inspect(self, query: dict[str, list[str]], raw: bytes, namespace: str, job_id: str) -> None:
        job = self._job(namespace, job_id)
        if job is not None:
            self._answer(200, answers.job(job))

    def cancel(self, query: dict[str, list[str]], raw: bytes, namespace: str, job_id: str) -> None:
        job = self._job(namespace, job_id)
        if job is not None:
            job.cancel()
            self._answer(200, answers.job(job))

    def logs(self, query: dict[str, list[str]], raw: bytes, namespace: str, job_id: str) -> None:
        job = self._job(namespace, job_id)
        if job is not None:
            tail = int(query["tail"][0]) if "tail" in query else None
            self._stream(self.hub.streams.log(job, tail))

    def metrics(self, query: dict[str, list[str]], raw: bytes, namespace: str, job_id: str) -> None:
        job = self._job(namespace, job_id)
        if job is not None and job.outcome()[0] != "RUNNING":
            self._answer(406, {"error": "Job is not running"})
        elif job is not None:
            self._stream(self.hub.streams.load(job))

    def _stream(self, events: Iterator[bytes]) -> None:
        """Chunked, so that a client can tell a cut from an end."""
        if self.silent:
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self._send_events(events)
        except OSError:
            self.close_connection = True

    def _send_events(self, events: Iterator[bytes]) -> None:
        fault = self.fault
        for place, event in enumerate(events):
            if fault and fault.kind == "cut_stream" and place == fault.after:
                self._chunk(event[: len(event) // 2])
                return self._drop()
            if fault and fault.kind == "slow_stream":
                self.hub.closing.wait(fault.seconds)
            self._chunk(event)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


_NAME = r"([^/]+)"
_ROUTES: tuple[tuple[str, Callable[..., None]], ...] = (
    ("GET /api/agent-harnesses", _Handler.harnesses),
    ("GET /api/whoami-v2", _Handler.whoami),
    ("GET /api/jobs/hardware", _Handler.hardware),
    (f"POST /api/jobs/{_NAME}", _Handler.create),
    (f"GET /api/jobs/{_NAME}", _Handler.listing),
    (f"GET /api/jobs/{_NAME}/{_NAME}", _Handler.inspect),
    (f"POST /api/jobs/{_NAME}/{_NAME}/cancel", _Handler.cancel),
    (f"GET /api/jobs/{_NAME}/{_NAME}/logs", _Handler.logs),
    (f"GET /api/jobs/{_NAME}/{_NAME}/metrics", _Handler.metrics),
)
