"""An ended job whose log is missing: waited for while it may still come, settled without it once it will not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.toy_project import Toy
from mlresearch import jobs
from mlresearch.backends import ENDED, JobRef
from mlresearch.backends.local import LocalBackend
from mlresearch.errors import NotFound
from mlresearch.jobs import Order


class Forgetful(LocalBackend):
    """Real jobs here; a provider that lists late, and whose log is gone when it is read, not when it is asked for."""

    certain_after_s = 600
    ended_s_ago = 0.0

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        raise NotFound(f"no log of {ref.job_id}")
        yield ""

    def inspect(self, ref: JobRef) -> Any:
        report = super().inspect(ref)
        return replace(report, ended_at=report.ended_at and time.time() - self.ended_s_ago)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.write()
    (made.root / "free.py").write_text("print(1)\n")
    yield made
    made.end_jobs()


def test_a_log_that_may_still_come_is_waited_for_and_one_that_is_gone_is_not(toy: Toy) -> None:
    backend = Forgetful(toy.path)
    done = jobs.submit(toy.path, Order("local", f"{toy.path}/free.py", "cpu", 60), backend)
    give_up = time.monotonic() + 60
    while backend.inspect(done.ref).stage not in ENDED:
        assert time.monotonic() < give_up
        time.sleep(0.05)

    with pytest.raises(NotFound, match="no log of"):
        jobs.wait(toy.path, {"local": backend}, {"j0001"}, time.time() + 0.5)

    backend.ended_s_ago = 601.0
    (row,) = jobs.wait(toy.path, {"local": backend}, {"j0001"}, time.time() + 60)
    assert (row["event"], row["stage"]) == ("settled", "COMPLETED")
