"""The most a job can cost is one number: what the guard asks a person, and what a submit reserves."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from backends.hf_harness import CALM, TOKEN, seal
from fakes.hf_jobs import Emulator
from mlresearch import backends, durations, jobs, ledger, money
from mlresearch.backends import Backend
from mlresearch.backends.hf import HfBackend
from mlresearch.backends.local import LocalBackend
from mlresearch.envelope import START_ALLOWANCE_S
from mlresearch.guard import situations
from mlresearch.guard.calls import ALLOW, ASK, Call
from mlresearch.guard.decide import decide
from mlresearch.jobs import Order

REPO = Path(backends.__file__).parents[3]
CASES = [
    ("hf", "cpu-basic", "10m"),
    ("hf", "cpu-basic", "601"),
    ("hf", "l40sx1", "59m"),
    ("hf", "l40sx1", "1h30m1s"),
    ("local", "cpu", "90s"),
]


def asked(root: Path, case: tuple[str, str, str], tail: str = "") -> tuple[str, str]:
    backend, flavor, timeout = case
    script = REPO / "scripts" / "jobs.py"
    command = (
        f"uv run {script} submit --backend {backend} --script train.py --flavor {flavor} --timeout {timeout}{tail}"
    )
    call = Call("Bash", {"command": command}, str(root))
    found = decide(call, situations.find([str(root)], "", time.time()))
    return found.decision, found.reason


def reserved(root: Path, case: tuple[str, str, str], engine: Backend, cap: int | None = None) -> int:
    """The ceiling in micro-dollars that jobs.submit reserves, as its row has it."""
    backend, flavor, timeout = case
    order = Order(backend, str(root / "train.py"), flavor, durations.parse(timeout), max_usd_micro=cap)
    done = jobs.submit(str(root), order, engine)
    (row,) = [row for row in ledger.rows(str(root)) if row["event"] == "reserved"]
    assert row["ceiling_micro"] == done.ceiling_micro
    return done.ceiling_micro


def shown(reason: str) -> str:
    found = re.search(r"at most (\$[0-9.,]+[0-9])", reason)
    assert found, reason
    return found[1]


@pytest.mark.parametrize("case", CASES, ids=" ".join)
@pytest.mark.parametrize("is_approved", [True, False], ids=["approved", "one-off"])
def test_the_guard_shows_what_a_submit_reserves(
    case: tuple[str, str, str], is_approved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
    root = tmp_path / "project"
    root.mkdir()
    (root / "train.py").write_text("print('val_accuracy: 1')\n")
    if is_approved:
        flavors = ["cpu-basic", "l40sx1", "cpu"]
        seal(root, backends=["hf", "local"], allowed_flavors=flavors, max_walltime="9h")
    with Emulator() as hub:
        engine: Backend = HfBackend(hub.url, CALM) if case[0] == "hf" else LocalBackend(str(root))
        jobs.prices.read(engine)  # leaves the copy that the guard reads
        decision, reason = asked(root, case, "" if is_approved else " --max-usd 9")
        cap = None if is_approved else 9 * money.MICRO
        assert decision == (ALLOW if is_approved else ASK), reason
        assert shown(reason) == money.show(reserved(root, case, engine, cap))
        for ref in engine.list():
            engine.cancel(ref)


@pytest.mark.parametrize("name", backends.BACKENDS)
def test_what_a_start_may_bill_is_told_in_one_place(name: str, tmp_path: Path) -> None:
    assert backends.get(name, str(tmp_path)).start_allowance_s == START_ALLOWANCE_S.get(name, 0)
