"""A Messages API on loopback whose answers the test writes down beforehand.

Owns the protocol (JSON and server-sent events) and the record of what the client sent. Refuses to be
clever: it plays turns in order and never looks at what an answer means. A request that offers no tools
(a title, a summary) is answered with a fixed word and uses up no turn.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]
_numbers = itertools.count(1)


def say(text: str) -> Json:
    """A block of plain text; a turn without tool calls ends the model's part."""
    return {"type": "text", "text": text}


def use(tool: str, /, **arguments: Any) -> Json:
    """A block that calls a tool of the client."""
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):05d}", "name": tool, "input": arguments}


@dataclass(frozen=True)
class ToolResult:
    """What the client answered to one tool call."""

    call: str
    failed: bool
    text: str


def _words(content: object) -> str:
    """All text of a `content` value: a string, or blocks that may hold blocks (tool results do)."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _words(content.get("text") or content.get("content"))
    return "\n".join(_words(part) for part in content) if isinstance(content, list) else ""


@dataclass(frozen=True)
class Request:
    """One call of /v1/messages as the client sent it."""

    body: Json

    @property
    def system(self) -> str:
        return _words(self.body.get("system"))

    @property
    def messages(self) -> list[Json]:
        found: list[Json] = self.body.get("messages", [])
        return found

    @property
    def opening(self) -> str:
        """The first user message: the task, with what hooks and skills added to it."""
        return next((_words(m["content"]) for m in self.messages if m["role"] == "user"), "")

    @property
    def text(self) -> str:
        """Everything the model would read."""
        return "\n".join([self.system, *(_words(m["content"]) for m in self.messages)])

    @property
    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools", [])]

    @property
    def results(self) -> list[ToolResult]:
        blocks = [b for m in self.messages if isinstance(m["content"], list) for b in m["content"]]
        return [
            ToolResult(b["tool_use_id"], bool(b.get("is_error")), _words(b.get("content")))
            for b in blocks
            if b.get("type") == "tool_result"
        ]


Turn = Sequence[Json] | Callable[[Request], Sequence[Json]]


class _Part:
    """The turns of one speaker: the main conversation, or the subagents a needle picks out."""

    def __init__(self, needle: str, turns: Iterable[Turn]) -> None:
        self.needle, self.turns = needle, deque(turns)

    def is_for(self, request: Request) -> bool:
        return self.needle in request.system or self.needle in request.opening


class ScriptedModel:
    """Use as a context manager; the client finds it at `url`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._main = _Part("", ())
        self._parts: list[_Part] = []
        self._faults: list[Exception] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def plays(self, *turns: Turn) -> Self:
        """Add turns to the main conversation."""
        self._main.turns.extend(turns)
        return self

    def plays_for(self, needle: str, *turns: Turn) -> Self:
        """Give their own turns to requests whose system prompt or opening holds `needle`; newest first."""
        self._parts.insert(0, _Part(needle, turns))
        return self

    @property
    def text(self) -> str:
        """Everything the model would have read, all requests together."""
        return "\n".join(request.text for request in self.requests)

    @property
    def results(self) -> list[ToolResult]:
        """Each tool result once, in order of arrival."""
        return list({r.call: r for request in self.requests for r in request.results}.values())

    def answer(self, body: Json) -> list[Json]:
        """The next blocks for a request; an exhausted part ends the conversation."""
        request = Request(body)
        with self._lock:
            self.requests.append(request)
            part = next((p for p in self._parts if p.is_for(request)), self._main)
            if part is self._main and not request.tools:
                return [say("ok")]
            turn = part.turns.popleft() if part.turns else [say("(no turn left)")]
        if not callable(turn):
            return list(turn)
        try:
            return list(turn(request))
        except Exception as error:  # the client would only retry; the test raises it at the end
            self._faults.append(error)
            return [say(f"(the script failed: {error})")]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._faults and error is None:
            raise self._faults[0]


def _message(body: Json, blocks: list[Json]) -> Json:
    calls = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_{next(_numbers):05d}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 10},
    }


def _events(message: Json) -> Iterable[Json]:
    """The message as the stream of events a client asks for with `stream: true`."""
    yield {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": message["usage"]}
    yield {"type": "message_stop"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: pytest shows what matters."""

    def do_HEAD(self) -> None:
        self._reply(200, b"", "text/plain")

    def do_GET(self) -> None:
        self._reply(404, b"{}", "application/json")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path == "/v1/messages":
            self._answer(json.loads(raw))
        elif path == "/v1/messages/count_tokens":
            self._reply(200, json.dumps({"input_tokens": len(raw) // 4}).encode(), "application/json")
        else:
            self._reply(404, b'{"type": "error"}', "application/json")

    def _answer(self, body: Json) -> None:
        message = _message(body, self.server.model.answer(body))
        if body.get("stream"):
            frames = (f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in _events(message))
            self._reply(200, "".join(frames).encode(), "text/event-stream")
        else:
            self._reply(200, json.dumps(message).encode(), "application/json")

    def _reply(self, status: int, payload: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
