"""What a longer ledger costs: standing, append and `campaign.py status` at 10, 1,000 and 100,000 events.

    PYTHONPATH=scripts:tests python tests/bench/bench_ledger.py

Prints medians and their ratio to the shortest ledger; exit 1 when one that should be flat is above 1.2. The sizes
take turns, so that a busy machine slows all of them alike, and lie in memory where there is such a folder. What
reads every row (`verify`, `report`) is shown beside.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from bench.long_ledger import grow
from cli.commands import Project, small_program
from mlresearch import ledger, program, store
from mlresearch.campaign import approval, opening
from mlresearch.cli import campaign

SIZES = (10, 1_000, 100_000)
ROUNDS = 41
FLAT = 1.2
# the fsyncs of one append take 4 to 9 ms on a disk that others use too: more than all that is measured here
MEMORY = "/dev/shm"


def made(top: Path, events: int) -> str:
    """A started campaign whose ledger has that many events."""
    project, text = Project(top), small_program()
    (project.root / "program.md").write_text(text)
    root = os.path.realpath(project.root)
    approval.approve(root, program.parse(text).digest)
    opening.start(root)
    grow(root, events)
    return root


def standing(root: str) -> None:
    ledger.standing(root)


def append(root: str) -> None:
    ledger.append(root, "note")


def status(root: str) -> None:
    """The command in this process; its answer goes nowhere."""
    os.chdir(root)
    with contextlib.redirect_stdout(io.StringIO()):
        assert campaign.run(["status", "--json"]) == 0


def every_row(root: str) -> None:
    for _ in ledger.rows(root):
        pass


def verify(root: str) -> None:
    assert ledger.verify(root) == []


def milliseconds(call: Callable[[str], None], roots: list[str], rounds: int) -> list[float]:
    """The median of each root, the roots taking turns."""
    times: list[list[float]] = [[] for _ in roots]
    for _ in range(rounds):
        for place, root in enumerate(roots):
            begin = time.perf_counter()
            call(root)
            times[place].append(1000 * (time.perf_counter() - begin))
    return [statistics.median(found) for found in times]


def peak_kb(root: str) -> float:
    tracemalloc.start()
    status(root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1000


def show(name: str, values: list[float], unit: str) -> float:
    """One line of the table; returns the largest ratio."""
    ratios = [value / values[0] for value in values]
    cells = [f"{value:9.2f} {unit} x{ratio:<8.2f}" for value, ratio in zip(values, ratios, strict=True)]
    print(f"{name:24}" + "".join(cells))
    return max(ratios)


def main() -> int:
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as top:
        os.environ["XDG_DATA_HOME"] = f"{top}/data"
        roots = [made(Path(top) / str(size), size) for size in SIZES]
        print(f"{'events':24}" + "".join(f"{ledger.standing(root).seq:<22,}" for root in roots))
        worst = 0.0
        for call in (standing, append, status):
            worst = max(worst, show(call.__name__, milliseconds(call, roots, ROUNDS), "ms"))
        worst = max(worst, show("status, memory", [peak_kb(root) for root in roots], "kB"))
        worst = max(worst, show("checkpoint", [_size(root) / 1000 for root in roots], "kB"))
        for call in (every_row, verify):
            show(f"({call.__name__})", milliseconds(call, roots, 1), "ms")
        os.chdir("/")
    print(f"largest ratio of what should be flat: {worst:.2f} (at most {FLAT})")
    return int(worst > FLAT)


def _size(root: str) -> int:
    return os.path.getsize(f"{store.root_dir(root)}/checkpoint.json")


if __name__ == "__main__":
    raise SystemExit(main())
