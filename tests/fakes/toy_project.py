"""A tiny project for real campaigns: a training run of 0.05 s whose metric depends on one lever and on its seed.

Each training and scoring run says by itself, in `starts.txt`, that it started: the ledger is compared with that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlresearch import ledger, program, seal, store
from mlresearch.backends import ENDED
from mlresearch.backends.local import LocalBackend
from mlresearch.campaign import approval, judging, opening, planning, rules, running, state
from mlresearch.metrics import read
from mlresearch.seal import Seal
from mlresearch.standing import Standing, fold

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "scripts"

Blocks = dict[str, dict[str, Any]]

STARTED = """import os
_line = f"{os.environ['ML_RESEARCH_JOB']} {os.getpid()}\\n".encode()
_file = os.open(os.environ["ML_RESEARCH_ROOT"] + "/starts.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.write(_file, _line)
"""
TRAIN = (
    STARTED
    + """import argparse, random, time
parser = argparse.ArgumentParser()
parser.add_argument("--out")
parser.add_argument("--sleep", type=float, default=0.0)
parser.add_argument("--seed", type=int)
parser.add_argument("--rate", type=float, default=1.0)
parser.add_argument("--width", type=int, default=2)
parser.add_argument("--mode", default="plain")
options = parser.parse_args()
time.sleep(options.sleep)
value = 0.9 - 0.02 * abs(options.rate - 3) + random.Random(options.seed).gauss(0, 0.002)
open(options.out + "/model.txt", "w").write(str(value))
print("val_accuracy:", value)
"""
)
EVALUATE = (
    STARTED
    + """import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--model")
parser.add_argument("--data")
options = parser.parse_args()
print("test_accuracy:", float(open(options.model).read()) - float(open(options.data).read()))
"""
)
CHANGES: Blocks = {
    "Goal": {"final": {
        "script": "evaluate.py",
        "args": ["--model", "{run}/model.txt", "--data", "{sealed}/data/test.txt"],
        "metric_pattern": r"^test_accuracy: (\S+)$",
    }},
    "Scope": {"sealed_data": ["data/test.txt"]},
    "Run": {
        "args": ["--out", "{out}"],
        "timeout": "1m",
        "memory": "500m",
        "parameters": {
            "rate": {"flag": "--rate", "kind": "float", "low": 0, "high": 6, "default": 1.0},
            "width": {"flag": "--width", "kind": "int", "low": 1, "high": 8, "default": 2},
            "mode": {"flag": "--mode", "kind": "choice", "choices": ["plain", "fancy"], "default": "plain"},
        },
    },
    "Keep or discard": {
        "baseline_seeds": 3, "confirm_seeds": 2, "final_seeds": 1, "max_experiments": 4, "prefer_simpler": False,
    },
    "Budget envelope": {"max_jobs": 60, "max_walltime": "4h", "max_parallel": 3, "max_timeout": "2m"},
}  # fmt: skip


def blocks(changes: Blocks | None = None) -> dict[str, Any]:
    """program.md's blocks: the template's, changed for the toy, then by `changes` (heading to keys)."""
    found: dict[str, Any] = program.parse((REPO / "program.template.md").read_text()).blocks
    for change in (CHANGES, changes or {}):
        for heading, keys in change.items():
            found[heading] |= keys
    return found


class Toy:
    """One project with a store of its own. Commands run as a person types them, without uv in sight."""

    def __init__(self, place: Path) -> None:
        self.root, self.data = place / "project", place / "store"
        self.path = str(self.root)
        self.starts_file = self.root / "starts.txt"

    def write(self, changes: Blocks | None = None) -> None:
        files = {"train.py": TRAIN, "evaluate.py": EVALUATE, "data/test.txt": "0.003"}
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.rewrite(changes)

    def rewrite(self, changes: Blocks | None = None) -> None:
        """program.md alone, as a person edits it."""
        template = (REPO / "program.template.md").read_text()
        (self.root / "program.md").write_text(program.written(template, blocks(changes)))

    def approve(self) -> dict[str, Any]:
        return approval.approve(self.path, program.load(self.path).digest)

    def environment(self) -> dict[str, str]:
        home = str(self.data.parent)
        return {"HOME": home, "XDG_DATA_HOME": str(self.data), "PATH": home + "/bin", "LANG": "C.UTF-8"}

    def start(self, script: str, *words: str) -> subprocess.Popen[str]:
        """One command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, str(SCRIPTS / script), *words],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(script, *words)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def rows(self, event: str | None = None) -> list[dict[str, Any]]:
        return [row for row in ledger.rows(self.path) if event in (None, row["event"])]

    def standing(self) -> Standing:
        return ledger.standing(self.path)

    def starts(self) -> list[tuple[str, int]]:
        """Job and process of every run that said it started."""
        lines = self.starts_file.read_text().splitlines() if self.starts_file.exists() else []
        return [(job, int(pid)) for job, pid in map(str.split, lines)]

    def seal(self) -> Seal:
        """The open seal, or the closed one of the last campaign."""
        found = seal.load(self.path)
        if found is None:
            stored = store.get(f"{store.root_dir(self.path)}/closed-{self.standing().campaign}.json")
            assert isinstance(stored, dict)
            found = Seal(stored)
        return found

    def campaign(self) -> state.Campaign:
        return state.load(self.path)

    def baseline(self) -> None:
        """Start the campaign and measure its baseline."""
        opening.start(self.path)
        self.measure("baseline")
        judging.decide(self.path, "baseline")

    def measure(self, name: str) -> None:
        """Run what the experiment's present stage needs, to the end."""
        criteria = self.seal().program["criteria"]
        while not rules.is_measured(self.standing(), name, criteria):
            running.submit(self.path, name)
            running.collect(self.path, 10.0)

    def propose(self, change: Mapping[str, Any], by: str = "sampler", **more: Any) -> str:
        """Plan one change; the experiment's id."""
        plan = {"hypothesis": "the change moves val_accuracy up", "change": dict(change), **more}
        return str(planning.plan(self.path, plan, by, self.campaign().request)["experiment"])

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Let this process see the toy's store, and no uv: so a job costs 0.03 s."""
        for name, value in self.environment().items():
            patch.setenv(name, value)
        patch.delenv("UV", raising=False)
        patch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
        patch.setitem(sys.modules, "uv", None)

    def end_jobs(self) -> None:
        """Cancel what still runs, and wait until it is gone."""
        backend = LocalBackend(self.path)
        for ref in backend.list():
            backend.cancel(ref)
        for ref in backend.list():
            while backend.inspect(ref).stage not in ENDED:
                time.sleep(0.02)


# a fixture that approves the toy, its program.md changed by heading
Approve = Callable[..., Toy]


def assert_books_match(toy: Toy) -> None:
    """Nothing lost, nothing doubled, and every number follows from a log and the rule."""
    assert ledger.verify(toy.path) == []
    assert toy.standing().open == {}
    booked = [row["job"] for row in toy.rows() if row["event"] in ("submitted", "adopted")]
    started = Counter(job for job, _ in toy.starts())
    assert booked
    assert Counter(booked) == started
    assert set(started.values()) == {1}
    ended = [row["job"] for row in toy.rows("settled")] + [row["job"] for row in toy.rows("released")]
    assert sorted(ended) == sorted(row["job"] for row in toy.rows("reserved"))
    assert sorted(row["job"] for row in toy.rows("settled")) == sorted(booked)
    assert_numbers_follow(toy)


def assert_numbers_follow(toy: Toy) -> None:
    """Each measured value from its log, each decision from the rows before it."""
    approved, standing = toy.seal(), Standing()
    seen: Counter[str] = Counter()
    for row in toy.rows():
        seen[row["event"]] += 1
        if row["event"] == "measured":
            _assert_measured(toy, approved, row)
        elif row["event"] == "decided":
            experiment = standing.experiments[row["experiment"]]
            verdict = json.loads(json.dumps(judging.judge(standing, experiment, approved, row["simpler"])))
            assert {key: row[key] for key in verdict} == verdict
        fold(standing, row)
    assert seen["measured"]
    assert seen["decided"]


def _assert_measured(toy: Toy, approved: Seal, row: dict[str, Any]) -> None:
    goal = approved.program["goal"]
    place = goal["final"] if row["purpose"] == "final_score" else goal
    log = toy.root / "runs" / "jobs" / row["job"] / "log.txt"
    found = read(log.read_text().splitlines(), place["metric_pattern"])
    assert found.log_sha256 == row["log_sha256"]
    assert row["value"] == (found.value if row["stage"] == "COMPLETED" else None)


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
