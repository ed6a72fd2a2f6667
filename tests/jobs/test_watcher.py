"""The watcher as a process: one for a root, killed at any moment, and what it tells is told once."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from fakes import watchers
from fakes.toy_project import Toy
from mlresearch import jobs, ledger
from mlresearch.backends.local import LocalBackend
from mlresearch.jobs import Order, events, notices, watcher

SECRET = "hf_" + "NobodysTokenForAWatcher0123456789"
FAST = ("--every", "1s")


class Watched(Toy):
    """A toy whose commands also see what a person put into their environment."""

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in (notices.VARIABLE, "HF_TOKEN") if name in os.environ}
        return {**super().environment(), **kept}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    made = Watched(tmp_path)
    made.use(monkeypatch)
    made.write()
    made.approve()
    yield made
    watchers.end(made.path)
    made.end_jobs()


def submit(toy: Toy, seconds: float = 0.0) -> str:
    script = toy.root / "free.py"
    script.write_text(f"import time; time.sleep({seconds}); print('done')\n")
    order = Order(backend="local", script=str(script), flavor="cpu", timeout_s=60)
    return jobs.submit(toy.path, order, LocalBackend(toy.path)).job


def watch(toy: Toy, *words: str) -> dict[str, Any]:
    done = toy.run("jobs.py", "watch", *FAST, *words, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def is_settled(toy: Toy) -> bool:
    return not toy.standing().open


def settled_events(toy: Toy) -> Counter[object]:
    return Counter(one["job"] for one in watchers.told(toy.path, "settled"))


def test_it_settles_jobs_tells_each_once_and_ends_by_itself(toy: Toy) -> None:
    names = [submit(toy, 0.5), submit(toy)]

    answer = watch(toy, "--idle", "1s")
    watchers.until(lambda: not watcher.is_watching(toy.path), "its end")

    assert answer["already"] is False
    assert is_settled(toy)
    assert settled_events(toy) == Counter(names)
    assert [one["event"] for one in events.read(toy.path)[0]][-2:] == ["idle", "unwatched"]
    assert "no job was open" in str(watchers.told(toy.path, "unwatched")[0]["why"])


def test_it_lives_in_a_session_of_its_own_and_goes_on_after_the_command_that_started_it(toy: Toy) -> None:
    answer = watch(toy)  # the command has ended when this returns
    name = submit(toy)
    watchers.until(lambda: is_settled(toy), "the settling")

    assert os.getsid(answer["pid"]) == answer["pid"]
    assert settled_events(toy)[name] <= 1
    assert watcher.is_watching(toy.path)


def test_of_several_started_at_once_exactly_one_stays(toy: Toy) -> None:
    submit(toy, 1)
    starts = [toy.start("jobs.py", "watch", *FAST, "--json") for _ in range(5)]
    told = [start.communicate(timeout=watchers.PATIENCE_S) for start in starts]

    assert [start.returncode for start in starts] == [0] * 5, told
    answers = [json.loads(out) for out, _ in told]
    assert Counter(answer["already"] for answer in answers) == {True: 4, False: 1}
    assert len(watchers.told(toy.path, "watching")) == 1
    assert watcher.is_watching(toy.path)
    assert watch(toy)["already"] is True


def test_killed_at_random_it_loses_nothing_and_repeats_nothing(toy: Toy) -> None:
    draw = random.Random(7)
    names = []
    toy.write({"Budget envelope": {"max_parallel": 10}})  # as many as this test starts: none waits for another
    toy.approve()
    for _ in range(5):
        names += [submit(toy, draw.random()), submit(toy)]
        watch(toy)
        time.sleep(draw.random())
        watchers.end(toy.path)
        with open(events.path_of(toy.path), "ab") as file:
            file.write(b'{"ts": 1, "event": "sett')  # what a kill in the middle of a write leaves

    watch(toy, "--idle", "1s")
    watchers.until(lambda: not watcher.is_watching(toy.path), "its end")

    assert ledger.verify(toy.path) == []
    assert Counter(row["job"] for row in toy.rows("settled")) == Counter(names)
    # a job that ended while nobody watched is told by the next one: the first has noted from where on
    assert settled_events(toy) == Counter(names)


def test_alerts_and_a_lost_loss_are_told_once_though_the_watcher_is_killed(toy: Toy) -> None:
    script = toy.root / "free.py"
    go_on = toy.root / "go on"
    lines = ("step 1 loss 0.5", "[TRACKIO WARN] odd: a title (step 1)", "[TRACKIO INFO] fine", "step 2 loss nan")
    script.write_text(
        f"import os, time\nfor line in {lines!r}: print(line, flush=True)\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.05)\n"
        "print('[TRACKIO ERROR] lost: for good', flush=True)\n"
    )
    order = Order(backend="local", script=str(script), flavor="cpu", timeout_s=120)
    job = jobs.submit(toy.path, order, LocalBackend(toy.path)).job
    for _ in range(2):
        watch(toy)
        watchers.until(lambda: bool(watchers.told(toy.path, "nan")), "the first signs")
        watchers.end(toy.path)
    watch(toy)
    go_on.write_text("")
    watchers.until(lambda: is_settled(toy), "the settling")
    watchers.until(lambda: bool(watchers.told(toy.path, "settled")), "its event")

    told = watchers.told(toy.path, "alert")
    assert [(one["job"], one["level"], one["why"]) for one in told] == [
        (job, "warn", "odd: a title"),
        (job, "error", "lost: for good"),
    ]
    assert [(one["job"], one["step"]) for one in watchers.told(toy.path, "nan")] == [(job, 2)]


def test_told_to_stop_it_stops_and_says_so(toy: Toy) -> None:
    pid = watch(toy)["pid"]
    os.kill(pid, signal.SIGTERM)
    watchers.until(lambda: not watcher.is_watching(toy.path), "its end")

    assert watchers.told(toy.path, "unwatched")[0]["why"] == "it was told to stop"


def test_it_ends_when_its_project_is_gone(toy: Toy) -> None:
    watch(toy)
    aside = toy.root.with_name("aside")
    toy.root.rename(aside)
    watchers.until(lambda: not watcher.is_watching(toy.path), "its end")

    assert not toy.root.exists()
    aside.rename(toy.root)


def test_a_ledger_that_can_not_be_read_is_told_at_the_start(toy: Toy) -> None:
    submit(toy)
    path = Path(ledger.path_of(toy.path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    done = toy.run("jobs.py", "watch", "--json")

    assert done.returncode == 2
    assert "bytes" in json.loads(done.stdout)["error"]
    assert not watcher.is_watching(toy.path)
    path.write_bytes(whole)


def test_a_denial_that_the_guard_noted_is_told_to_a_person_by_their_own_command(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command gets the event on its stdin; secrets of the environment are taken out."""
    teller, heard = tmp_path / "tell me.py", tmp_path / "heard.jsonl"
    teller.write_text(f"import sys; open({str(heard)!r}, 'a').write(sys.stdin.read())\n")
    monkeypatch.setenv(notices.VARIABLE, f"{sys.executable} '{teller}'")
    secret = "swordfish-of-nobody"  # of no token's shape: it goes into this ledger as it is
    monkeypatch.setenv("HF_TOKEN", secret)
    ledger.append(toy.path, "stopped", reason="denied", message="nothing yet")  # before the watcher: no news
    watch(toy)
    ledger.append(toy.path, "stopped", reason="denied", message=f"max_usd: asked $40 with {secret}")
    watchers.until(heard.exists, "the notice")
    watchers.until(lambda: heard.read_text().endswith("\n"), "all of it")

    event = json.loads(heard.read_text().splitlines()[0])
    assert (event["event"], event["reason"]) == ("stopped", "denied")
    assert event["message"] == "max_usd: asked $40 with [redacted]"
    assert secret not in Path(events.path_of(toy.path)).read_text()


@pytest.mark.parametrize("event", ["finalized", "closed", "stopped", "alert"])
def test_the_end_of_a_campaign_and_of_a_task_are_told_to_a_person(event: str) -> None:
    assert notices.wanted({"event": event})
    assert not notices.wanted({"event": "settled"})


def test_a_notice_can_be_posted_to_an_address() -> None:
    heard: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            fault = notices.send(f"http://127.0.0.1:{server.server_port}/hook", {"event": "idle", "why": "ünïcode"})
        finally:
            server.shutdown()
            thread.join()

    assert fault == ""
    assert json.loads(heard[0]) == {"event": "idle", "why": "ünïcode"}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/nowhere/at-all", "FileNotFoundError"),
        (f"{sys.executable} -c 'import sys; sys.exit(3)'", "ended with 3"),
        ("http://127.0.0.1:9/", "URLError"),
        ("unclosed 'quote", "ValueError"),
    ],
)
def test_a_notice_that_fails_is_told_and_raises_nothing(target: str, why: str) -> None:
    assert why in notices.send(target, {"event": "idle"})


def test_a_half_written_event_is_skipped_and_the_next_one_stands_on_its_own_line(tmp_path: Path) -> None:
    root = str(tmp_path)
    events.append(root, "idle", 1, why="a")
    with open(events.path_of(root), "ab") as file:
        file.write(b'{"ts": 2, "event": "id')
    first, offset = events.read(root)
    events.append(root, "idle", 2, why="b")
    second, end = events.read(root, offset)

    assert [one["why"] for one in first] == ["a"]
    assert [one["why"] for one in second] == ["b"]
    assert end == os.path.getsize(events.path_of(root))
    assert events.read(root, end) == ([], end)


@pytest.mark.parametrize(
    "line", [b"[1]", b"null", b'{"event": 3, "seq": 1}', b'{"event": "idle"}', b"\xff\xfe", b"[" * 9999]
)
def test_a_line_that_is_no_event_is_skipped(tmp_path: Path, line: bytes) -> None:
    root = str(tmp_path)
    events.append(root, "idle", 1)
    with open(events.path_of(root), "ab") as file:
        file.write(line + b"\n")
    events.append(root, "idle", 2)

    assert [one["seq"] for one in events.read(root)[0]] == [1, 2]


def test_events_are_short_json_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "plain-looking-value")
    root = str(tmp_path)
    events.append(
        root, "alert", 1, why="x" * 9999, loss=float("nan"), more={"deep": ["is plain-looking-value", SECRET]}
    )
    text = Path(events.path_of(root)).read_text()

    (one,) = events.read(root)[0]
    assert (len(one["why"]), one["loss"]) == (events.LONGEST_TEXT, "nan")
    assert "plain-looking-value" not in text
    assert SECRET not in text


def test_a_replaced_file_of_events_is_read_from_its_start(tmp_path: Path) -> None:
    root = str(tmp_path)
    events.append(root, "idle", 1, why="long enough to be longer than what comes next")
    _, offset = events.read(root)
    Path(events.path_of(root)).unlink()
    events.append(root, "idle", 2)

    assert [one["seq"] for one in events.read(root, offset)[0]] == [2]
