"""A model on the Hub: its record at one revision, its files in whole or in part. Refuses to read weights in whole.

The record is open also for a gated model; its files are not. A missing model and a private one are told apart only
where the Hub does: without a token it answers both alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlresearch.errors import NotFound, ResearchError, Unavailable, UsageError, shown
from mlresearch.sources import web
from mlresearch.sources.hosts import HUB, key_of
from mlresearch.sources.reply import LATER, Reply, checked

_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
_REVISION = re.compile(r"[\w][\w./-]*")
MOST_WHOLE = 64 * 1024 * 1024
# a server that does not know ranges answers with the whole file
SPARE = 1024 * 1024


class Model:
    """One model at the commit that `revision` names now; every file is read from that commit."""

    def __init__(self, name: str, revision: str | None = None) -> None:
        if not _ID.fullmatch(name) or len(name) > 200 or ".." in name or "--" in name:
            raise UsageError(f"{shown(name)} is neither a path nor a model's id", "owner/name, or a path that exists")
        if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise UsageError(f"--revision {shown(revision)} is none", "a branch, a tag or a commit")
        self.name, self._revision = name, revision
        self._record = _record(name, revision)
        self._commit = str(self._record.get("sha") or revision or "main")
        self.files = _sizes(self._record)
        self.about = _about(self._record, page(name))

    def read(self, path: str) -> bytes:
        return self._ask(path, {}, MOST_WHOLE).body

    def part(self, path: str, begin: int, end: int) -> bytes:
        size = self.files.get(path)
        end = end if size is None else min(end, size)
        if end <= begin:
            return b""
        asked = {"Range": f"bytes={begin}-{end - 1}", "Accept-Encoding": "identity"}
        reply = self._ask(path, asked, end + SPARE)
        return reply.body if reply.status == 206 else reply.body[begin:end]

    def _ask(self, path: str, headers: Mapping[str, str], most_bytes: int) -> Reply:
        url = f"{page(self.name)}/resolve/{quote(self._commit, safe='')}/{quote(path)}"
        reply = web.ask(HUB, url, headers=headers, most_bytes=most_bytes)
        if reply.status in (401, 403):
            raise closed(self.name)
        return checked(reply)


def page(name: str) -> str:
    return f"{HUB.base}/{name}"


def _record(name: str, revision: str | None) -> dict[str, Any]:
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    reply = web.ask(HUB, f"{HUB.base}/api/models/{quote(name)}{at}?blobs=true")
    if reply.headers.get("x-error-code") == "RevisionNotFound":
        raise NotFound(f"{name} has no revision {shown(revision)}", next_step=f"see {page(name)}/commits/main")
    if reply.status in (401, 404):
        raise _absent(name)
    if reply.status == 403:
        raise closed(name)
    found = checked(reply).json()
    if not isinstance(found, dict):
        raise Unavailable("the Hub's record of the model has another form", next_step=LATER)
    if found.get("disabled") is True:
        raise ResearchError(f"the Hub has disabled {name}", next_step=f"read why at {page(name)}")
    return found


def _absent(name: str) -> NotFound:
    hidden = "" if key_of(HUB) else ", or it is private: no token is set"
    return NotFound(
        f"there is no model {name} on the Hub{hidden}",
        next_step="check the id; do not take another model in its place without asking",
    )


def closed(name: str) -> Unavailable:
    """The model is gated, and this token has no access."""
    token = "the token in use has no access" if key_of(HUB) else "no token is set"
    return Unavailable(
        f"{name} is gated: its files are closed to whoever has not been let in, and {token}",
        next_step=f"a person asks for access at {page(name)}, then sets HF_TOKEN and calls again",
    )


def _sizes(record: Mapping[str, Any]) -> dict[str, int | None]:
    listed = record.get("siblings")
    named = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return {str(each["rfilename"]): _size(each.get("size")) for each in named if each.get("rfilename")}


def _size(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _about(record: Mapping[str, Any], url: str) -> dict[str, Any]:
    card, gguf = _table(record.get("cardData")), _table(record.get("gguf"))
    counts = _table(_table(record.get("safetensors")).get("parameters"))
    return {
        "url": url,
        "revision": record.get("sha"),
        "gated": record.get("gated", False),
        "private": record.get("private", False),
        "license": _license(record, card),
        "task": record.get("pipeline_tag"),
        "library": record.get("library_name"),
        "base_model": card.get("base_model"),
        "modified": record.get("lastModified"),
        "safetensors": {name: value for name, value in counts.items() if _size(value) is not None},
        "gguf_parameters": _size(gguf.get("total")),
        "gguf_context": _size(gguf.get("context_length")),
        "gguf_architecture": gguf.get("architecture"),
    }


def _license(record: Mapping[str, Any], card: Mapping[str, Any]) -> Any:
    tags = record.get("tags")
    tagged = [str(each) for each in tags if str(each).startswith("license:")] if isinstance(tags, list) else []
    told = card.get("license") or (tagged[0].removeprefix("license:") if tagged else None)
    return card.get("license_name") or told if told == "other" else told


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
