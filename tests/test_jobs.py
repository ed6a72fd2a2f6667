"""Money: reserved before the backend is called, once, inside the limits, and settled to what was billed."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.toy_project import Blocks, Toy
from mlresearch import jobs, ledger, seal, store
from mlresearch.backends import COMPLETED, LOST, RUNNING, JobRef, JobReport, JobSpec
from mlresearch.backends.local import LocalBackend
from mlresearch.errors import (
    BackendError,
    EnvelopeBreach,
    NotFound,
    ResearchError,
    SealError,
    Unavailable,
    UsageError,
)
from mlresearch.guard import situations
from mlresearch.jobs import Order, intents

CENT = 10_000
LINE = "val_accuracy: 0.5"


class Host:
    """A paid provider in memory: 1 cent a minute, 30 s to start. `before` and `after` run around its acceptance."""

    name = "hf"
    start_allowance_s = 30
    certain_after_s = 0

    def __init__(self) -> None:
        self.specs: dict[str, JobSpec] = {}
        self.report = JobReport(COMPLETED, 0, None, 1.0, 2.0, 61, "", None)
        self.lines = [LINE]
        self.price = CENT
        self.before: Callable[[JobSpec], None] = lambda spec: None
        self.after: Callable[[JobSpec], None] = lambda spec: None

    def prices(self) -> dict[str, int]:
        return {"a10g": self.price}

    def submit(self, spec: JobSpec) -> JobRef:
        self.before(spec)
        assert spec.label not in self.specs
        self.specs[spec.label] = spec
        self.after(spec)
        return self._ref(spec.label)

    def _ref(self, label: str) -> JobRef:
        return JobRef(self.name, "id-of-" + label, "https://example.org/" + label)

    def inspect(self, ref: JobRef) -> JobReport:
        if ref.job_id.removeprefix("id-of-") not in self.specs:
            raise NotFound(f"no job {ref.job_id}")
        return self.report

    def logs(self, ref: JobRef, follow: bool = False) -> Iterator[str]:
        self.inspect(ref)
        return iter(self.lines)

    def cancel(self, ref: JobRef) -> None:
        self.inspect(ref)

    def namespace(self, asked: str | None = None) -> str | None:
        return asked

    def find(self, label: str, namespace: str | None = None) -> JobRef | None:
        return self._ref(label) if label in self.specs else None

    def list(self) -> builtins.list[JobRef]:
        return [self._ref(label) for label in self.specs]


def failing(error: ResearchError) -> Callable[[JobSpec], None]:
    def fail(*_asked: object) -> None:
        raise error

    return fail


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    """Written, with a script of its own to submit; not approved."""
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.write()
    (made.root / "free.py").write_text(f"print({LINE!r})\n")
    yield made
    made.end_jobs()


PAID: dict[str, Any] = {
    "backends": ["local", "hf"],
    "allowed_flavors": ["cpu", "a10g"],
    "max_usd": 1,
    "max_timeout": "10m",
    "reserve_final": 0,
}


def approve(toy: Toy, **limits: Any) -> None:
    toy.rewrite({"Budget envelope": {**PAID, **limits}})
    toy.approve()


def order(toy: Toy, **changes: Any) -> Order:
    """One minute and a half on the paid host: with its start, 2 begun minutes."""
    fields = {"backend": "hf", "script": str(toy.root / "free.py"), "flavor": "a10g", "timeout_s": 90}
    fields["env"] = {"SMOKE": "1"}
    return Order(**{**fields, **changes})


def events(toy: Toy) -> list[str]:
    return [row["event"] for row in toy.rows() if row["event"] != "approved"]


def test_the_reservation_is_on_disk_before_the_backend_is_called(toy: Toy, host: Host) -> None:
    approve(toy)
    seen = []
    host.before = lambda spec: seen.append((spec.label, toy.rows()[-1]))
    done = jobs.submit(toy.path, order(toy), host)
    ((label, row),) = seen
    assert (row["event"], row["label"], row["job"]) == ("reserved", label, "j0001")
    assert (row["reserved_s"], row["ceiling_micro"], done.ceiling_micro) == (120, 2 * CENT, 2 * CENT)
    assert events(toy) == ["reserved", "submitted"]


def test_an_ended_job_is_settled_to_what_was_billed(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    assert toy.standing().spent().micro == 2 * CENT
    host.report = JobReport(COMPLETED, 0, None, 1.0, 2.0, 60, "", None)
    (row,) = jobs.reconcile(toy.path, {"hf": host})
    assert (row["event"], row["billed_s"], row["billed_micro"]) == ("settled", 60, CENT)
    assert (toy.standing().spent().micro, toy.standing().spent().seconds) == (CENT, 60)
    assert jobs.reconcile(toy.path, {"hf": host}) == []


def test_a_running_job_stays_at_its_reservation(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    host.report = JobReport(RUNNING, None, None, 1.0, None, 5, "", None)
    assert jobs.reconcile(toy.path, {"hf": host}) == []
    assert toy.standing().spent().seconds == 120


def test_a_bill_above_the_reservation_is_recorded_and_counts_as_reserved(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    host.report = JobReport(COMPLETED, 0, None, 1.0, 2.0, 600, "", None)
    (row,) = jobs.reconcile(toy.path, {"hf": host})
    assert row["billed_micro"] == 10 * CENT
    assert (toy.standing().micro, toy.standing().seconds) == (2 * CENT, 120)


def test_a_price_that_rose_meanwhile_changes_no_bill(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    host.price = 100 * CENT
    (row,) = jobs.reconcile(toy.path, {"hf": host})
    assert row["billed_micro"] == 2 * CENT


LOSSES: dict[str, Callable[[Host], None]] = {
    "it says the job is lost": lambda host: setattr(
        host, "report", JobReport(LOST, None, None, 1.0, None, 5, "gone", None)
    ),
    "it no longer knows the job": lambda host: host.specs.clear(),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_lost_job_is_billed_in_full_and_not_open_for_ever(lose: Callable[[Host], None], toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    lose(host)
    (row,) = jobs.reconcile(toy.path, {"hf": host})
    assert (row["stage"], row["billed_s"], row["billed_micro"]) == (LOST, 120, 2 * CENT)
    assert not toy.standing().open


def test_a_provider_that_says_no_gives_the_reservation_back(toy: Toy, host: Host) -> None:
    approve(toy)
    host.before = failing(BackendError("402: no credit"))
    with pytest.raises(BackendError, match="402"):
        jobs.submit(toy.path, order(toy), host)
    assert events(toy) == ["reserved", "released"]
    assert toy.standing().spent().micro == toy.standing().spent().jobs == 0


def test_a_line_that_dropped_before_the_provider_accepted_is_released_later(toy: Toy, host: Host) -> None:
    approve(toy)
    host.before = failing(Unavailable("connection reset"))
    with pytest.raises(Unavailable):
        jobs.submit(toy.path, order(toy), host)
    assert toy.standing().spent().micro == 2 * CENT
    jobs.reconcile(toy.path, {"hf": host})
    assert events(toy) == ["reserved", "released"]
    assert toy.standing().spent().micro == 0


def test_a_line_that_dropped_after_the_provider_accepted_loses_and_doubles_nothing(toy: Toy, host: Host) -> None:
    approve(toy)
    host.after = failing(Unavailable("connection reset"))
    with pytest.raises(Unavailable):
        jobs.submit(toy.path, order(toy), host)
    jobs.reconcile(toy.path, {"hf": host})
    assert events(toy) == ["reserved", "adopted", "settled"]
    assert len(host.specs) == 1


def test_a_provider_that_can_not_be_asked_leaves_the_reservation(toy: Toy, host: Host) -> None:
    approve(toy)
    host.after = failing(Unavailable("connection reset"))
    with pytest.raises(Unavailable):
        jobs.submit(toy.path, order(toy), host)
    host.find = failing(Unavailable("still down"))  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        jobs.reconcile(toy.path, {"hf": host})
    assert toy.standing().spent().micro == 2 * CENT


def test_a_job_that_can_not_be_asked_for_holds_up_no_other(toy: Toy, host: Host) -> None:
    approve(toy)
    for _ in range(2):
        jobs.submit(toy.path, order(toy), host)
    host.specs.pop(next(iter(host.specs)))
    host.certain_after_s = 600
    assert [row["job"] for row in jobs.reconcile(toy.path, {"hf": host})] == ["j0002"]
    assert set(toy.standing().open) == {"j0001"}
    jobs.submit(toy.path, order(toy), host)
    host.inspect = failing(BackendError("403"))  # type: ignore[assignment,method-assign]
    with pytest.raises(BackendError, match="j0001: 403; j0003: 403"):
        jobs.reconcile(toy.path, {"hf": host})


def test_the_reservation_of_a_live_submitter_is_never_released(toy: Toy, host: Host) -> None:
    approve(toy)
    written: list[dict[str, Any]] = []
    host.before = lambda spec: written.extend(jobs.reconcile(toy.path, {"hf": host}))
    jobs.submit(toy.path, order(toy), host)
    assert written == []
    assert events(toy) == ["reserved", "submitted"]


HELD = """
import sys
from mlresearch.jobs import intents
with intents.held(sys.argv[1], "j0001"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_an_intent_lives_as_long_as_its_process(toy: Toy) -> None:
    environment = toy.environment() | {"PYTHONPATH": str(Path(jobs.__file__).parents[2])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HELD, toy.path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert holder.stdout
    holder.stdout.readline()
    assert intents.is_alive(toy.path, "j0001")
    holder.kill()
    holder.communicate()
    assert not intents.is_alive(toy.path, "j0001")
    assert not intents.is_alive(toy.path, "j0002")


def test_a_submit_whose_reservation_can_not_be_written_leaves_no_intent_behind(toy: Toy, host: Host) -> None:
    approve(toy)
    with pytest.raises(ResearchError):
        jobs.submit(toy.path, order(toy, experiment="e" * (2 << 20)), host)
    assert not host.specs
    assert not intents.is_alive(toy.path, "j0001")
    assert jobs.submit(toy.path, order(toy), host).job == "j0001"


LIMITS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "jobs": ({"max_jobs": 1}, {}, "max_jobs"),
    "money": ({"max_usd": 0.03}, {}, "max_usd"),
    "job time": ({"max_walltime": "3m"}, {}, "max_walltime"),
    "timeout": ({}, {"timeout_s": 601}, "max_timeout"),
    "backend": ({"backends": ["local"]}, {}, "backends"),
    "flavor": ({"allowed_flavors": ["cpu"]}, {}, "allowed_flavors"),
    "share kept for the end": ({"max_jobs": 2, "reserve_final": 0.5}, {}, "max_jobs"),
    "clock": ({"deadline": "2020-01-01T00:00Z"}, {}, "deadline"),
}


@pytest.mark.parametrize(("limits", "changes", "limit"), LIMITS.values(), ids=LIMITS)
def test_a_breach_starts_nothing_names_its_limit_and_ends_the_campaign(
    limits: dict[str, Any], changes: dict[str, Any], limit: str, toy: Toy, host: Host
) -> None:
    approve(toy, **limits)
    for _ in range(2):
        if not toy.standing().stopped:
            try:
                jobs.submit(toy.path, order(toy, **changes), host)
            except EnvelopeBreach as breach:
                assert breach.terminal
                assert limit in str(breach)
    stopped = toy.rows("stopped")
    assert [(row["reason"], limit in row["message"]) for row in stopped] == [("denied", True)]
    started = len(host.specs)
    with pytest.raises(EnvelopeBreach, match="the campaign has stopped"):
        jobs.submit(toy.path, order(toy), host)
    assert len(host.specs) == started <= 1


def test_a_full_queue_means_wait_and_ends_nothing(toy: Toy, host: Host) -> None:
    approve(toy, max_parallel=1)
    jobs.submit(toy.path, order(toy), host)
    with pytest.raises(EnvelopeBreach, match="max_parallel") as told:
        jobs.submit(toy.path, order(toy), host)
    assert not told.value.terminal
    assert not toy.rows("stopped")
    jobs.reconcile(toy.path, {"hf": host})
    jobs.submit(toy.path, order(toy), host)


def test_a_denial_that_the_hook_noted_ends_the_campaign_at_the_next_submit(toy: Toy, host: Host) -> None:
    approve(toy)
    denied = f"{store.root_dir(toy.path)}/denied.json"
    store.put(denied, {"ts": time.time() + 1, "reason": "max_usd: asked $100"})
    with pytest.raises(EnvelopeBreach, match="max_usd: asked"):
        jobs.submit(toy.path, order(toy), host)
    assert not host.specs


def test_a_denial_that_quotes_a_token_leaves_none_in_the_ledger(toy: Toy, host: Host) -> None:
    approve(toy)
    token = "hf_" + "Quoted0Token" * 3
    situations.mark_denied(toy.path, f"HF_TOKEN={token} hf jobs run", time.time())
    with pytest.raises(EnvelopeBreach):
        jobs.submit(toy.path, order(toy), host)
    assert events(toy) == ["stopped"]
    assert token not in (toy.root / "runs" / "ledger.jsonl").read_text()
    assert token not in Path(store.root_dir(toy.path), situations.DENIED).read_text()


def test_a_denial_from_before_the_approval_ends_nothing(toy: Toy, host: Host) -> None:
    store.put(f"{store.root_dir(toy.path)}/denied.json", {"ts": time.time() - 1, "reason": "old"})
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    assert not toy.rows("stopped")


def test_without_approval_nothing_is_submitted_beside_a_program(toy: Toy, host: Host) -> None:
    with pytest.raises(SealError, match="not approved"):
        jobs.submit(toy.path, order(toy, max_usd_micro=CENT * 100), host)
    assert not host.specs


INVALID: dict[str, tuple[Callable[[Toy], object], str]] = {
    "program.md was changed": (lambda toy: approve_then_change(toy), "differs from what was approved"),
    "program.md is gone": (lambda toy: (toy.root / "program.md").unlink(), "differs from what was approved"),
    "the approval was revoked": (lambda toy: seal.close(toy.path), "not approved"),
}


def approve_then_change(toy: Toy) -> None:
    text = (toy.root / "program.md").read_text()
    (toy.root / "program.md").write_text(text.replace("max_jobs: 60", "max_jobs: 61"))


@pytest.mark.parametrize(("spoil", "why"), INVALID.values(), ids=INVALID)
def test_an_approval_that_does_not_hold_authorizes_nothing(
    spoil: Callable[[Toy], object], why: str, toy: Toy, host: Host
) -> None:
    approve(toy)
    spoil(toy)
    with pytest.raises(SealError, match=why):
        jobs.submit(toy.path, order(toy), host)
    assert not host.specs


def test_an_expired_approval_authorizes_nothing(toy: Toy, host: Host) -> None:
    approve(toy, expires="1h")
    with pytest.raises(SealError, match="expired"):
        jobs.submit(toy.path, order(toy), host, now=time.time() + 3601)
    jobs.submit(toy.path, order(toy), host, now=time.time() + 3500)


def test_a_finalized_campaign_spends_nothing(toy: Toy, host: Host) -> None:
    approve(toy)
    ledger.append(toy.path, "finalized")
    with pytest.raises(EnvelopeBreach, match="finalized"):
        jobs.submit(toy.path, order(toy), host)


def test_a_ledger_of_another_campaign_authorizes_nothing(toy: Toy, host: Host) -> None:
    approve(toy)
    ledger.append(toy.path, "approved", campaign="another")
    with pytest.raises(SealError, match="another campaign"):
        jobs.submit(toy.path, order(toy), host)


@pytest.fixture
def bare(toy: Toy) -> Toy:
    """A folder without a program."""
    (toy.root / "program.md").unlink()
    return toy


def test_without_a_program_a_paid_job_needs_a_limit_that_covers_it(bare: Toy, host: Host) -> None:
    with pytest.raises(EnvelopeBreach, match="nobody approved any spending"):
        jobs.submit(bare.path, order(bare), host)
    with pytest.raises(EnvelopeBreach, match=r"could cost \$0\.02.*\(--max-usd\)"):
        jobs.submit(bare.path, order(bare, max_usd_micro=2 * CENT - 1), host)
    assert not bare.rows()
    jobs.submit(bare.path, order(bare, max_usd_micro=2 * CENT), host)
    assert len(host.specs) == 1


def test_without_a_program_a_local_job_is_free_and_runs_the_submitted_bytes(bare: Toy) -> None:
    backend = LocalBackend(bare.path)
    done = jobs.submit(bare.path, order(bare, backend="local", flavor="cpu"), backend)
    (bare.root / "free.py").write_text("raise SystemExit(3)\n")
    jobs.wait(bare.path, {"local": backend}, {done.job}, time.time() + 20)
    (row,) = bare.rows("settled")
    assert (row["stage"], row["exit_code"], row["billed_micro"]) == (COMPLETED, 0, 0)
    assert (bare.root / "runs" / "jobs" / done.job / "log.txt").read_text() == LINE + "\n"


SCRIPTS: dict[str, tuple[str, str | None, str]] = {
    "missing": ("none.py", None, "does not exist"),
    "no Python by name": ("run.sh", "echo\n", "no Python file"),
    "no Python by content": ("bad.py", "def f(:\n", "is not Python"),
    "a NUL byte": ("nul.py", "x = '\0'\n", "is not Python"),
}


def test_a_free_job_that_is_given_a_token_may_not_publish_elsewhere(toy: Toy, host: Host) -> None:
    approve(toy)
    script = toy.root / "push.py"
    script.write_text("model.push_to_hub('eve/stolen')\n")
    with pytest.raises(UsageError, match="eve/stolen"):
        jobs.submit(str(toy.root), order(toy, backend="local", script=str(script), secrets=("HF_TOKEN",)), host)
    assert "reserved" not in events(toy)


@pytest.mark.parametrize(("name", "text", "why"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_that_can_not_run_is_refused_before_anything_is_reserved(
    name: str, text: str | None, why: str, toy: Toy, host: Host
) -> None:
    approve(toy)
    if text is not None:
        (toy.root / name).write_text(text)
    with pytest.raises(UsageError, match=why):
        jobs.submit(toy.path, order(toy, script=str(toy.root / name)), host)
    assert events(toy) == []


def test_a_flavor_without_a_price_is_refused_and_ends_nothing(toy: Toy, host: Host) -> None:
    approve(toy)
    with pytest.raises(UsageError, match="has no price"):
        jobs.submit(toy.path, order(toy, flavor="h200"), host)
    assert events(toy) == []


@pytest.mark.parametrize("experiment", ["baseline", "e0001", "no such thing"])
def test_a_free_job_is_settled_and_never_measured_for_an_experiment(experiment: str, toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy, experiment=experiment), host)
    jobs.reconcile(toy.path, {"hf": host})
    assert events(toy) == ["reserved", "submitted", "settled"]


def started(toy: Toy, changes: Blocks | None = None) -> None:
    """A campaign with a baseline run in flight at the paid host."""
    approve(toy)
    ledger.append(
        toy.path, "started", campaign=toy.standing().campaign, sealed={}, data={}, files={}, config={},
        by="program", hypothesis="as it is", lever=None, parent=None,
    )  # fmt: skip


READINGS: dict[str, tuple[list[str], str, float | None, str]] = {
    "the last line counts": (["val_accuracy: 0.1", LINE], COMPLETED, 0.5, ""),
    "no line": (["nothing"], COMPLETED, None, "no line of the log matches"),
    "an empty log": ([], COMPLETED, None, "no line of the log matches"),
    "not a number": (["val_accuracy: nan"], COMPLETED, None, "no finite number"),
    "infinite": (["val_accuracy: inf"], COMPLETED, None, "no finite number"),
    "a word": (["val_accuracy: high"], COMPLETED, None, "no finite number"),
    "a number of a failed job": ([LINE], "FAILED", None, "FAILED"),
    "a number of a job that ran out of time": ([LINE], "TIMEOUT", None, "TIMEOUT"),
    "a number of a lost job": ([LINE], LOST, None, "LOST"),
    "zero is a number": (["val_accuracy: 0"], COMPLETED, 0.0, ""),
}


@pytest.mark.parametrize(("lines", "stage", "value", "why"), READINGS.values(), ids=READINGS)
def test_a_metric_comes_from_the_log_of_a_completed_run_or_is_null(
    lines: list[str], stage: str, value: float | None, why: str, toy: Toy, host: Host
) -> None:
    started(toy)
    jobs.submit(toy.path, order(toy, experiment="baseline", purpose="baseline", seed=1, seed_index=0), host)
    host.lines, host.report = lines, JobReport(stage, 1, None, 1.0, 2.0, 5, "as told", None)
    jobs.reconcile(toy.path, {"hf": host})
    (row,) = toy.rows("measured")
    assert (row["value"], why in row["why"]) == (value, True)
    assert events(toy)[-2:] == ["measured", "settled"]


def test_a_settling_process_that_died_between_its_two_rows_measures_once(toy: Toy, host: Host) -> None:
    started(toy)
    jobs.submit(toy.path, order(toy, experiment="baseline", purpose="baseline", seed=1, seed_index=0), host)
    ledger.append(
        toy.path, "measured", job="j0001", experiment="baseline", purpose="baseline", seed=1, train_job=None,
        value=0.5, stage=COMPLETED, exit_code=0, why="", log_sha256="",
    )  # fmt: skip
    jobs.reconcile(toy.path, {"hf": host})
    assert len(toy.rows("measured")) == len(toy.rows("settled")) == 1


def test_two_who_settle_at_once_book_one_bill(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)

    def meanwhile(ref: JobRef, follow: bool = False) -> Iterator[str]:
        host.logs = lambda ref, follow=False: iter(host.lines)  # type: ignore[method-assign]
        assert jobs.settle(toy.path, "j0001", host)
        return iter(host.lines)

    host.logs = meanwhile  # type: ignore[method-assign]
    assert jobs.settle(toy.path, "j0001", host) is None
    assert len(toy.rows("settled")) == 1


def test_wait_ends_with_the_first_job_that_does_or_with_its_time(toy: Toy, host: Host) -> None:
    approve(toy)
    for _ in range(2):
        jobs.submit(toy.path, order(toy), host)
    host.report = JobReport(RUNNING, None, None, 1.0, None, 5, "", None)
    assert jobs.wait(toy.path, {"hf": host}, None, time.time() + 0.1) == []
    host.report = JobReport(COMPLETED, 0, None, 1.0, 2.0, 5, "", None)
    assert [row["job"] for row in jobs.wait(toy.path, {"hf": host}, {"j0002"}, time.time() + 5)] == ["j0001", "j0002"]
    assert jobs.wait(toy.path, {"hf": host}, None, time.time() + 5) == []


def test_only_an_open_job_is_found(toy: Toy, host: Host) -> None:
    approve(toy)
    jobs.submit(toy.path, order(toy), host)
    assert jobs.open_job(toy.path, "j0001")["backend"] == "hf"
    with pytest.raises(NotFound, match="open jobs: j0001"):
        jobs.open_job(toy.path, "j0002")


COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "a timeout that can not be read": (("--timeout", "soon"), "timeout"),
    "no time at all": (("--timeout", "0"), "timeout"),
    "a negative timeout": (("--timeout=-5",), "timeout"),
    "a timeout that is no number": (("--timeout", "nan"), "timeout"),
    "a repeated option": (("--timeout", "60", "--timeout", "90"), "--timeout"),
    "an abbreviation": (("--timeou", "60"), "--timeou"),
    "a script that does not exist": (("--timeout", "60", "--script", "none.py"), "none.py"),
    "an environment without a value": (("--timeout", "60", "--env", "NAME"), "--env"),
    "memory without a unit": (("--timeout", "60", "--memory", "2"), "memory"),
}


@pytest.mark.parametrize(("words", "named"), COMMANDS.values(), ids=COMMANDS)
def test_a_call_that_can_not_be_read_is_refused_in_json_and_reserves_nothing(
    words: tuple[str, ...], named: str, bare: Toy
) -> None:
    script = () if "--script" in words else ("--script", "free.py")
    done = bare.run("jobs.py", "submit", "--backend", "local", "--flavor", "cpu", *script, *words, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 2, done
    assert set(told) == {"error", "allowed", "next"}
    assert named in told["error"]
    assert not bare.rows()
