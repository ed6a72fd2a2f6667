"""A recorded service on a loopback port: one function answers, one fault at a time spoils it."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

KINDS = ("401", "403", "404", "429", "500", "503", "broken", "slow", "half", "redirect")
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def told(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(json.dumps(value).encode(), status, JSON, headers or {})


@dataclass(frozen=True)
class Fault:
    """One of KINDS, or `lost`: it is done, and the connection closed. `match` is searched in `METHOD /path`."""

    kind: str
    match: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    says: object = None


class TableServer:
    """The service while the `with` block lasts; `elsewhere` is where the redirect fault leads."""

    def __init__(self, answer: Callable[[Asked], Answer], elsewhere: str = "http://127.0.0.1:9/") -> None:
        self.answer, self.elsewhere = answer, elsewhere
        self.fault: Fault | None = None
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"service": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.asked]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what tests are about; anything else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    service: TableServer
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
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, unquote(place.path), dict(parse_qsl(place.query)), headers, body)
        self.service.asked.append(asked)
        fault = self.service.fault
        if fault is None or not re.search(fault.match, f"{asked.method} {asked.path}"):
            self._send(self.service.answer(asked))
        else:
            self._fail(fault, asked)

    def _fail(self, fault: Fault, asked: Asked) -> None:
        if fault.kind.isdigit():
            says = {"message": "refused", "error": "refused"} if fault.says is None else fault.says
            self._send(Answer(json.dumps(says).encode(), int(fault.kind), JSON, fault.headers))
        elif fault.kind == "redirect":
            self._send(Answer(b"", 307, "text/html", {"Location": self.service.elsewhere}))
        elif fault.kind == "slow":
            self.service.closing.wait(60)
            self.close_connection = True
        elif fault.kind == "broken":
            self._send(Answer(b"<html><body>down for a moment", 200, JSON))
        else:
            self._cut(self.service.answer(asked), is_lost=fault.kind == "lost")

    def _cut(self, whole: Answer, is_lost: bool) -> None:
        """Half an answer, or none although it was done."""
        if not is_lost:
            self._head(whole)
            with contextlib.suppress(OSError):
                self.wfile.write(whole.body[: len(whole.body) // 2])
        self.close_connection = True

    def _send(self, answer: Answer) -> None:
        self._head(answer)
        self.wfile.write(answer.body)

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
