"""A data set on the Hub: its record, its parquet files by config and split, and any file of it by range."""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import quote

from mlresearch.errors import NotFound, Unavailable
from mlresearch.sources import hub_record, web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.hub_record import DATASET, MODEL
from mlresearch.sources.reply import LATER, Reply, checked

BLOCK = 1024 * 1024
KEPT_BLOCKS = 16
MOST_TOKENIZER = 64 * 1024 * 1024


def check_id(name: str) -> str:
    """The id, when it could be one; raises UsageError."""
    return hub_record.check_id(DATASET, name)


def page(name: str) -> str:
    return hub_record.page(DATASET, name)


def about(name: str) -> dict[str, Any]:
    """The Hub's record: sha, gated, private, disabled, siblings. Raises NotFound, or Unavailable when it is closed."""
    return hub_record.record(DATASET, name)


def closed(name: str) -> Unavailable:
    """The data set is gated, and this token has no access."""
    return hub_record.closed(DATASET, name)


def parquet(name: str) -> dict[str, dict[str, list[str]]]:
    """Addresses of the converted parquet files by config and split; empty when there are none."""
    reply = web.ask(HUB, f"{HUB.base}/api/datasets/{quote(name)}/parquet")
    if reply.status == 404:
        return {}
    if reply.status in (401, 403):
        raise closed(name)
    found = checked(reply).json()
    return found if isinstance(found, dict) else {}


def file_url(name: str, path: str, revision: str = "main") -> str:
    return f"{page(name)}/resolve/{quote(revision, safe='')}/{quote(path)}"


def tokenizer_json(model: str) -> bytes:
    """A model's tokenizer.json; raises NotFound when the model has none, Unavailable when it is gated."""
    url = f"{hub_record.page(MODEL, quote(hub_record.check_id(MODEL, model)))}/resolve/main/tokenizer.json"
    reply = web.ask(HUB, url, most_bytes=MOST_TOKENIZER)
    if reply.status in (401, 404):
        raise NotFound(f"there is no tokenizer.json of {model} on the Hub", next_step="leave --tokenizer away")
    if reply.status == 403:
        raise Unavailable(f"{model} is gated", next_step=f"ask for access at {HUB.base}/{model}")
    return checked(reply).body


class RangeFile(io.RawIOBase):
    """A remote file read by range, in blocks; the last few are kept. `size` None: asked for on opening."""

    def __init__(self, url: str, size: int | None = None) -> None:
        self._url, self._at = url, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._size = size if size is not None else self._ask_size()
        self.requests = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def size(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        first, last = self._at // BLOCK, (end - 1) // BLOCK
        if last - first >= KEPT_BLOCKS:
            found = self._fetch(self._at, end)
        else:
            self._load(first, last)
            joined = b"".join(self._blocks[block] for block in range(first, last + 1))
            found = joined[self._at - first * BLOCK : end - first * BLOCK]
        self._at = end
        return found

    def readinto(self, buffer: Any) -> int:
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _load(self, first: int, last: int) -> None:
        wanted = [block for block in range(first, last + 1) if block not in self._blocks]
        if wanted:
            begin = wanted[0] * BLOCK
            data = self._fetch(begin, min(self._size, (wanted[-1] + 1) * BLOCK))
            for block in range(wanted[0], wanted[-1] + 1):
                self._blocks[block] = data[block * BLOCK - begin : (block + 1) * BLOCK - begin]
        for block in range(first, last + 1):
            self._blocks.move_to_end(block)
        while len(self._blocks) > max(KEPT_BLOCKS, last - first + 1):
            self._blocks.popitem(last=False)

    def _fetch(self, begin: int, end: int) -> bytes:
        self.requests += 1
        reply = _range(self._url, f"bytes={begin}-{end - 1}", end - begin)
        data = reply.body if reply.status == 206 else reply.body[begin:end]
        if len(data) != end - begin:
            raise Unavailable("the Hub answered with another part of the file than asked", next_step=LATER)
        return data

    def _ask_size(self) -> int:
        reply = _range(self._url, "bytes=0-0", 1)
        told = re.fullmatch(r"bytes \d+-\d+/(\d+)", reply.headers.get("content-range", ""))
        return int(told[1]) if told else len(reply.body)


def _range(url: str, asked: str, size: int) -> Reply:
    """A server that does not know ranges sends the whole file: taken when it is small."""
    reply = web.ask(HUB, url, headers={"Range": asked, "Accept-Encoding": "identity"}, most_bytes=size + 16 * BLOCK)
    if reply.status in (401, 403):
        raise Unavailable("the Hub refuses this file", next_step="ask for access to the data set, then set HF_TOKEN")
    return checked(reply)
