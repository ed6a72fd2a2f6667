"""Jobs on the emulated Hub through the real client: prices, stages, bills, logs, and the ledger's account of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN, backend, seal, spec
from fakes.hf_jobs import Emulator, Fault, Plan
from mlresearch import backends, jobs, ledger
from mlresearch.backends import JobRef
from mlresearch.errors import BackendError, EnvelopeBreach, NotFound, Unavailable, UsageError
from mlresearch.jobs import Order


def test_prices_are_those_of_now(hub: Emulator) -> None:
    engine = backend(hub)
    first = engine.prices()
    hub.hardware[0] |= {"unitCostMicroUSD": 200, "unitCostUSD": 0.0002}

    assert (len(first), first["cpu-basic"], first["l40sx1"]) == (26, 167, 30_000)
    assert engine.prices()["cpu-basic"] == 200


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"unitLabel": "hour"}, id="by the hour"),
        pytest.param({"unitLabel": ""}, id="no unit"),
        pytest.param({"unitCostMicroUSD": 0, "unitCostUSD": 0}, id="nothing"),
        pytest.param({"unitCostMicroUSD": -5}, id="below nothing"),
        pytest.param({"unitCostMicroUSD": 30_000.5}, id="no whole number"),
        pytest.param({"unitCostMicroUSD": "30000"}, id="text"),
        pytest.param({"unitCostMicroUSD": True, "unitCostUSD": 0.000001}, id="a truth value"),
        pytest.param({"unitCostUSD": 1.8}, id="told twice, not alike"),
        pytest.param({"unitCostUSD": float("nan")}, id="no number"),
    ],
)
def test_a_flavor_without_a_clear_price_can_not_be_used(hub: Emulator, tmp_path: Path, changes: dict[str, Any]) -> None:
    next(item for item in hub.hardware if item["name"] == "l40sx1").update(changes)
    (tmp_path / "train.py").touch()
    order = Order("hf", str(tmp_path / "train.py"), "l40sx1", 600, max_usd_micro=10_000_000)

    assert len(backend(hub).prices()) == 25
    with pytest.raises(UsageError, match="no price"):
        jobs.submit(str(tmp_path), order, backend(hub))
    assert not hub.jobs


def test_a_list_of_hardware_that_can_not_be_read_gives_no_price(hub: Emulator) -> None:
    del hub.hardware[3]["unitCostMicroUSD"]

    with pytest.raises(Unavailable, match="unitCostMicroUSD"):
        backend(hub).prices()


@pytest.mark.parametrize(
    ("plan", "seconds", "stage", "exit_code", "billed_s"),
    [
        pytest.param(Plan(queue_s=100), 90, "QUEUED", None, 90, id="queued"),
        pytest.param(Plan(start_s=10, run_s=100), 60, "RUNNING", None, 60, id="running"),
        pytest.param(Plan(start_s=10, run_s=20), 60, "COMPLETED", 0, 30, id="completed"),
        pytest.param(Plan(run_s=0.3), 60, "COMPLETED", 0, 1, id="a part of a second"),
        pytest.param(Plan(queue_s=7200, run_s=20), 8000, "COMPLETED", 0, 320, id="a long queue is not billed"),
        pytest.param(Plan(run_s=20, exit_code=3), 60, "FAILED", 3, 20, id="its own code"),
        pytest.param(Plan(run_s=1, exit_code=137), 60, "FAILED", 137, 1, id="killed"),
        pytest.param(Plan(run_s=1, exit_code=137, message="OOMKilled"), 60, "OOM", None, 1, id="out of memory"),
        pytest.param(Plan(run_s=999), 600, "TIMEOUT", None, 60, id="timeout, in the Hub's words"),
        pytest.param(Plan(run_s=999, message="stopped"), 600, "TIMEOUT", None, 60, id="timeout, by its running time"),
        pytest.param(Plan(run_s=1, exit_code=1, message="Failed to pull image"), 60, "FAILED", None, 1, id="other"),
    ],
)
def test_a_job_is_told_in_our_stages_with_the_seconds_that_are_billed(
    hub: Emulator, plan: Plan, seconds: float, stage: str, exit_code: int | None, billed_s: int
) -> None:
    hub.plan = plan
    engine = backend(hub)
    ref = engine.submit(spec())
    hub.clock.advance(seconds)

    report = engine.inspect(ref)

    assert (report.stage, report.exit_code) == (stage, exit_code)
    assert 0 <= report.billed_s - billed_s <= 1
    assert report.submitted_at
    assert (report.ended_at is None) == (stage in ("QUEUED", "RUNNING"))


def test_a_wrong_clock_of_the_hub_changes_no_bill(hub: Emulator) -> None:
    hub.plan = Plan(run_s=90)
    hub.clock.skew_s = -86_400
    engine = backend(hub)
    ref = engine.submit(spec(timeout_s=600))
    hub.clock.advance(300)

    assert engine.inspect(ref).billed_s in (90, 91)


def test_a_queued_and_a_running_job_can_be_cancelled_and_an_ended_one_stays(hub: Emulator) -> None:
    hub.plans = [Plan(queue_s=50), Plan(run_s=50), Plan()]
    engine = backend(hub)
    refs = [engine.submit(spec(job=f"j{n}")) for n in range(3)]
    for ref in refs:
        engine.cancel(ref)

    assert [engine.inspect(ref).stage for ref in refs] == ["CANCELED", "CANCELED", "COMPLETED"]


def test_a_refused_cancel_is_told_only_of_a_job_that_goes_on(hub: Emulator) -> None:
    hub.plans = [Plan(run_s=50), Plan()]
    engine = backend(hub)
    goes_on, over = (engine.submit(spec(job=f"j{n}")) for n in range(2))
    hub.faults.add(Fault("cancel", status=409, error="Job is over", times=2))

    engine.cancel(over)
    with pytest.raises(BackendError, match="Job is over"):
        engine.cancel(goes_on)


@pytest.mark.parametrize("job_id", ["", "ada/", "/", "5", "ada/x/y", "ada/..", "a b/c", "ada/x?y"])
def test_an_id_that_is_none_is_never_sent(hub: Emulator, job_id: str) -> None:
    engine, ref = backend(hub), JobRef("hf", job_id, None)
    for verb in (engine.inspect, engine.cancel, engine.logs, engine.metrics):
        with pytest.raises(NotFound, match=r"jobs\.py list"):
            verb(ref)

    assert not hub.requests


def test_a_job_that_never_was_is_not_found(hub: Emulator) -> None:
    ref = JobRef("hf", "ada/0123456789abcdef01234567", None)
    for verb in (backend(hub).inspect, backend(hub).cancel, backend(hub).logs):
        with pytest.raises(NotFound):
            verb(ref)


def test_find_reads_every_page_and_knows_exactly_its_label(hub: Emulator) -> None:
    engine = backend(hub)
    refs = {n: engine.submit(spec(job=f"j{n}")) for n in range(8)}

    assert engine.find("mlr-label-j0", "ada") == refs[0]
    assert engine.find("mlr-label-j", "ada") is None
    assert engine.find("mlr-label-j0", "lab") is None


def test_without_a_namespace_find_searches_wherever_the_token_reaches(hub: Emulator) -> None:
    engine = backend(hub)
    ref = engine.submit(spec(namespace="lab"))

    assert engine.find("mlr-label-j0001") == ref
    hub.faults.add(Fault("GET /api/jobs/lab", status=403))
    with pytest.raises(BackendError):
        engine.find("mlr-label-j0002")


def test_a_label_on_two_jobs_is_a_fault_to_look_into(hub: Emulator) -> None:
    engine = backend(hub)
    engine.submit(spec())
    hub.create("ada", hub.bodies[0])

    with pytest.raises(Unavailable, match="on 2 jobs"):
        engine.find("mlr-label-j0001", "ada")


def test_the_list_shows_queued_jobs_and_the_census_those_of_others_with_their_bill(hub: Emulator) -> None:
    hub.plans = [Plan(queue_s=5000), Plan(run_s=600), Plan(run_s=61)]
    engine = backend(hub)
    queued, running = (engine.submit(spec(job=f"j{n}", timeout_s=3600)) for n in range(2))
    foreign = hub.create("ada", {"command": ["x"], "flavor": "a10g-large", "dockerImage": "x", "timeoutSeconds": 90})
    hub.clock.advance(120)

    assert engine.list() == [running, queued]
    seen = {sight.ref.job_id: sight for sight in engine.sightings("ada")}
    assert seen[queued.job_id].report.stage == "QUEUED"
    stranger = seen[f"ada/{foreign.id}"]
    assert (stranger.label, stranger.flavor, stranger.report.billed_s) == (None, "a10g-large", 61)


def test_metrics_are_one_sample_of_a_running_job(hub: Emulator) -> None:
    hub.plans = [Plan(run_s=50), Plan()]
    engine = backend(hub)
    running, over = (engine.submit(spec(job=f"j{n}")) for n in range(2))

    sample = engine.metrics(running)
    assert sample is not None
    assert sample["cpu_usage_pct"] == 3
    assert engine.metrics(over) is None


def test_a_log_is_told_line_by_line_with_secrets_taken_out(hub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "swordfish")
    hub.plan = Plan(lines=(f"token {TOKEN}", "PIN=swordfish", "pad_token = eos_token", "", "val_accuracy: 0.9\r"))
    engine = backend(hub)
    ref = engine.submit(spec(secrets=("PIN",)))
    told = ["token [redacted]", "PIN=[redacted]", "pad_token = eos_token", "", "val_accuracy: 0.9"]

    assert list(engine.logs(ref)) == list(engine.logs(ref, follow=True)) == told


def test_a_running_jobs_log_is_told_up_to_now_and_followed_to_its_end(running_hub: Emulator) -> None:
    engine = backend(running_hub)
    source = "import time\nfor n in range(4):\n    print('step', n)\n    time.sleep(0.3 * (n > 0))"
    ref = engine.submit(spec(source, image="python:3.12"))
    following = engine.logs(ref, follow=True)

    assert next(following) == "step 0"
    assert "step 3" not in list(engine.logs(ref))
    assert list(following) == ["step 1", "step 2", "step 3"]
    assert engine.inspect(ref).stage == "COMPLETED"


def test_the_backend_is_reached_by_its_name() -> None:
    assert backends.get("hf", ".").name == "hf"
    with pytest.raises(UsageError, match="local, hf"):
        backends.get("slum", ".")


REFERENCE = Order("hf", "train.py", "l40sx1", 75 * 60, deps=("trl", "peft"), secrets=("HF_TOKEN",))


def test_the_reference_run_is_accounted_to_the_cent_before_and_after(
    hub: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qwen2-0.5B with LoRA on Capybara, cap 10 USD: a preflight, then 59 minutes on one L40S."""
    monkeypatch.chdir(tmp_path)
    seal(tmp_path, max_usd=10)
    Path("train.py").write_text("print('eval_loss: 1.2')\n")
    engine, root = backend(hub), str(tmp_path)
    hub.plans = [Plan(queue_s=4, start_s=15, run_s=200), Plan(queue_s=9, start_s=25, run_s=59 * 60 - 40)]
    preflight = Order("hf", "train.py", "l40sx1", 600, args=("--max-steps", "1"))

    ceilings = []
    for order in (preflight, REFERENCE):
        ceilings.append(jobs.submit(root, order, engine).ceiling_micro)
        assert ledger.standing(root).spent().micro >= hub.bill_micro()
        hub.clock.advance(3600)
        jobs.reconcile(root, {"hf": engine})

    assert ceilings == [15 * 30_000, 80 * 30_000]
    assert ledger.standing(root).spent().micro == hub.bill_micro() == (4 + 59) * 30_000
    assert not ledger.standing(root).open


def test_the_same_run_under_a_cap_of_one_dollar_stops_before_the_paid_job(
    hub: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seal(tmp_path, max_usd=1)
    Path("train.py").touch()

    with pytest.raises(EnvelopeBreach, match=r"max_usd: asked \$2.40, \$1.00 left"):
        jobs.submit(str(tmp_path), REFERENCE, backend(hub))

    assert not hub.jobs
    assert ledger.standing(str(tmp_path)).spent().micro == 0


def test_no_secret_reaches_the_ledger(hub: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seal(tmp_path)
    Path("train.py").touch()
    hub.faults.add(Fault("POST", status=400, error=f"bad token {TOKEN}"))
    with pytest.raises(BackendError) as raised:
        jobs.submit(str(tmp_path), REFERENCE, backend(hub))
    jobs.submit(str(tmp_path), REFERENCE, backend(hub))

    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.parts[-2] != "hf")
    assert "bad token [redacted]" in str(raised.value)
    assert "bad token [redacted]" in written
    assert TOKEN not in written
