"""What the model's shell gets through a broker, and what happens when either of them dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backends.hf_harness import TOKEN
from broker_mode.household import LONG_S, SESSION, SUBMIT, Household, until
from cli.commands import REPO
from fakes.hf_jobs import Plan
from mlresearch import presence
from mlresearch.broker import records


def test_a_submit_without_a_token_is_done_by_the_broker_and_answered_as_if_done_here(house: Household) -> None:
    house.approve()
    house.start()
    assert set(house.done("jobs.py", "hardware", "--backend", "hf")["flavors"]) >= {"cpu-basic", "l40sx1"}
    done = house.done("jobs.py", *SUBMIT)
    assert done["job"] == "j0001"
    assert [row["event"] for row in house.ledger()][-2:] == ["reserved", "submitted"]
    assert len(house.hub.jobs) == 1
    assert not [path for path in house.queue.iterdir() if path.name != presence.SIGN]


def test_without_a_broker_the_same_command_runs_directly(house: Household) -> None:
    code, _, err = house.run("campaign.py", "status")
    assert code == 2
    assert "no program" in err or "not approved" in err or "no approved" in err
    assert not house.queue.exists()


def test_a_persons_own_command_does_not_go_through_the_broker(house: Household) -> None:
    house.approve()
    house.start()
    assert house.run("jobs.py", "list", session="")[0] == 0
    assert "list" not in house.log.read_text()


def test_an_approval_is_never_forwarded(house: Household) -> None:
    house.approve()
    house.start()
    house.run("program.py", "revoke")
    assert "revoke" not in house.log.read_text()


def test_a_session_may_not_start_a_broker(house: Household) -> None:
    code, _, err = house.run("broker.py", "run")
    assert (code, "their own terminal" in err) == (2, True)


def test_only_one_broker_serves_a_project(house: Household) -> None:
    house.start()
    second = house.start()
    assert second.wait(LONG_S) == 2
    assert "another process holds" in house.log.read_text()


def test_a_broker_does_not_start_where_the_model_could_change_what_it_runs(house: Household) -> None:
    house.root = REPO
    assert house.start().wait(LONG_S) == 2
    assert "the plugin lies in" in house.log.read_text()
    house.root = house.top / "project"


def test_after_its_end_commands_run_directly_again(house: Household) -> None:
    house.approve()
    assert house.stop(house.start()) == 0
    assert not presence.is_served(str(house.root))
    assert house.run("jobs.py", "list")[0] == 0


def test_a_long_wait_does_not_block_others(house: Household) -> None:
    house.approve()
    house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    house.hub.plans = [Plan(run_s=3000)]
    job = house.done("jobs.py", *SUBMIT)["job"]
    with house.shell("jobs.py", "wait", "--job", job) as waiting:
        until(lambda: bool([*house.queue.glob("*.taken")]), "the wait is not taken")
        assert [found["job"] for found in house.done("jobs.py", "list")["jobs"]] == [job]
        assert waiting.poll() is None
        house.done("jobs.py", "cancel", "--job", job)
        out, _ = waiting.communicate(timeout=LONG_S)
    assert "CANCEL" in out


def test_a_killed_broker_is_told_of_and_the_request_is_withdrawn(house: Household) -> None:
    house.approve()
    broker = house.start()
    broker.send_signal(signal.SIGSTOP)  # alive, and takes nothing
    with house.shell("jobs.py", "list", "--json") as asking:
        until(lambda: bool([*house.queue.glob("*.request")]), "nothing is asked")
        broker.kill()
        out, err = asking.communicate(timeout=LONG_S)
    assert asking.returncode == 1
    assert "nothing was done" in json.loads(out)["error"]
    assert "broker.py run" in err
    assert not [*house.queue.glob("*.request")]


@pytest.mark.parametrize("died", ["before it was executed", "after it was executed", "after the answer was kept"])
def test_a_request_is_never_executed_twice_whenever_the_broker_died(house: Household, died: str) -> None:
    house.approve()
    house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    name = "ab" * 16
    with house.forged(house.call("jobs.py", *SUBMIT), name) as path:
        first = house.answer(path)
        Path(f"{path}.answer").unlink()
        record = Path(records._path(str(house.root), name))
        if died != "after the answer was kept":
            record.write_bytes(b"")
        house.brokers[0].kill()
        house.brokers[0].wait()
        house.start()
        again = house.answer(path)
    assert first[0] == 0
    assert again == (first if died == "after the answer was kept" else (1, "", records.UNKNOWN.stderr))
    assert len(house.hub.jobs) == 1


def test_a_submit_under_way_when_the_broker_is_killed_is_not_done_again(house: Household) -> None:
    house.approve()
    broker = house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    with house.shell("jobs.py", *SUBMIT, "--json") as asking:
        until(lambda: "reserved" in [row["event"] for row in house.ledger()], "nothing is reserved")
        broker.kill()
        out, _ = asking.communicate(timeout=LONG_S)
    assert asking.returncode == 1
    assert "nobody knows how far it came" in json.loads(out)["error"]
    until(lambda: bool(house.hub.jobs), "what the broker had begun ends by itself")
    house.start()
    code, _, err = house.run("jobs.py", *SUBMIT, "--json")
    assert (code, "next: jobs.py reconcile" in err) == (1, True)
    house.done("jobs.py", "reconcile")
    assert [row["job"] for row in house.ledger() if row["event"] in ("submitted", "adopted")] == ["j0001"]
    assert len(house.hub.jobs) == 1
    assert house.done("jobs.py", *SUBMIT)["job"] == "j0002"


def test_what_leaves_a_process_behind_is_answered_at_once(house: Household) -> None:
    house.approve()
    house.start()
    house.done("jobs.py", "watch", "--idle", "5s")


def test_the_same_submit_after_its_asker_died_gets_the_first_ones_answer(house: Household) -> None:
    house.approve()
    house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    with house.shell("jobs.py", *SUBMIT, "--json") as asking:
        until(lambda: bool([*house.queue.glob("*.taken")]), "nothing is taken")
        asking.kill()
        asking.communicate(timeout=LONG_S)
    assert house.done("jobs.py", *SUBMIT)["job"] == "j0001"
    assert len(house.hub.jobs) == 1
    assert house.done("jobs.py", *SUBMIT)["job"] == "j0002"


def test_a_request_without_anybody_waiting_for_it_is_dropped(house: Household) -> None:
    house.approve()
    house.start()
    path = house.queue / ("cd" * 16 + ".request")
    path.write_text(json.dumps(house.call("jobs.py", "list")))
    until(lambda: not path.exists(), "the request stays")
    assert not [*house.queue.glob("*.answer")]


def test_an_answer_holds_no_token_even_where_the_command_printed_it(house: Household) -> None:
    """The fixture looks for it in every file and answer."""
    house.approve()
    house.start("--secret", "HF_TOKEN")
    house.done("jobs.py", "hardware", "--backend", "hf")
    house.hub.plans = [Plan(queue_s=0, start_s=0, run_s=1, lines=(f"login with {TOKEN}",))]
    job = house.done("jobs.py", *SUBMIT, "--secret", "HF_TOKEN")["job"]
    house.hub.clock.advance(3600)
    assert "login with" in " ".join(house.done("jobs.py", "logs", "--job", job)["lines"])


def test_a_session_is_told_at_its_start_that_a_broker_serves(house: Household) -> None:
    house.approve()
    call = json.dumps({"cwd": str(house.root), "session_id": SESSION}).encode()

    def told() -> str:
        entry = [sys.executable, "-I", "-S", str(REPO / "scripts" / "context.py")]
        env = house.environment()
        return subprocess.run(entry, input=call, env=env, capture_output=True, check=True).stdout.decode()

    assert "Broker mode" not in told()
    house.start()
    assert "Broker mode" in told()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: bubblewrap")
@pytest.mark.parametrize("read_only", [True, False])
def test_only_a_shell_that_can_not_write_the_store_is_confined(house: Household, read_only: bool) -> None:
    """A mount of its own, as a sandbox makes it; without one the command simply runs."""
    house.approve()
    store = house.data / "ml-research"
    closed = ["--ro-bind", str(store), str(store)] if read_only else []
    mount = ["bwrap", "--bind", "/", "/", "--dev", "/dev", *closed]
    words = [sys.executable, str(REPO / "scripts" / "jobs.py"), "submit", "--backend", "local", "--script", "train.py"]
    done = subprocess.run(
        [*mount, *words, "--flavor", "cpu", "--timeout", "9h"],
        cwd=house.root,
        env=house.environment(CLAUDE_CODE_SESSION_ID=SESSION),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert ("no broker serves" in done.stderr) is read_only, done.stderr
