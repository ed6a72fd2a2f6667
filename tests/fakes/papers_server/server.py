"""The four services behind one loopback port, in threads of the caller's process."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from fakes.papers_server import answers
from fakes.papers_server.answers import Answer
from fakes.papers_server.faults import Fault, said

SERVICES = ("hf", "arxiv", "pages", "s2", "openalex")


@dataclass(frozen=True)
class Seen:
    """One request: when it came (seconds of the monotonic clock), to whom, and its headers."""

    at: float
    service: str
    method: str
    path: str
    headers: dict[str, str]


class PapersServer:
    """The services while the `with` block lasts.

    `faults` by service; `elsewhere` is where the redirect fault leads; `change` is done to every good answer.
    """

    def __init__(self, port: int = 0, elsewhere: str = "http://127.0.0.1:9/") -> None:
        self.faults: dict[str, Fault] = {}
        self.seen: list[Seen] = []
        self.elsewhere = elsewhere
        self.change: Callable[[Answer], Answer] | None = None
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), type("Bound", (_Handler,), {"papers": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead papers.py here."""
        return {
            "HF_ENDPOINT": f"{self.url}/hf",
            "ML_RESEARCH_ARXIV_URL": f"{self.url}/arxiv",
            "ML_RESEARCH_ARXIV_PAGES_URL": f"{self.url}/pages",
            "ML_RESEARCH_S2_URL": f"{self.url}/s2",
            "ML_RESEARCH_OPENALEX_URL": f"{self.url}/openalex",
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def asked(self, service: str) -> list[Seen]:
        return [each for each in self.seen if each.service == service]

    def fault(self, service: str) -> Fault | None:
        found = self.faults.get(service)
        return found if found is not None and found.take() else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what tests are about; anything else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    papers: PapersServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        place = urlsplit(self.path)
        _, service, rest = (unquote(place.path) + "//").split("/", 2)
        path, params = "/" + rest.rstrip("/"), dict(parse_qsl(place.query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.papers.seen.append(Seen(time.monotonic(), service, self.command, self.path, headers))
        fault = self.papers.fault(service)
        if fault is not None:
            self._fail(service, fault, path, params)
        elif service in SERVICES:
            answer = _answer(service, path, params, body)
            self._send(self.papers.change(answer) if self.papers.change else answer)
        else:
            self._send(Answer(b"not here", 404, "text/plain"))

    def _fail(self, service: str, fault: Fault, path: str, params: dict[str, str]) -> None:
        if fault.kind.isdigit():
            more = {"Retry-After": fault.retry_after} if fault.kind == "429" else {}
            body = said(service, int(fault.kind))
            kind = "application/json" if body.startswith(b"{") else "text/html"
            self._send(Answer(body, int(fault.kind), kind), more)
        elif fault.kind == "redirect":
            self._send(Answer(b"", 302, "text/html"), {"Location": self.papers.elsewhere})
        elif fault.kind == "slow":
            self.papers.closing.wait(60)
            self.close_connection = True
        else:
            self._distort(service, fault.kind, _answer(service, path, params, b'{"positivePaperIds": ["2106.09685"]}'))

    def _distort(self, service: str, kind: str, whole: Answer) -> None:
        """A good answer made bad: not well-formed, without its entries, or broken off in the middle."""
        if kind == "broken":
            self._send(Answer(whole.body[: len(whole.body) // 2] + b"<oops", 200, whole.kind))
        elif kind == "empty":
            nothing = answers.feed([], 14) if service == "arxiv" else Answer(b"", 200, whole.kind)
            self._send(nothing)
        else:
            self._head(whole, {})
            with contextlib.suppress(OSError):
                self.wfile.write(whole.body[: len(whole.body) // 2])
            self.close_connection = True

    def _send(self, answer: Answer, more: dict[str, str] | None = None) -> None:
        self._head(answer, more or {})
        self.wfile.write(answer.body)

    def _head(self, answer: Answer, more: dict[str, str]) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()


def _answer(service: str, path: str, params: dict[str, str], body: bytes) -> Answer:
    if service == "s2":
        return answers.s2(path, params, body)
    makers = {"hf": answers.hub, "arxiv": answers.arxiv, "pages": answers.pages, "openalex": answers.openalex}
    return makers[service](path, params)
