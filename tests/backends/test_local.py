"""One local job: what it is given, what ends it, what is told of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from backends.local_harness import ON_LINUX, WHY_LINUX, Harness
from mlresearch import backends
from mlresearch.backends import JobRef, SourceFile
from mlresearch.errors import BackendError, NotFound, UsageError

LINUX = pytest.mark.skipif(not ON_LINUX, reason=WHY_LINUX)

# Leaves its session and its parent, ignores SIGTERM, and says its process id.
ESCAPE = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open("escaped.tmp", "w") as file:
        file.write(str(os.getpid()))
    os.rename("escaped.tmp", "escaped")
    time.sleep(60)
while not os.path.exists("escaped"):
    time.sleep(0.01)
"""


def test_a_job_runs_in_its_out_folder_and_leaves_its_log_and_its_report(local: Harness) -> None:
    report = local.run("print('val_accuracy: 0.97'); open('model.txt', 'w').write('weights')")

    assert (report.stage, report.exit_code, report.billed_s, report.message) == ("COMPLETED", 0, 1, "")
    assert report.submitted_at and report.started_at and report.ended_at
    assert report.submitted_at <= report.started_at <= report.ended_at
    assert report.peak_memory_mb
    assert local.lines() == ["val_accuracy: 0.97"]
    assert local.out("model.txt").read_text() == "weights"


@pytest.mark.parametrize(
    ("source", "stage", "code", "message"),
    [
        pytest.param("", "COMPLETED", 0, "", id="an empty script"),
        pytest.param("raise SystemExit(3)", "FAILED", 3, "exit code 3", id="its own code"),
        pytest.param("1 / 0", "FAILED", 1, "exit code 1", id="an exception"),
        pytest.param("import os; os.kill(os.getpid(), 11)", "FAILED", 139, "SIGSEGV", id="a crash"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "FAILED", 137, "memory", id="killed from outside"),
    ],
)
def test_the_end_of_a_job_is_told_as_it_was(local: Harness, source: str, stage: str, code: int, message: str) -> None:
    report = local.run(source)

    assert (report.stage, report.exit_code) == (stage, code)
    assert message in report.message


@LINUX
def test_a_timeout_ends_a_grandchild_that_left_the_session_and_ignores_sigterm(local: Harness) -> None:
    report = local.run(ESCAPE + "time.sleep(60)", timeout_s=1)

    assert report.stage == "TIMEOUT"
    assert "1s" in report.message
    assert local.out("escaped").read_text()
    assert not local.members()


@LINUX
def test_nothing_outlives_a_job_that_ends_by_itself(local: Harness) -> None:
    report = local.run(ESCAPE)

    assert report.stage == "COMPLETED"
    assert local.out("escaped").read_text()
    assert not local.members()


def test_a_job_may_save_its_work_between_sigterm_and_sigkill(local: Harness) -> None:
    source = """
import signal, sys, time
def save(*_):
    open("saved", "w").write("checkpoint")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
time.sleep(60)
"""
    report = local.run(source, timeout_s=1)

    assert (report.stage, report.exit_code) == ("TIMEOUT", 0)
    assert local.out("saved").read_text() == "checkpoint"


@LINUX
def test_memory_is_limited_for_the_whole_tree(local: Harness) -> None:
    source = """
import os, time
for _ in range(2):
    os.fork()
held = b"x" * (40 << 20)
time.sleep(60)
"""
    report = local.run(source, memory_mb=120)  # no process of the four passes it alone

    assert report.stage == "OOM"
    assert "limit 120 MB" in report.message
    assert report.peak_memory_mb and report.peak_memory_mb > 120
    assert not local.members()


def test_without_a_memory_limit_a_job_gets_three_quarters_of_the_machine(local: Harness) -> None:
    local.run("")

    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = local.record("spec")["memory_mb"]
    assert isinstance(limit, int)
    assert 0 < limit <= machine * 0.75 / 2**20


def test_a_job_is_canceled_on_request_and_stays_canceled(local: Harness) -> None:
    ref = local.start("import time; print('up'); time.sleep(60)")
    lines = local.backend.logs(ref, follow=True)
    assert next(lines) == "up"
    assert local.backend.inspect(ref).stage == "RUNNING"
    local.backend.cancel(ref)

    assert local.ended(ref).stage == "CANCELED"
    local.backend.cancel(ref)
    assert local.backend.inspect(ref).stage == "CANCELED"


def test_a_job_that_has_ended_is_not_changed_by_a_cancel(local: Harness) -> None:
    ref = local.start("print('done')")
    before = local.ended(ref)
    local.backend.cancel(ref)

    assert local.backend.inspect(ref) == before


def test_lines_are_told_while_the_job_runs(local: Harness) -> None:
    source = """
import os, time
print("first")
while not os.path.exists("go"):
    time.sleep(0.01)
print("last", end="")
"""
    ref = local.start(source)
    lines = local.backend.logs(ref, follow=True)

    assert next(lines) == "first"
    report = local.backend.inspect(ref)
    assert (report.stage, report.ended_at, report.exit_code) == ("RUNNING", None, None)
    assert report.started_at is not None
    assert local.lines() == ["first"]
    local.out("go").touch()
    assert list(lines) == ["last"]


def test_a_long_log_is_complete_and_bytes_that_are_not_utf8_are_replaced(local: Harness) -> None:
    source = r"""
import os, sys
for number in range(20_000):
    print(number, "x" * 95)
sys.stdout.flush()
os.write(1, b"caf\xe9\r\nstep 1\rstep 2\n")
os.write(2, "to stderr: ü".encode())
"""
    local.run(source)

    lines = local.lines()
    assert lines[:20_000] == [f"{number} {'x' * 95}" for number in range(20_000)]
    assert lines[20_000:] == ["caf\N{REPLACEMENT CHARACTER}", "step 1", "step 2", "to stderr: ü"]


def test_a_job_runs_the_submitted_bytes_whatever_happens_to_the_file(local: Harness) -> None:
    script = local.path("train.py")
    script.write_text("import helper.names; print(helper.names.NAME)")
    files = (
        SourceFile("train.py", script.read_bytes()),
        SourceFile("helper/names.py", b"NAME = 'submitted'"),
    )
    ref = local.start("", files=files)
    script.write_text("print('changed')")
    local.ended(ref)

    assert local.lines() == ["submitted"]
    described = local.record("spec")["files"]
    assert described == [{"path": file.path, "sha256": file.sha256, "size": len(file.content)} for file in files]


def test_own_hardware_is_free_and_a_gpu_is_a_flavor_where_there_is_one(local: Harness, tmp_path: Path) -> None:
    assert backends.get("local", local.root).prices() == {"cpu": 0}
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'GPU 0: a device (UUID: GPU-1)'\n")
    program.chmod(0o755)

    assert backends.get("local", local.root).prices() == {"cpu": 0, "gpu": 0}
    report = Harness(local.root).run("import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))", flavor="gpu")
    assert report.stage == "COMPLETED"
    assert local.lines() == [str(os.environ.get("CUDA_VISIBLE_DEVICES"))]


def test_a_job_inherits_no_open_file_but_its_log(local: Harness) -> None:
    source = """
import os
for number in range(3, 100):
    try:
        os.fstat(number)
    except OSError:
        continue
    print("open:", number)
print(os.fstat(1).st_ino == os.fstat(2).st_ino, os.read(0, 1))
"""
    local.run(source)

    assert local.lines() == ["True b''"]  # above all not the lock, which it could give away


def test_jobs_are_listed_found_by_label_and_unknown_ones_are_not_found(local: Harness) -> None:
    refs = [local.start("", job=name, label=f"label/{name}") for name in ("b", "a")]

    assert local.backend.list() == sorted(refs, key=lambda ref: ref.job_id)
    assert local.backend.find("label/b") == JobRef("local", "b", None)
    assert local.backend.find("label/c") is None
    for stranger in (JobRef("local", "c", None), JobRef("hf", "a", None), JobRef("local", "..", None)):
        for ask in (local.backend.inspect, local.backend.logs, local.backend.cancel):
            with pytest.raises(NotFound):
                ask(stranger)


def test_a_backend_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="local"):
        backends.get("slum", ".")


def test_a_record_that_was_damaged_is_an_error_and_not_a_guess(local: Harness) -> None:
    ref = local.start("")
    local.ended(ref)
    Path(local.folder().path, "exit.json").write_text('{"stage": "COMP')

    with pytest.raises(BackendError, match=r"exit\.json"):
        local.backend.inspect(ref)
    Path(local.folder().path, "exit.json").unlink()


def test_a_report_is_plain_data(local: Harness) -> None:
    report = asdict(local.run("print('x')"))

    assert json.loads(json.dumps(report)) == report
    assert report["stage"] in backends.ENDED
    assert set(backends.ENDED) | {"QUEUED", "RUNNING"} == set(backends.STAGES)
