"""Alerts outside the log: the real Trackio on this machine, as a folder and as a server; and the cursor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.hf_harness import TOKEN
from fakes.hf_jobs import Emulator
from mlresearch.errors import Unavailable, UsageError
from mlresearch.jobs.alerts import Cursor, Folder, Server, cursor, latest, news, of_local, token_for
from mlresearch.jobs.health import Health
from mlresearch.jobs.readings import Alert

RUN = """
import json, sys
import trackio
trackio.init("demo", sys.argv[1], embed=False, auto_log_gpu=False, auto_log_cpu=False)
for level, title, text in json.loads(sys.argv[2]):
    trackio.alert(title, text, level=trackio.AlertLevel[level])
trackio.finish()
"""
SERVE = """
import sys, trackio
_, address, *_ = trackio.show(host="127.0.0.1", open_browser=False, block_thread=False)
print("AT", address, flush=True)
sys.stdin.read()
"""
SAID = [("ERROR", "diverged", "loss: 9 at step 3"), ("WARN", "odd: title", None), ("INFO", "plateau", "wait")]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKIO", "HF_"))}
    return {**kept, "TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}


def track(folder: Path, run: str, said: list[tuple[str, str, str | None]]) -> list[str]:
    """What the run printed."""
    found = subprocess.run(
        [sys.executable, "-c", RUN, run, json.dumps(said)],
        env=environment(folder), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder that two jobs wrote to, and what the first one printed."""
    folder = tmp_path_factory.mktemp("trackio")
    printed = track(folder, "j0001/out", SAID)
    track(folder, "j0002/out", [("WARN", "another's", None)])
    return folder, printed


def test_a_folder_tells_the_alerts_that_trackio_stored_of_one_job(told: tuple[Path, list[str]]) -> None:
    found = Folder(told[0], "j0001").read(None)

    assert [(alert.level, alert.title, alert.text, alert.step) for alert in found] == [
        ("error", "diverged", "loss: 9 at step 3", 0),
        ("warn", "odd: title", "", 0),
        ("info", "plateau", "wait", 0),
    ]
    assert [alert.title for alert in Folder(told[0], "j0002").read(None)] == ["another's"]
    assert len(Folder(told[0], None).read(None)) == 4


def test_an_alert_in_the_log_and_in_trackio_is_one(told: tuple[Path, list[str]]) -> None:
    health = Health()
    for line in told[1]:
        health.feed(line, 0.0)
    stored = Folder(told[0], "j0001").read(None)

    merged = news(health.alerts, stored, Cursor("j0001"))

    assert [(alert.title, alert.timestamp) for alert in merged] == [(alert.title, alert.timestamp) for alert in stored]
    assert all(alert.line for alert in merged)


def test_a_cursor_leaves_out_what_has_been_told(told: tuple[Path, list[str]]) -> None:
    stored = Folder(told[0], "j0001").read(None)
    after_first = Cursor("j0001", 0, stored[0].timestamp)
    assert news([], stored, after_first) == stored[1:]

    known = latest(news([], stored, Cursor("j0001")), Cursor("j0001"), 12)
    assert cursor(str(known), "j0001") == known
    assert news([], stored, known) == []


def test_an_alert_told_from_the_log_is_not_told_again_once_trackio_has_it() -> None:
    logged = [Alert("error", "bad", "x", 3, line=5)]
    stored = [Alert("error", "bad", "x", 3, "2026-11-21T00:07:42.581800+00:00")]

    assert [alert.line for alert in news(logged, [], Cursor("j0001"))] == [5]
    assert news(logged, stored, Cursor("j0001", 5)) == []
    assert [alert.line for alert in news(logged, stored * 2, Cursor("j0001", 5))] == [None]


@pytest.mark.parametrize(
    "text",
    ["", "j0001", "j0002:3:", "j0001:x:", "j0001:3", "j0001:3:2026-11-21T00:07:42Z", "j0001:3:yesterday", "j0001:-1:"],
)
def test_any_other_text_is_no_cursor(text: str) -> None:
    """Trackio would compare it as text, and tell silently the wrong alerts, or none."""
    with pytest.raises(UsageError, match="no cursor of j0001"):
        cursor(text, "j0001")


def test_a_damaged_folder_is_told_and_an_absent_one_is_none(tmp_path: Path) -> None:
    own = tmp_path / "runs" / "jobs" / "j0001" / "out" / "trackio"
    own.mkdir(parents=True)
    assert [source.is_there for source in of_local(str(tmp_path), "j0001")] == [True, False]
    assert [source.read(None) for source in of_local(str(tmp_path), "j0002")] == [[], []]

    (own / "demo.db").write_text("this is no database at all")
    with pytest.raises(Unavailable, match=r"demo\.db can not be read"):
        of_local(str(tmp_path), "j0001")[0].read(None)
    (own / "demo.db").write_bytes(b"")
    with pytest.raises(Unavailable, match="no such table: alerts"):
        of_local(str(tmp_path), "j0001")[0].read(None)


@pytest.fixture(scope="module")
def server(told: tuple[Path, list[str]]) -> Iterator[str]:
    """A self-hosted Trackio over the same folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env=environment(told[0]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if line.startswith("AT "):
                break
        assert printed[-1].startswith("AT "), "".join(printed)
        yield printed[-1].split()[1]
    finally:
        process.kill()
        process.communicate()


def test_a_server_tells_the_same_and_takes_its_own_timestamp_back(told: tuple[Path, list[str]], server: str) -> None:
    source = Server(server, "demo", "j0001/out", token="never sent to a server of one's own")
    stored = Folder(told[0], "j0001").read(None)

    assert source.read(None) == stored
    assert source.read(stored[0].timestamp) == stored[1:]
    assert len(Server(server, "demo").read(None)) == 4


def test_a_server_that_does_not_answer_is_told() -> None:
    with pytest.raises(Unavailable, match="does not tell its alerts"):
        Server("http://127.0.0.1:1", "demo").read(None)


@pytest.mark.parametrize(
    "place",
    [
        "",
        "ada",
        "ftp://x",
        "file:///etc/passwd",
        "a/b/c",
        "-a/b",
        "https://127.0.0.1.example.org/",
        "http://example.org",
    ],
)
def test_what_is_no_place_of_a_dashboard_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="no place of a dashboard"):
        Server(place, "demo")


def test_a_server_elsewhere_must_be_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_SERVER_URL", "https://board.example.org?write_token=x")
    assert Server("https://board.example.org", "demo")._url == "https://board.example.org"
    with pytest.raises(UsageError):
        Server("https://other.example.org", "demo")


def test_only_a_space_of_the_tokens_owner_is_shown_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    with Emulator() as hub:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        found = [token_for(place) for place in ("ada/board", "lab/board", "eve/board", "http://127.0.0.1:1")]

    assert found == [TOKEN, TOKEN, None, None]


def test_only_a_space_is_shown_the_token() -> None:
    assert "authorization" not in Server("http://127.0.0.1:1", "demo", token="secret")._headers
    space = Server("Ada/My_Board.x", "demo", token="secret")
    assert space._headers["authorization"] == "Bearer secret"
    assert space._url == "https://ada-my-board-x.hf.space"


def test_reading_a_folder_needs_no_trackio(told: tuple[Path, list[str]]) -> None:
    code = "import sys; from mlresearch.jobs.alerts import Folder; from pathlib import Path\n"
    code += f"print(len(Folder(Path({str(told[0])!r}), None).read(None)), 'trackio' in sys.modules)"
    scripts = Path(__file__).parents[2] / "scripts"
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(scripts)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert found.stdout.split() == ["4", "False"], found.stderr
