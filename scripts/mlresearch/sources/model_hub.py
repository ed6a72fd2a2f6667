"""A model on the Hub: its record at one revision, its files in whole or in part. Refuses to read weights in whole.

The record is open also for a gated model; its files are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlresearch.errors import ResearchError, UsageError, shown
from mlresearch.sources import hub_record, web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.hub_record import MODEL, page
from mlresearch.sources.reply import Reply, checked

_REVISION = re.compile(r"[\w][\w./-]*")
MOST_WHOLE = 64 * 1024 * 1024
# a server that does not know ranges answers with the whole file
SPARE = 1024 * 1024


class Model:
    """One model at the commit that `revision` names now; every file is read from that commit."""

    def __init__(self, name: str, revision: str | None = None) -> None:
        hub_record.check_id(MODEL, name)
        if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise UsageError(f"--revision {shown(revision)} is none", "a branch, a tag or a commit")
        self.name, self._revision = name, revision
        self._record = _record(name, revision)
        self._commit = str(self._record.get("sha") or revision or "main")
        self.files = _sizes(self._record)
        self.about = _about(self._record, page(MODEL, name))

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
        url = f"{page(MODEL, self.name)}/resolve/{quote(self._commit, safe='')}/{quote(path)}"
        reply = web.ask(HUB, url, headers=headers, most_bytes=most_bytes)
        if reply.status in (401, 403):
            raise hub_record.closed(MODEL, self.name)
        return checked(reply)


def _record(name: str, revision: str | None) -> dict[str, Any]:
    found = hub_record.record(MODEL, name, revision)
    if found.get("disabled") is True:
        raise ResearchError(f"the Hub has disabled {name}", next_step=f"read why at {page(MODEL, name)}")
    return found


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
        "license": hub_record.licence(record),
        "task": record.get("pipeline_tag"),
        "library": record.get("library_name"),
        "base_model": card.get("base_model"),
        "modified": record.get("lastModified"),
        "safetensors": {name: value for name, value in counts.items() if _size(value) is not None},
        "gguf_parameters": _size(gguf.get("total")),
        "gguf_context": _size(gguf.get("context_length")),
        "gguf_architecture": gguf.get("architecture"),
    }


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
