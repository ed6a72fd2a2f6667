"""Makes a long ledger quickly: the rows of real jobs, folded and checkpointed once instead of after every row."""

from __future__ import annotations

import json
from typing import Any

from mlresearch import ledger, store
from mlresearch.light_hash import sha256
from mlresearch.standing import Standing, fold

RESERVED = {
    "backend": "local", "flavor": "cpu", "timeout_s": 60, "reserved_s": 60, "ceiling_micro": 0, "purpose": "free",
    "seed": None, "seed_index": None, "experiment": None, "train_job": None,
}  # fmt: skip
SETTLED = {"stage": "COMPLETED", "exit_code": 0, "billed_s": 1, "billed_micro": 0, "log_sha256": "0" * 64}


def grow(root: str, events: int) -> Standing:
    """Append jobs (three rows each) until the ledger has at least `events` rows; returns where it stands."""
    with ledger.transaction(root) as held, open(ledger.path_of(root), "ab") as file:
        standing = held.standing
        while standing.seq < events:
            job = f"j{standing.next_job:04d}"
            for event, fields in (
                ("reserved", {"job": job, "label": f"mlr-{job}", **RESERVED}),
                ("submitted", {"job": job, "job_id": job, "url": None}),
                ("settled", {"job": job, **SETTLED}),
            ):
                file.write(_row(standing, event, fields))
        store.put(f"{store.root_dir(root)}/checkpoint.json", standing.dump())
    return standing


def _row(standing: Standing, event: str, fields: dict[str, Any]) -> bytes:
    row = {"seq": standing.seq + 1, "ts": 1.0 * standing.seq, "prev": standing.head, "event": event, **fields}
    line = json.dumps(row).encode()
    fold(standing, row)
    standing.head, standing.offset = sha256(line), standing.offset + len(line) + 1
    return line + b"\n"
