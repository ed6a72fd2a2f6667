"""One bounded call: time, size, redirects, keys, retries."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlresearch.errors import NotFound, Unavailable, UsageError
from mlresearch.sources import web
from mlresearch.sources.hosts import HF_KEY, HUB, Key, Source, key_of, may_have_key
from mlresearch.sources.reply import Reply, retry_after_s

Answer = Callable[[BaseHTTPRequestHandler], None]
KEY = "k-Secret0Of0This0Test"
GENEROUS_S = 60.0


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what these tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Host:
    """A server on loopback that answers every request with `answer` and keeps the headers it was sent."""

    def __init__(self) -> None:
        self.answer: Answer = plain()
        self.seen: list[dict[str, str]] = []
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.seen.append({name.lower(): value for name, value in self.headers.items()})
                try:
                    outer.answer(self)
                except ConnectionError:
                    self.close_connection = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def plain(body: bytes = b'{"a": 1}', status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dripping(host: Host) -> Answer:
    """One byte every tenth of a second, of the head itself: no single read is ever late."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not host.closing.wait(0.1):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return answer


def silent(host: Host) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        host.closing.wait(GENEROUS_S)
        handler.close_connection = True

    return answer


@pytest.fixture
def host() -> Iterator[Host]:
    opened = Host()
    yield opened
    opened.close()


@pytest.fixture
def other() -> Iterator[Host]:
    opened = Host()
    yield opened
    opened.close()


@pytest.fixture
def source(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("TEST_SOURCE_URL", host.url)
    monkeypatch.setenv("TEST_SOURCE_KEY", KEY)
    return Source("Test", "TEST_SOURCE_URL", "https://example.com", key=Key(("TEST_SOURCE_KEY",), "X-Key"), ttl_s=0)


def test_an_answer_is_had_with_the_key_in_its_header(host: Host, source: Source) -> None:
    assert web.get(source, "/x", {"q": "a b", "none": None}).json() == {"a": 1}
    assert host.seen[0]["x-key"] == KEY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_followed_without_the_key(
    host: Host, other: Host, source: Source, status: int
) -> None:
    host.answer = plain(b"", status, Location=other.url + "/there?x=1")
    assert web.get(source, "/x").json() == {"a": 1}
    assert len(other.seen) == 1
    assert KEY not in repr(other.seen)


def test_a_header_of_the_caller_does_not_go_to_another_host(host: Host, other: Host, source: Source) -> None:
    host.answer = plain(b"", 302, Location=other.url)
    web.ask(source, host.url + "/x", headers={"Authorization": f"Bearer {KEY}", "Range": "bytes=0-1"})
    assert host.seen[0]["authorization"] == f"Bearer {KEY}"
    assert other.seen[0]["range"] == "bytes=0-1"
    assert KEY not in repr(other.seen)


def test_a_redirect_back_to_the_source_has_the_key_again(host: Host, other: Host, source: Source) -> None:
    host.answer = lambda handler: (plain(b"", 302, Location=other.url) if handler.path == "/x" else plain())(handler)
    other.answer = plain(b"", 302, Location=host.url + "/y")
    assert web.get(source, "/x").json() == {"a": 1}
    assert [each.get("x-key") for each in host.seen] == [KEY, KEY]
    assert KEY not in repr(other.seen)


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[", "//", "javascript:1"])
def test_a_redirect_to_no_web_address_is_not_followed(host: Host, source: Source, place: str) -> None:
    host.answer = plain(b"", 302, Location=place)
    with pytest.raises(Unavailable, match=r"redirects to where|can not be asked"):
        web.get(source, "/x")


def test_redirects_in_a_circle_end(host: Host, source: Source) -> None:
    host.answer = lambda handler: plain(b"", 302, Location=handler.path + "x")(handler)
    with pytest.raises(Unavailable, match="circle"):
        web.get(source, "/x")
    assert len(host.seen) == web.MOST_HOPS


def test_what_is_posted_is_not_sent_on(host: Host, other: Host, source: Source) -> None:
    host.answer = plain(b"", 307, Location=other.url)
    with pytest.raises(Unavailable, match="redirects"):
        web.post(source, "/x", {"q": 1})
    assert other.seen == []


@pytest.mark.parametrize("kind", ["silent", "dripping"])
def test_a_server_that_never_ends_is_left_after_the_limit(host: Host, source: Source, kind: str) -> None:
    host.answer = dripping(host) if kind == "dripping" else silent(host)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="did not"):
        web.get(source, "/x", limit_s=1)
    assert time.monotonic() - begun < GENEROUS_S / 2
    assert len(host.seen) <= 1


def test_a_server_that_takes_no_connection_is_left_after_the_limit(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        monkeypatch.setenv("TEST_SOURCE_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(Unavailable):
            web.get(source, "/x", limit_s=1)


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_answer_that_is_too_large_is_refused(host: Host, source: Source, is_packed: bool) -> None:
    body = b'"' + b"x" * 3_000_000 + b'"'
    host.answer = plain(gzip.compress(body), Content_Encoding="gzip") if is_packed else plain(body)
    with pytest.raises(Unavailable, match="more than 1 MiB"):
        web.get(source, "/x", most_bytes=2**20)


BAD_BODIES = [b"", b"{", b"<html>", b'{"a": 1}}', b"\xff\xfe", b"[" * 100_000, b"1" * 10_000]


@pytest.mark.parametrize("body", BAD_BODIES, ids=[repr(body[:10]) for body in BAD_BODIES])
def test_broken_json_is_unavailable(host: Host, source: Source, body: bytes) -> None:
    host.answer = plain(body)
    with pytest.raises(Unavailable, match="broken JSON"):
        web.get(source, "/x")


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'


@pytest.mark.parametrize(
    "body", [b"", b"<a>", b"text", b"<a></b>", BOMB], ids=["empty", "open", "text", "other", "bomb"]
)
def test_broken_xml_is_unavailable(body: bytes) -> None:
    with pytest.raises(Unavailable, match="broken XML"):
        Reply("Test", "http://x", 200, body).xml()


def test_half_an_answer_is_asked_for_again_and_then_told(host: Host, source: Source) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"a": 1}')
        handler.close_connection = True

    host.answer = half
    with pytest.raises(Unavailable, match="broke off"):
        web.get(source, "/x")
    assert len(host.seen) == web.TRIES


STATUSES = [
    (404, NotFound),
    (410, NotFound),
    (401, Unavailable),
    (403, Unavailable),
    (400, Unavailable),
    (418, Unavailable),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_a_refusal_is_told_at_once_with_what_the_server_said(
    host: Host, source: Source, status: int, kind: type[Unavailable]
) -> None:
    host.answer = plain(b'{"error": "no, said %s"}' % KEY.encode(), status)
    with pytest.raises(Unavailable) as caught:
        web.get(source, "/x")
    assert type(caught.value) is kind
    assert f"Test answered {status}: no, said" in caught.value.wrong
    assert caught.value.next_step
    assert KEY not in str(caught.value)
    assert len(host.seen) == 1


def test_a_passing_fault_is_tried_again(host: Host, source: Source) -> None:
    host.answer = lambda handler: plain(b"", 503)(handler) if len(host.seen) == 1 else plain()(handler)
    assert web.get(source, "/x").json() == {"a": 1}
    assert len(host.seen) == 2


PAUSES = [
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": " 12 "}, 12.0),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "9" * 40}, None),
    ({"retry-after": formatdate(0, usegmt=True)}, 0.0),
    ({"ratelimit": '"api";r=0;t=55'}, 55.0),
    ({}, None),
]


@pytest.mark.parametrize(("headers", "pause_s"), PAUSES)
def test_the_pause_that_a_server_asks_for_is_read(headers: dict[str, str], pause_s: float | None) -> None:
    assert retry_after_s(headers) == pause_s


def test_an_answer_is_kept_and_told_with_its_age(host: Host, source: Source) -> None:
    first = web.get(source, "/x", {"q": 1}, ttl_s=3600)
    time.sleep(0.01)
    second = web.get(source, "/x", {"q": 1}, ttl_s=3600)
    assert (first.age, second.json()) == ("", {"a": 1})
    assert second.age.startswith("cached ")
    assert len(host.seen) == 1
    web.get(source, "/x", {"q": 2}, ttl_s=3600)
    web.get(source, "/x", {"q": 1}, ttl_s=0)
    assert len(host.seen) == 3


def test_no_key_stands_in_the_store(host: Host, source: Source, tmp_path: Path) -> None:
    web.get(source, "/x", ttl_s=3600)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(KEY.encode() not in path.read_bytes() for path in files)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "x"])
def test_a_limit_that_is_none_is_refused(source: Source, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(web.LIMIT_VARIABLE, value)
    with pytest.raises(UsageError):
        web.get(source, "/x")


def test_the_hub_token_goes_to_https_hosts_of_hugging_face_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    allowed = ("https://huggingface.co/api", "https://datasets-server.huggingface.co/rows")
    refused = (
        "http://huggingface.co/api",
        "https://huggingface.co.example.com/",
        "https://huggingface.co@example.com/",
        "https://evilhuggingface.co/",
        "https://someone.hf.space/",
        "https://huggingface.co:8443/",
    )
    assert [may_have_key(HUB, url) for url in allowed] == [True, True]
    assert [may_have_key(HUB, url) for url in refused[:-1]] == [False] * 5
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org")
    assert may_have_key(HUB, "https://hub.example.org/api")
    assert not may_have_key(HUB, allowed[0])


def test_a_key_is_read_from_the_first_variable_that_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " ")
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", " hf_x \n")
    assert key_of(HUB) == "hf_x"
    assert HUB.key is HF_KEY
