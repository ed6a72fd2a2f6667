"""The one way to spend: check the envelope and reserve under the lock, call the backend, write its id, settle the bill.

Exactly once: the reservation with its label is on disk before the backend is called; whoever finds a reservation
without an id asks the backend for the label. A submitter holds its job's intent lock from before the reservation until
the id is written, so that nobody releases the reservation of a submitter that is still alive.

    order       what somebody asks for, and its bytes
    intents     the locks that tell a live submitter from a dead one
    prices      live prices, and the copy that the guard reads
    submitting  authorize, reserve, start, record
    settling    adopt, release, settle: bring the ledger up to what the backends know
    watcher     the one process a root that settles while nobody waits
    monitor     what open jobs say of their health, for the watcher
    events      the file it writes; notices tell a person
    news        what has changed since the last look, and how long to sleep
"""

from __future__ import annotations

from mlresearch.jobs import prices
from mlresearch.jobs.order import Order, Permission, Submitted, source_files
from mlresearch.jobs.settling import open_job, reconcile, settle, survey, wait
from mlresearch.jobs.submitting import faults, note_denial, submit

__all__ = [
    "Order",
    "Permission",
    "Submitted",
    "faults",
    "note_denial",
    "open_job",
    "prices",
    "reconcile",
    "settle",
    "source_files",
    "submit",
    "survey",
    "wait",
]
