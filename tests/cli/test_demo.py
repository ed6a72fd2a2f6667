"""The newcomer's campaign: real data, real training, killed once on the way, and everything it promises at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "scripts"
PATIENCE_S = 900


def rows(folder: Path) -> list[dict[str, Any]]:
    path = folder / "runs" / "ledger.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def events(folder: Path, event: str) -> list[dict[str, Any]]:
    return [row for row in rows(folder) if row["event"] == event]


def demo(folder: Path, data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / "demo.py"), "--dir", str(folder)],
        cwd=folder.parent,
        env={**os.environ, "XDG_DATA_HOME": str(data)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_in_the_middle(folder: Path, data: Path) -> None:
    """Kill the campaign, not its jobs, when it has measured something and still has jobs under way."""
    with demo(folder, data) as process:
        end = time.monotonic() + PATIENCE_S
        while len(events(folder, "planned")) < 2 and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "the demo ended before it could be killed"


def test_the_demo_survives_a_kill_and_ends_with_a_verified_result(tmp_path: Path) -> None:
    folder, data = tmp_path / "digits", tmp_path / "data"
    kill_in_the_middle(folder, data)
    with demo(folder, data) as process:
        told, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert re.match(r"(won|nothing won|did not hold).*baseline .* jobs, \d+ job-seconds, \$0\.00", told), told

    assert len(events(folder, "baseline")[0]["values"]) == 5
    decided = [row for row in events(folder, "decided") if row["state"] != "candidate"]
    assert len(decided) == 12
    assert {row["state"] for row in decided} <= {"confirmed", "refuted", "below_screen", "crash"}
    assert len(events(folder, "finalized")) == len(events(folder, "opened")) == 1

    started = [row["job"] for row in rows(folder) if row["event"] in ("submitted", "adopted")]
    # a folder that holds no start is a submit that the kill cut short: its reservation was released
    on_disk = [path.parent.name for path in (folder / "runs" / "jobs").glob("*/started.json")]
    assert sorted(started) == sorted(on_disk)
    assert sorted(row["job"] for row in events(folder, "settled")) == sorted(started)
    assert (folder / "sealed" / "test.npz").is_file()
    assert list((folder / "runs" / "trackio").glob("digits*.db"))

    page = (folder / "runs" / "report.html").read_text()
    assert not re.search(r"""(src|href)=["']?https?:""", page)
    assert (folder / "runs" / "summary.md").read_text().startswith("# Campaign")
    verified = subprocess.run(
        [sys.executable, str(SCRIPTS / "campaign.py"), "verify"],
        cwd=folder,
        env={**os.environ, "XDG_DATA_HOME": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
