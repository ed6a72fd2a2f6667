"""A wait whose log breaks off: its silence is not the job's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.toy_project import Toy
from mlresearch import jobs
from mlresearch.backends import JobRef
from mlresearch.backends.local import LocalBackend
from mlresearch.errors import Unavailable
from mlresearch.jobs import Order
from mlresearch.jobs.alerts import Cursor
from mlresearch.jobs.health import WAITING
from mlresearch.jobs.watching import Terms, watch


class Broken(LocalBackend):
    """Real jobs here, whose log breaks off after its first line."""

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        if not follow:
            yield from super().logs(ref)
            return
        yield "step 1 loss 0.5"
        raise Unavailable("the log breaks off")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.write()
    (made.root / "free.py").write_text("import time\ntime.sleep(600)\n")
    yield made
    made.end_jobs()


def test_a_log_that_can_not_be_read_is_no_stall(toy: Toy) -> None:
    backend = Broken(toy.path)
    done = jobs.submit(toy.path, Order("local", f"{toy.path}/free.py", "cpu", 600), backend)

    sight = watch(toy.path, done.ref, Terms("done", time.time() + 3, Cursor(done.job), 1.0), backend)

    assert (sight.verdict, sight.stage, sight.state.step) == (WAITING, "RUNNING", 1)
    assert "can not be read" in sight.why
    assert sight.blind == ["log: the log breaks off"]
    assert sight.sources == []
