"""The emulator is asserted on the stock `hf` command and the real client, before anything of ours relies on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import Any

import pytest
from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError

from fakes.conftest import Hf
from fakes.hf_jobs import Emulator, Fault, Plan

NEEDS_UV = "uv is not installed"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_emulated")


def api(hub: Emulator, timeout_s: float = 2.0) -> HfApi:
    get_session().timeout = timeout_s
    return HfApi(endpoint=hub.url)


def run_job(hub: Emulator, **changes: Any) -> Any:
    words: dict[str, Any] = {"image": "python:3.12", "command": ["true"], "namespace": "ada", "timeout": 60}
    return api(hub).run_job(**words | changes)


def test_the_command_says_who_one_is(hub: Emulator, hf: Hf) -> None:
    done = hf(hub, "auth", "whoami", "--format", "json")

    assert json.loads(done.stdout)["user"] == "ada", done.stderr


def test_the_command_lists_hardware_with_prices(hub: Emulator, hf: Hf) -> None:
    rows = {row["name"]: row for row in json.loads(hf(hub, "jobs", "hardware", "--json").stdout)}

    assert len(rows) == 26
    assert "0.03" in str(rows["l40sx1"])


def test_the_command_runs_follows_waits_and_inspects_a_docker_style_job(running_hub: Emulator, hf: Hf) -> None:
    words = ("--flavor", "cpu-upgrade", "--timeout", "2m", "--env", "GREETING=hello", "--secrets", "HF_TOKEN")
    code = "import os; print(os.environ['GREETING'], len(os.environ['HF_TOKEN']))"
    done = hf(running_hub, "jobs", "run", *words, "python:3.12", "--", sys.executable, "-c", code)

    assert done.returncode == 0, done.stderr
    assert "hello 11" in done.stdout
    [job] = running_hub.jobs.values()
    assert (job.body["flavor"], job.limit_s) == ("cpu-upgrade", 120)
    assert hf(running_hub, "jobs", "wait", job.id).returncode == 0
    [told] = json.loads(hf(running_hub, "jobs", "inspect", job.id, "--json").stdout)
    assert told["status"]["stage"] == "COMPLETED"


def test_the_command_runs_a_uv_style_job(running_hub: Emulator, hf: Hf, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip(NEEDS_UV)
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(uv), os.environ["PATH"]]))
    done = hf(running_hub, "jobs", "uv", "run", "--timeout", "1m", "python", "-c", "print('by uv')")

    assert done.returncode == 0, done.stderr
    assert "by uv" in done.stdout
    [job] = running_hub.jobs.values()
    assert job.body["command"][:2] == ["uv", "run"]


def test_the_command_fails_with_its_job(running_hub: Emulator, hf: Hf) -> None:
    done = hf(running_hub, "jobs", "run", "python:3.12", "--", sys.executable, "-c", "raise SystemExit(3)")

    assert done.returncode != 0
    [job] = running_hub.jobs.values()
    assert job.outcome() == ("ERROR", "Exit code: 3")


def test_the_command_cancels_and_lists_by_stage_and_label(hub: Emulator, hf: Hf) -> None:
    hub.plan = Plan(run_s=1000)
    jobs = [run_job(hub, labels={"round": str(number % 2)}) for number in range(5)]

    assert hf(hub, "jobs", "cancel", jobs[0].id).returncode == 0
    running = json.loads(hf(hub, "jobs", "ls", "--json").stdout)
    assert {row["id"] for row in running} == {job.id for job in jobs[1:]}
    labelled = json.loads(hf(hub, "jobs", "ls", "-a", "--label", "round=0", "--json").stdout)
    assert {row["id"] for row in labelled} == {jobs[0].id, jobs[2].id, jobs[4].id}
    assert sum(request == "GET /api/jobs/ada" for request in hub.requests) > 2  # in pages of three


def test_the_client_reads_every_page_and_every_stage(hub: Emulator) -> None:
    hub.plans = [Plan(queue_s=50), Plan(run_s=50), Plan(), Plan(exit_code=1), Plan(run_s=1000), Plan(), Plan()]
    made = [run_job(hub).id for _ in range(7)]

    told = {info.id: info.status.stage for info in api(hub).list_jobs(namespace="ada")}

    assert list(told) == made[::-1]
    assert set(told.values()) == {"SCHEDULING", "RUNNING", "COMPLETED", "ERROR"}


def test_time_passes_as_told_and_is_billed_from_the_start_on(hub: Emulator) -> None:
    hub.plan = Plan(queue_s=3600, start_s=20, run_s=59 * 60)
    job = hub.jobs[run_job(hub, flavor="l40sx1", timeout="2h").id]
    stages = []
    for seconds in (1800, 1810, 30, 59 * 60):
        hub.clock.advance(seconds)
        stages.append(job.outcome()[0])

    assert stages == ["SCHEDULING", "SCHEDULING", "RUNNING", "COMPLETED"]
    assert job.durations() == {"schedulingSecs": 3620, "runningSecs": 3540, "totalSecs": 7160}
    assert job.bill_micro() == 60 * 30_000


def test_a_job_ends_at_its_timeout(hub: Emulator, running_hub: Emulator) -> None:
    hub.plan = Plan(run_s=1000)
    planned = hub.jobs[run_job(hub).id]
    hub.clock.advance(61)
    assert planned.outcome() == ("ERROR", "Job timeout")

    real = running_hub.jobs[run_job(running_hub, command=["sleep", "60"], timeout=1).id]
    until = time.monotonic() + 10
    while real.finished() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert real.outcome() == ("ERROR", "Job timeout")


def test_cancel_ends_a_real_process(running_hub: Emulator) -> None:
    job = run_job(running_hub, command=["sleep", "60"])

    api(running_hub).cancel_job(job_id=job.id, namespace="ada")

    assert running_hub.jobs[job.id].outcome() == ("CANCELED", None)
    running = running_hub.jobs[job.id].execution
    assert running is not None
    running.close()
    assert running.exit_code != 0


def test_a_secret_is_never_told_again(hub: Emulator) -> None:
    info = run_job(hub, secrets={"HF_TOKEN": "hf_emulated"})

    assert info.secrets == {"HF_TOKEN": ""}
    assert "hf_emulated" not in str(api(hub).inspect_job(job_id=info.id, namespace="ada"))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 503])
def test_a_status_is_answered_once_and_nothing_is_done(hub: Emulator, status: int) -> None:
    hub.faults.add(Fault("POST /api/jobs/ada", status=status, error="because", headers={"x-a": "b"}))

    with pytest.raises(HfHubHTTPError) as raised:
        run_job(hub)

    assert raised.value.response.status_code == status
    assert raised.value.server_message == "because"
    assert raised.value.response.headers["x-a"] == "b"
    assert not hub.jobs
    assert run_job(hub).id in hub.jobs


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        pytest.param(Fault("POST", "drop_before"), "RemoteProtocolError", 0, id="dropped before"),
        pytest.param(Fault("POST", "drop_after"), "RemoteProtocolError", 1, id="dropped after"),
        pytest.param(Fault("POST", "hang"), "ReadTimeout", 0, id="hanging, undone"),
        pytest.param(Fault("POST", "hang", does=True), "ReadTimeout", 1, id="hanging, done"),
    ],
)
def test_a_connection_breaks_before_or_after_the_job_is_made(
    hub: Emulator, fault: Fault, error: str, made: int
) -> None:
    hub.faults.add(fault)
    client = api(hub, 0.3)

    with pytest.raises(Exception) as raised:
        client.run_job(image="i", command=["true"], namespace="ada", timeout=60)

    assert type(raised.value).__name__ == error
    assert len(hub.jobs) == made


def test_a_stream_is_cut_in_the_middle_of_an_event(hub: Emulator) -> None:
    hub.plan = Plan(lines=("one", "two", "three"))
    job = run_job(hub)
    hub.faults.add(Fault("logs", "cut_stream", after=2))

    seen = []
    with pytest.raises(Exception) as raised:
        for line in api(hub).fetch_job_logs(job_id=job.id, namespace="ada"):
            seen.append(line)

    assert seen == ["one"]
    assert type(raised.value).__name__ in ("RemoteProtocolError", "ReadError", "JSONDecodeError")


def test_the_client_follows_a_slow_log_to_its_end(hub: Emulator) -> None:
    hub.plan = Plan(lines=("one", "two"), run_s=0.3)
    job = run_job(hub)
    hub.faults.add(Fault("logs", "slow_stream", seconds=0.1))

    assert list(api(hub).fetch_job_logs(job_id=job.id, namespace="ada", follow=True)) == ["one", "two"]


def test_a_wrong_clock_shows_in_every_stamp_and_in_no_duration(hub: Emulator) -> None:
    hub.clock.skew_s = 7200
    before = time.time()
    info = run_job(hub)
    seen = api(hub).inspect_job(job_id=info.id, namespace="ada")

    assert seen.created_at and seen.durations
    assert 7100 < seen.created_at.timestamp() - before < 7300
    assert seen.durations.total_secs == 0


def test_a_new_job_can_be_missing_from_listings_for_a_while(hub: Emulator) -> None:
    hub.listed_after_s = 30
    info = run_job(hub)

    assert list(api(hub).list_jobs(namespace="ada")) == []
    assert api(hub).inspect_job(job_id=info.id, namespace="ada").id == info.id
    hub.clock.advance(31)
    assert [found.id for found in api(hub).list_jobs(namespace="ada")] == [info.id]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"flavor": "a1000"}, 400, id="unknown hardware"),
        pytest.param({"timeout": -5}, 400, id="a timeout below zero"),
        pytest.param({"labels": {"a b": "c"}}, 400, id="a label with a space"),
        pytest.param({"namespace": "nobody"}, 404, id="another's namespace"),
    ],
)
def test_what_the_service_would_not_take_is_refused(hub: Emulator, changes: dict[str, Any], status: int) -> None:
    with pytest.raises(HfHubHTTPError) as raised:
        run_job(hub, **changes)

    assert raised.value.response.status_code == status
    assert not hub.jobs


def test_without_a_token_nothing_is_told(hub: Emulator) -> None:
    with pytest.raises(HfHubHTTPError) as raised:
        HfApi(endpoint=hub.url, token=False).inspect_job(job_id="a", namespace="ada")

    assert raised.value.response.status_code == 401


def test_a_fault_that_could_never_happen_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Fault("POST", "drop_befor")
    with pytest.raises(ValueError, match="no such fault"):
        Fault("POST", "status")
