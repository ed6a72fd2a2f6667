"""One bounded call to a source: time, size, redirects and retries have limits, and a key never leaves its own host.

Redirects are followed by hand, each hop with only the headers its host may have. Half an answer, a fault of the
server, a refusal and a time-out all raise `Unavailable` (`NotFound` for a 404) with the next step; an answer is kept in
the cache only after its check passed. Refuses to send a POST on, and to go from https to plain http.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from mlresearch.errors import Unavailable, UsageError, shown
from mlresearch.sources import cache, pace
from mlresearch.sources.hosts import Source, key_headers, key_of, origin
from mlresearch.sources.reply import LATER, Reply, checked, retry_after_s

# one call with all its tries, its turn in the line aside
LIMIT_S = 30.0
LIMIT_VARIABLE = "ML_RESEARCH_HTTP_LIMIT_S"
MOST_BYTES = 64 * 1024 * 1024
MOST_HOPS = 5
TRIES = 3
# a server that asks for a longer pause is told to the caller instead
LONGEST_PAUSE_S = 10.0
AGENT = "ml-research (a Claude Code plugin; reads papers and documentation)"
REDIRECTS = (301, 302, 303, 307, 308)
# what any host may be told; a header of a caller may carry a key
HARMLESS = ("accept", "accept-encoding", "range")
PASSING = (429, 500, 502, 503, 504)

Check = Callable[[Reply], object]


@dataclass(frozen=True)
class _Call:
    source: Source
    method: str
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    content: bytes
    most_bytes: int


def get(
    source: Source,
    path: str,
    params: Mapping[str, Any] | None = None,
    *,
    accept: str = "application/json",
    check: Check = Reply.json,
    ttl_s: float | None = None,
    limit_s: float | None = None,
    most_bytes: int = MOST_BYTES,
) -> Reply:
    """GET one address of a source, from the cache when it is young enough there; 0 as `ttl_s` always asks anew.

    `path` begins with a slash. `check` raises when the answer is no use, so that it is not kept. Raises Unavailable or
    NotFound.
    """
    call = _Call(source, "GET", source.base + path, _clean(params), {"Accept": accept}, b"", most_bytes)
    return _through_cache(call, check, source.ttl_s if ttl_s is None else ttl_s, limit_s)


def post(
    source: Source,
    path: str,
    body: object,
    params: Mapping[str, Any] | None = None,
    *,
    check: Check = Reply.json,
    ttl_s: float | None = None,
    limit_s: float | None = None,
) -> Reply:
    """POST JSON that only asks; the answer is JSON. Raises as `get` does."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    content = json.dumps(body, sort_keys=True).encode()
    call = _Call(source, "POST", source.base + path, _clean(params), headers, content, MOST_BYTES)
    return _through_cache(call, check, source.ttl_s if ttl_s is None else ttl_s, limit_s)


def ask(
    source: Source,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    limit_s: float | None = None,
    most_bytes: int = MOST_BYTES,
) -> Reply:
    """GET one whole address past the cache; hands the answer on whatever its status. Raises Unavailable for none."""
    call = _Call(source, "GET", url, _clean(params), {"Accept": "*/*", **(headers or {})}, b"", most_bytes)
    return _tries(call, limit_s or limit_seconds())


def limit_seconds() -> float:
    """The most seconds one call may take; raises UsageError when the variable holds no positive number."""
    given = os.environ.get(LIMIT_VARIABLE, "")
    try:
        value = float(given) if given else LIMIT_S
    except ValueError:
        value = -1.0
    if not 0 < value < 3600:
        raise UsageError(f"{LIMIT_VARIABLE} is {shown(given)}", "seconds above 0 and below 3600")
    return value


def _clean(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None and value != ""}


def _through_cache(call: _Call, check: Check, ttl_s: float, limit_s: float | None) -> Reply:
    name = cache.key(call.method, call.url, call.params, call.headers.get("Accept"), call.content)
    kept = cache.get(name, ttl_s)
    if kept is not None:
        return Reply(call.source.name, kept.url, 200, kept.body, {"content-type": kept.kind}, kept.age_s)
    reply = checked(_tries(call, limit_s or limit_seconds()), key_of(call.source))
    check(reply)
    if ttl_s > 0:
        cache.put(name, reply.body, reply.kind, reply.url)
    return reply


def _tries(call: _Call, limit_s: float) -> Reply:
    """Ask until an answer stands, at most TRIES times and `limit_s` seconds of asking and pausing in all."""
    left_s, fault = limit_s, Unavailable(f"{call.source.name} did not answer", next_step=LATER)
    for attempt in range(TRIES):
        with pace.turn(call.source):
            begun = time.monotonic()
            found = _within(left_s, call)
        left_s -= time.monotonic() - begun
        pause_s = _pause(found, attempt)
        is_last = attempt == TRIES - 1 or pause_s is None or pause_s >= left_s
        if isinstance(found, Reply) and is_last:
            return found
        if isinstance(found, Unavailable):
            fault = found
        if is_last or pause_s is None:
            break
        time.sleep(pause_s)
        left_s -= pause_s
    raise fault


def _pause(found: Reply | Unavailable, attempt: int) -> float | None:
    """Seconds until another try is worth it; None when it is not."""
    if isinstance(found, _TooSlow):
        return None
    if isinstance(found, Unavailable):
        return 0.5 if isinstance(found, _Dropped) else None
    if found.status not in PASSING:
        return None
    asked = retry_after_s(found.headers)
    pause_s = 0.5 * 2**attempt if asked is None else asked
    return pause_s if pause_s <= LONGEST_PAUSE_S else None


class _TooSlow(Unavailable):
    pass


class _Dropped(Unavailable):
    """The connection broke, so that one more try is worth it."""


def _within(limit_s: float, call: _Call) -> Reply | Unavailable:
    """One exchange in a thread of its own: neither a slow name server nor a dripping answer can hold the caller."""
    box: queue.SimpleQueue[Reply | Unavailable] = queue.SimpleQueue()
    thread = threading.Thread(target=lambda: box.put(_outcome(call, limit_s)), daemon=True)
    thread.start()
    try:
        return box.get(timeout=limit_s + 0.25)
    except queue.Empty:
        return _TooSlow(f"{call.source.name} did not answer within {limit_s:.0f} s", next_step=LATER)


def _outcome(call: _Call, limit_s: float) -> Reply | Unavailable:
    name, deadline = call.source.name, time.monotonic() + limit_s
    try:
        return _hops(call, deadline)
    except Unavailable as fault:
        return fault
    except httpx2.TimeoutException:
        return _TooSlow(f"{name} did not answer within {limit_s:.0f} s", next_step=LATER)
    except httpx2.DecodingError:
        return Unavailable(f"{name} answered with a broken encoding", next_step=LATER)
    except httpx2.RemoteProtocolError:
        return _Dropped(f"{name} broke off in the middle of its answer", next_step=LATER)
    except httpx2.TransportError as error:
        return _Dropped(f"{name} can not be reached ({type(error).__name__})", next_step=LATER)
    except Exception as error:  # a thread has nobody above it: whatever it is, the caller is told
        return Unavailable(f"{name} can not be asked ({type(error).__name__})", next_step=LATER)


def _hops(call: _Call, deadline: float) -> Reply:
    with httpx2.Client(follow_redirects=False) as client:
        for _ in range(MOST_HOPS):
            reply = _exchange(client, call, deadline)
            if reply.status not in REDIRECTS:
                return reply
            call = _at(call, _next_hop(call, reply))
    raise Unavailable(f"{call.source.name} redirects in a circle", next_step=LATER)


def _at(call: _Call, url: str) -> _Call:
    """The same call at another address; a host that is not the source's is told only what to send."""
    is_own = origin(url) == origin(call.source.base)
    kept = {name: value for name, value in call.headers.items() if is_own or name.lower() in HARMLESS}
    return replace(call, url=url, params={}, headers=kept)


def _next_hop(call: _Call, reply: Reply) -> str:
    """Where a redirect leads; raises Unavailable where this does not go."""
    try:
        target = urljoin(reply.url, reply.headers.get("location", ""))
        scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    except ValueError:
        scheme, host, target = "", "", ""
    is_worse = urlsplit(reply.url).scheme == "https" and scheme != "https"
    if call.method != "GET" or scheme not in ("http", "https") or not host or is_worse or target == reply.url:
        raise Unavailable(f"{call.source.name} redirects to where this does not follow", next_step=LATER)
    return target


def _exchange(client: httpx2.Client, call: _Call, deadline: float) -> Reply:
    left_s = max(0.01, deadline - time.monotonic())
    headers = {"User-Agent": AGENT, **call.headers, **key_headers(call.source, call.url)}
    with client.stream(
        call.method,
        call.url,
        # httpx2 takes an empty table of parameters as: remove those of the address
        params=call.params or None,
        headers=headers,
        content=call.content or None,
        timeout=left_s,
    ) as response:
        body = _read(response, call, deadline)
        found = {name.lower(): value for name, value in response.headers.items()}
        return Reply(call.source.name, str(response.url), response.status_code, body, found)


def _read(response: httpx2.Response, call: _Call, deadline: float) -> bytes:
    parts, size = [], 0
    for part in response.iter_bytes(65536):
        size += len(part)
        if size > call.most_bytes:
            wrong = f"{call.source.name} answered with more than {call.most_bytes // 2**20} MiB"
            raise Unavailable(wrong, next_step="ask for less")
        if time.monotonic() > deadline:
            raise _TooSlow(f"{call.source.name} did not finish its answer in time", next_step=LATER)
        parts.append(part)
    return b"".join(parts)
