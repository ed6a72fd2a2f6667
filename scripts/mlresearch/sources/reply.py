"""A source's answer, and what its status means: one error per fault, each with the next step. No network here."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from mlresearch import redact
from mlresearch.errors import NotFound, Unavailable
from mlresearch.sources import cache

LATER = "call again later, or use another source"


@dataclass(frozen=True)
class Reply:
    """A source's answer. `age_s` is 0 for one of this moment; header names are in lower case."""

    source: str
    url: str
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    age_s: float = 0.0

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def age(self) -> str:
        """Such as "cached 3 h ago"; empty for an answer of this moment."""
        return cache.told(self.age_s)

    @property
    def text(self) -> str:
        found = re.search(r"charset=[\"']?([\w-]+)", self.kind)
        try:
            return self.body.decode(found[1] if found else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The parsed answer; raises Unavailable when it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unavailable(f"{self.source} answered with broken JSON", next_step=LATER) from None

    def xml(self) -> ElementTree.Element:
        """The parsed answer; raises Unavailable when it is no well-formed XML, or declares entities."""
        try:
            if b"<!ENTITY" in self.body:
                raise ValueError
            return ElementTree.fromstring(self.body)
        except (ElementTree.ParseError, ValueError, LookupError):
            raise Unavailable(f"{self.source} answered with broken XML", next_step=LATER) from None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause a server asks for, in seconds: Retry-After (number or date), or the Hub's or GitHub's own header."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit() and len(given) < 8:
        return float(given)
    if given:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None
    found = re.search(r"(?:^|;)\s*t=(\d{1,6})", headers.get("ratelimit", ""))
    if found:
        return float(found[1])
    reset = headers.get("x-ratelimit-reset", "").strip()  # when, in seconds of the epoch
    if headers.get("x-ratelimit-remaining", "").strip() == "0" and re.fullmatch(r"\d{1,12}", reset):
        return max(0.0, float(reset) - time.time())
    return None


def _is_limited(reply: Reply) -> bool:
    """GitHub says 403 for a rate limit, too, and tells it from a refusal by its headers."""
    is_hidden = reply.status == 403 and retry_after_s(reply.headers) is not None
    return reply.status == 429 or is_hidden


def checked(reply: Reply, key: str = "") -> Reply:
    """The reply when it is a success; raises what its status means. `key` is kept out of the server's own words."""
    told = f"{reply.source} answered {reply.status}{_message(reply, key)}"
    if 200 <= reply.status < 300:
        return reply
    if reply.status in (404, 410):
        raise NotFound(told, next_step="check the id, or search for it")
    if _is_limited(reply):
        pause_s = retry_after_s(reply.headers)
        when = "in a minute" if pause_s is None else f"in {pause_s:.0f} s"
        raise Unavailable(told, next_step=f"call again {when}, or use another source")
    if reply.status in (401, 403):
        raise Unavailable(told, next_step=f"check the key of {reply.source}, or use another source")
    raise Unavailable(told, next_step=LATER)


def _message(reply: Reply, key: str) -> str:
    """What the server said, short and without secrets."""
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    named = value if isinstance(value, dict) else {}
    said = next((named[name] for name in ("error", "message", "detail") if named.get(name)), "")
    text = redact.from_environment(also=[key])(" ".join(str(said).split()))
    return f": {text[:200]}" if text else ""
