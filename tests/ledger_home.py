"""A project with a ledger and its store, which tests damage and put back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mlresearch import ledger, store
from mlresearch.errors import Refused
from mlresearch.light_hash import sha256

RESERVED: dict[str, Any] = {
    "label": "ünïcode \u2028 \U0001f600", "backend": "local", "flavor": "cpu", "timeout_s": 60, "reserved_s": 60,
    "ceiling_micro": 1000, "purpose": "free", "seed": None, "seed_index": None, "experiment": None, "train_job": None,
}  # fmt: skip


class Home:
    """A project and its store, which a test may damage and put back."""

    def __init__(self, top: Path) -> None:
        self.top, self.root = top, os.path.realpath(top / "project")
        os.makedirs(self.root)
        self.path = Path(ledger.path_of(self.root))

    @property
    def store(self) -> Path:
        return Path(store.root_dir(self.root))

    def fill(self) -> None:
        ledger.append(self.root, "approved", campaign="c")
        for number in (1, 2):
            job = f"j000{number}"
            ledger.append(self.root, "reserved", job=job, **RESERVED)
            ledger.append(self.root, "submitted", job=job, job_id="x", url=None)
        ledger.append(self.root, "settled", job="j0001", billed_s=3, billed_micro=50)

    def refuses(self) -> bool:
        """True when nothing can be built on this ledger, and trying has changed nothing."""
        before = self.path.read_bytes() if self.path.exists() else None
        try:
            with ledger.transaction(self.root):
                return False
        except Refused:
            after = self.path.read_bytes() if self.path.exists() else None
            assert after == before
            return True


def rows(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def following(content: bytes, event: str, **fields: Any) -> bytes:
    """A row that follows the last one, as anybody could make it."""
    last = rows(content)[-1][:-1]
    seq = json.loads(last)["seq"] + 1
    return json.dumps({"seq": seq, "ts": 1.0, "prev": sha256(last), "event": event, **fields}).encode() + b"\n"
