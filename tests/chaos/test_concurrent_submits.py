"""Fifty submits at once into an envelope with room for seven."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from chaos.conftest import MakeToy
from fakes.toy_project import STARTED
from mlresearch import ledger

SUBMITTERS, ROOM = 50, 7

LIMITS: dict[str, dict[str, Any]] = {
    "max_jobs": {"max_jobs": ROOM},
    "max_walltime": {"max_walltime": f"{ROOM}m"},
}


@pytest.mark.parametrize("limit", ["max_jobs", pytest.param("max_walltime", marks=pytest.mark.long)])
def test_fifty_submits_at_once_start_exactly_as_many_jobs_as_there_is_room_for(limit: str, make_toy: MakeToy) -> None:
    always: dict[str, Any] = {"reserve_final": 0, "max_parallel": SUBMITTERS, "max_jobs": 1000}
    toy = make_toy({"Budget envelope": {**always, **LIMITS[limit]}})
    (toy.root / "job.py").write_text(STARTED)
    words = ("submit", "--backend", "local", "--script", "job.py", "--flavor", "cpu", "--timeout", "60")
    processes = [toy.start("jobs.py", *words) for _ in range(SUBMITTERS)]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]

    assert Counter(code for _, code in ended) == {0: ROOM, 2: SUBMITTERS - ROOM}
    assert all(limit in told for told, code in ended if code == 2)
    assert len(toy.rows("reserved")) == len(toy.rows("submitted")) == ROOM
    done = toy.run("jobs.py", "wait", "--for", "30s")
    while toy.standing().open:
        done = toy.run("jobs.py", "wait", "--for", "30s")
    assert done.returncode == 0
    started = Counter(job for job, _ in toy.starts())
    assert started == Counter(row["job"] for row in toy.rows("submitted"))
    assert len(started) == ROOM
    assert len(toy.rows("stopped")) == 1
    assert ledger.verify(toy.path) == []
