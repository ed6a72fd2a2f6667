"""Models as records: what the Hub's API tells of each, and the bytes of a safetensors file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHA = "6" * 40
WIDTHS = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "U8": 1}


@dataclass
class Model:
    """`files` are bytes by path; `more` is what else the record holds, such as `safetensors` or `cardData`.

    `gated`: listed for all, closed to who is not in `readers`. `private`: unknown to them.
    """

    id: str
    files: Mapping[str, bytes]
    gated: bool = False
    private: bool = False
    readers: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ("main",)
    more: Mapping[str, Any] = field(default_factory=dict)

    def is_open_to(self, token: str) -> bool:
        return token in self.readers or not (self.gated or self.private)

    def record(self, with_sizes: bool) -> dict[str, Any]:
        """GET /api/models/ID; sizes of files only with `blobs=true`."""
        return {
            "id": self.id,
            "author": self.id.partition("/")[0],
            "sha": SHA,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "disabled": False,
            "lastModified": "2026-10-01T00:00:00.000Z",
            "library_name": "transformers",
            "tags": ["license:apache-2.0"],
            "siblings": [
                {"rfilename": path} | ({"size": len(data), "blobId": "b" * 40} if with_sizes else {})
                for path, data in self.files.items()
            ],
        } | dict(self.more)

    def holds(self, revision: str) -> bool:
        return revision in (*self.revisions, SHA)


def safetensors(tensors: Mapping[str, tuple[str, list[int]]]) -> bytes:
    """A whole file, its weights zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = math.prod(shape) * WIDTHS[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    told = json.dumps(header).encode()
    return len(told).to_bytes(8, "little") + told + bytes(at)
