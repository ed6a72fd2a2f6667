"""Local jobs under kill -9 and under several submitters at once: none lost, none started twice."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from backends.local_harness import ON_LINUX, WHY_LINUX, Harness, until
from mlresearch.backends import JobRef, job_folder
from mlresearch.backends.local import RUNNER
from mlresearch.errors import BackendError, NotFound, Unavailable

LINUX = pytest.mark.skipif(not ON_LINUX, reason=WHY_LINUX)

# A job says by itself that it started, whatever the records say.
COUNTED = """
import os
with open(os.environ["ML_RESEARCH_ROOT"] + "/starts of " + os.environ["ML_RESEARCH_JOB"], "a") as file:
    file.write("started\\n")
"""


def starts(harness: Harness, job: str) -> int:
    path = harness.path(f"starts of {job}")
    return len(path.read_text().splitlines()) if path.exists() else 0


def is_started_after_a_kill(harness: Harness, job: str) -> bool:
    """Whether find() and reality agree that the job started; then submit again and count the starts."""
    found = harness.backend.find(f"label of {job}")
    if found is None:
        assert not harness.folder(job).held()
        assert starts(harness, job) == 0
        with pytest.raises(NotFound):
            harness.backend.inspect(JobRef("local", job, None))
    else:
        assert harness.ended(found).stage == "COMPLETED"
        assert starts(harness, job) == 1
    assert harness.run(COUNTED, job=job).stage == "COMPLETED"
    assert starts(harness, job) == 1
    return found is not None


def test_a_submitter_killed_at_any_line_starts_its_job_once_or_not_at_all(
    local: Harness, request: pytest.FixtureRequest
) -> None:
    counted = local.submitter(COUNTED, "counted", KILL_AT_LINE="0")
    lines = int(counted.communicate()[0].split()[-1])
    assert lines > 100
    step = 1 if request.config.getoption("--long") else lines // 20
    outcomes = {}
    for line in sorted({*range(1, lines + 1, step), *range(lines - 9, lines + 1)}):
        killed = local.submitter(COUNTED, f"line-{line}", KILL_AT_LINE=str(line))
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        outcomes[line] = is_started_after_a_kill(local, f"line-{line}")

    assert set(outcomes.values()) == {False, True}
    assert list(outcomes.values()) == sorted(outcomes.values())  # once started, started


def test_a_submitter_killed_at_any_moment_starts_its_job_once_or_not_at_all(local: Harness) -> None:
    for delay_ms in range(0, 60, 3):
        killed = local.submitter(COUNTED, f"after-{delay_ms}-ms")
        assert killed.stdout
        assert killed.stdout.readline() == "ready\n"
        time.sleep(delay_ms / 1000)
        killed.kill()
        killed.communicate()
        is_started_after_a_kill(local, f"after-{delay_ms}-ms")


@LINUX
def test_a_runner_killed_at_any_moment_never_starts_its_job_twice(local: Harness) -> None:
    victims = set()
    for turn in range(20):
        job = f"turn-{turn}"
        submitter = local.submitter(COUNTED + "import time; time.sleep(0.05)", job)
        assert submitter.stdout
        assert submitter.stdout.readline() == "ready\n"
        time.sleep(0.004 * turn)
        for pid in list(local.runner_processes(job))[: 1 + turn % 2]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                victims.add(pid)
        submitter.communicate()
        found = local.backend.find(f"label of {job}")
        report = local.run(COUNTED, job=job)
        assert found is not None or report.stage == "COMPLETED"
        assert starts(local, job) == 1 or (starts(local, job) == 0 and report.stage == "LOST")

    assert victims
    until(lambda: not local.members())  # the last one may still be on its way out


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_a_job_outlives_its_submitter_and_the_submitters_session(local: Harness, number: int) -> None:
    source = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nraise SystemExit(5)"
    submitter = local.submitter(source + COUNTED, "job")
    assert submitter.stdout
    until(lambda: local.backend.find("label of job") is not None)
    try:
        os.killpg(submitter.pid, number)
    except ProcessLookupError:
        assert submitter.poll() == 0
    submitter.communicate()
    local.out("go").touch()

    report = local.ended(local.backend.list()[0])
    assert (report.stage, report.exit_code) == ("FAILED", 5)


def test_eight_submitters_of_one_spec_start_one_job(local: Harness) -> None:
    submitters = [local.submitter(COUNTED) for _ in range(8)]
    for submitter in submitters:
        submitter.communicate()

    assert [submitter.returncode for submitter in submitters] == [0] * 8
    assert local.ended(local.backend.list()[0]).stage == "COMPLETED"
    assert starts(local, "job") == 1


def test_a_job_name_that_another_label_has_taken_is_refused(local: Harness) -> None:
    first = local.start("print('first')", label="one")
    local.ended(first)

    with pytest.raises(BackendError, match="'one'"):
        local.start("print('second')", label="two")
    assert local.backend.find("two") is None
    assert local.lines() == ["first"]


@LINUX
@pytest.mark.parametrize("victim", ["guard", "watcher"])
def test_a_runner_killed_by_sigkill_takes_its_whole_job_with_it(local: Harness, victim: str) -> None:
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    open("up", "w").write("1")
time.sleep(60)
"""
    ref = local.start(source)
    local.await_file(local.out("up"))
    guard, watcher = local.runners()
    os.kill(guard if victim == "guard" else watcher, signal.SIGKILL)

    report = local.ended(ref)
    assert report.stage == "LOST"
    assert 1 <= report.billed_s < 60
    assert not local.members()
    assert local.backend.find("label of job") == ref
    assert local.start(source) == ref
    assert not local.members()


@LINUX
def test_a_runner_and_guard_killed_together_leave_a_lost_job_and_no_first_process(local: Harness) -> None:
    ref = local.start("import time; open('up', 'w').write('1'); time.sleep(60)", timeout_s=2)
    local.await_file(local.out("up"))
    for pid in local.runners():
        os.kill(pid, signal.SIGKILL)

    report = local.ended(ref)
    assert (report.stage, report.ended_at) == ("LOST", None)
    assert not local.folder().held()
    until(lambda: not local.members())
    assert local.backend.inspect(ref).billed_s <= 3


def test_a_job_without_an_end_is_lost_after_a_reboot(local: Harness) -> None:
    ref = local.start("")
    local.ended(ref)
    Path(local.folder().path, "exit.json").unlink()  # what a machine that went down leaves

    report = local.backend.inspect(ref)
    assert (report.stage, report.exit_code) == ("LOST", None)


@LINUX
def test_a_runner_that_is_told_to_end_reports_a_preempted_job(local: Harness) -> None:
    ref = local.start("import time; open('up', 'w').write('1'); time.sleep(60)")
    local.await_file(local.out("up"))
    os.kill(local.runners()[1], signal.SIGTERM)

    assert local.ended(ref).stage == "PREEMPTED"
    assert not local.members()


def test_a_message_that_was_cut_short_starts_nothing(tmp_path: Path) -> None:
    message = json.dumps({"command": ["/bin/true"], "environment": {}, "out": str(tmp_path)})
    for cut in ("", message[:-1], message[:20]):
        with open(tmp_path / "lock", "w") as lock:
            runner = subprocess.run(
                [sys.executable, "-S", "-E", RUNNER, str(tmp_path), str(lock.fileno())],
                input=cut.encode(),
                pass_fds=[lock.fileno()],
                capture_output=True,
                check=False,
            )
        assert runner.returncode != 0
        assert os.listdir(tmp_path) == ["lock"]


def test_a_submit_that_can_not_write_says_so_and_starts_nothing(local: Harness) -> None:
    local.path("runs").write_text("a file where the folder should be")

    with pytest.raises(BackendError, match="runs"):
        local.start("")


def test_find_waits_for_a_submit_under_way_and_never_guesses(local: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = local.folder()
    os.makedirs(folder.path)
    with open(folder.path + "/lock", "w") as lock:  # a submitter that has written nothing yet
        fcntl.flock(lock, fcntl.LOCK_EX)
        answers: list[object] = []
        asking = threading.Thread(target=lambda: answers.append(local.backend.find("label of job")))
        asking.start()
        time.sleep(0.1)
        assert answers == []
        monkeypatch.setattr(job_folder, "LOCK_WAIT_S", 0.1)
        with pytest.raises(Unavailable, match="not ended"):
            local.backend.find("label of job")
        with pytest.raises(Unavailable, match="not ended"):
            local.start("")
    asking.join()

    assert answers == [None]
    assert local.run("").stage == "COMPLETED"


def test_the_runner_needs_nothing_but_an_old_python() -> None:
    sources = [Path(RUNNER), Path(RUNNER).with_name("process_tree.py")]
    imported = set()
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(), feature_version=(3, 9))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}

    assert {"json", "process_tree"} <= imported
    assert imported - {"process_tree"} <= sys.stdlib_module_names
