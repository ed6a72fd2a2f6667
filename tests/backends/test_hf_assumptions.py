"""What the hf backend takes for granted of huggingface_hub, compared with the one that is installed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi, JobInfo, JobStage, JobStatus
from huggingface_hub._jobs_api import DEFAULT_UV_IMAGE, TERMINAL_JOB_STAGES, JobDurations, JobHardwareInfo

from backends.hf_harness import REPO, backend, spec
from fakes.hf_jobs import Emulator, Plan
from fakes.hf_jobs.prices import HARDWARE
from mlresearch.backends import ENDED, STAGES, hf_report
from mlresearch.backends.hf import CLIENT_VERSION
from mlresearch.backends.hf_spec import UV_IMAGE

RUN_JOB = {"image", "command", "env", "secrets", "flavor", "timeout", "labels", "namespace"}


def test_the_installed_client_is_the_one_whose_calls_were_measured() -> None:
    assert huggingface_hub.__version__ == CLIENT_VERSION


def test_every_place_that_pins_the_client_pins_that_one() -> None:
    places = [REPO / "tests" / "requirements.in", *(REPO / "scripts").glob("*.py")]
    pins = [pin for place in places for pin in re.findall(r"huggingface_hub==([\w.]+)", Path(place).read_text())]

    assert set(pins) == {CLIENT_VERSION}


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("run_job", RUN_JOB),
        ("inspect_job", {"job_id", "namespace"}),
        ("cancel_job", {"job_id", "namespace"}),
        ("fetch_job_metrics", {"job_id", "namespace", "follow"}),
        ("list_jobs_hardware", set()),
        ("whoami", set()),
    ],
)
def test_the_calls_take_what_we_pass(call: str, parameters: set[str]) -> None:
    assert parameters <= set(inspect.signature(getattr(HfApi, call)).parameters)


def test_the_stages_are_those_that_we_know() -> None:
    assert set(hf_report.STAGES) == {stage.value for stage in JobStage}
    assert set(hf_report.OVER) == {stage.value for stage in TERMINAL_JOB_STAGES}
    assert set(hf_report.STAGES.values()) <= set(STAGES)
    assert {hf_report.STAGES[stage] for stage in hf_report.OVER} <= set(ENDED)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (JobInfo, {"id", "created_at", "started_at", "finished_at", "flavor", "labels", "secrets", "status", "url"}),
        (JobInfo, {"durations", "owner"}),
        (JobStatus, {"stage", "message"}),
        (JobDurations, {"scheduling_secs", "running_secs", "total_secs"}),
        (JobHardwareInfo, {"name", "unit_cost_micro_usd", "unit_cost_usd", "unit_label"}),
    ],
)
def test_the_answers_have_the_fields_that_we_read(kind: type, fields: set[str]) -> None:
    assert fields <= set(inspect.get_annotations(kind))


def test_the_client_tells_neither_cost_nor_timeout_of_a_job() -> None:
    """If it one day does, the bill and the stage should come from there."""
    told = set(inspect.get_annotations(JobInfo))

    assert not {name for name in told if re.search(r"cost|price|bill|timeout", name)}


def test_the_image_for_scripts_is_the_clients_own() -> None:
    assert UV_IMAGE == DEFAULT_UV_IMAGE


def test_the_emulator_sells_the_hardware_that_the_client_knows() -> None:
    assert set(HARDWARE) == {flavor.value for flavor in huggingface_hub._jobs_api.JobHardware}


def test_the_client_calls_the_paths_that_the_emulator_serves(hub: Emulator) -> None:
    hub.plan = Plan(run_s=60)
    engine = backend(hub)
    engine.prices()
    ref = engine.submit(spec(namespace=None))
    engine.metrics(ref)
    engine.cancel(ref)
    list(engine.logs(ref))

    job = next(iter(hub.jobs))
    assert list(dict.fromkeys(hub.requests)) == [
        "GET /api/jobs/hardware",
        "GET /api/whoami-v2",
        "GET /api/jobs/ada",
        "POST /api/jobs/ada",
        f"GET /api/jobs/ada/{job}",
        f"GET /api/jobs/ada/{job}/metrics",
        f"POST /api/jobs/ada/{job}/cancel",
        f"GET /api/jobs/ada/{job}/logs",
    ]


def test_a_submit_has_the_form_that_the_service_documents(hub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "swordfish")
    backend(hub).submit(spec(secrets=("PIN",)))

    assert set(hub.bodies[0]) == {
        "command",
        "arguments",
        "environment",
        "flavor",
        "secrets",
        "timeoutSeconds",
        "labels",
        "dockerImage",
    }


def test_the_session_is_shared_and_has_no_timeout_of_its_own(hub: Emulator) -> None:
    """Which is why each call sets one."""
    huggingface_hub.close_session()
    assert huggingface_hub.get_session().timeout.read is None

    backend(hub).prices()

    assert huggingface_hub.get_session().timeout.read == 20.0


def test_errors_carry_what_we_read_of_them(hub: Emulator) -> None:
    error = huggingface_hub.errors.HfHubHTTPError
    assert {"response", "server_message"} <= set(inspect.signature(error.__init__).parameters)
    assert issubclass(huggingface_hub.errors.LocalTokenNotFoundError, EnvironmentError)
    assert huggingface_hub.errors.OfflineModeIsEnabled.__name__ == "OfflineModeIsEnabled"
