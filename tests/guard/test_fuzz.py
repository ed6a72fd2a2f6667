"""Fuzzing of the hook's entry: seconds in every run, ten minutes in a long one. And what it and large inputs found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parents[2]
FEWEST_A_SECOND = 5  # several hundred on an idle machine; the seeds alone are more than 500 inputs

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the fuzzer has no wheel elsewhere")


def fuzz(fields: dict[str, Any], scratch: Path, seconds: int) -> None:
    """Fuzz for a time; the hook's store is that of the session's projects."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("fuzz_hook.py")),
         str(fields["sealed"].root), str(fields["none"].root), str(scratch), str(seconds)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO / "scripts"), str(REPO / "tests")])},
        cwd=scratch, capture_output=True, text=True, errors="replace", timeout=seconds + 120,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs and int(runs[1]) >= FEWEST_A_SECOND * seconds, done.stderr[-1000:]
    print(runs[0], "without a finding")


LARGE = {
    "one word": "ls " + "x" * 1_000_000,
    "one path": "ls " + "a/" * 300_000,
    "slashes": "ls " + "/" * 300_000,
    "many paths": "ls " + "/ " * 300_000,
    "steps up": "ls " + "../" * 300_000,
    "single quotes": "ls " + "'" * 300_000,
    "double quotes": "ls " + '"' * 300_000,
    "quoted words": "ls " + "'a' " * 250_000,
    "backslashes": "ls " + "\\" * 300_000,
    "a here-document": "cat <<'E'\n" + "x" * 1_000_000 + "\nE",
    "a script of sed": "sed -n '" + "s/a/b/;" * 140_000 + "' f",
    "addresses": "curl " + "http://a/" * 100_000,
    "commands": "ls;" * 100_000,
    "a NUL in a user's name": "echo x >> ~\0\0/.bashrc",
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_the_hook_ends_before_its_own_alarm_on_a_large_or_odd_command(name: str, fields: dict[str, Any]) -> None:
    """Exit 2 would be the alarm or a fault; a decision comes with exit 0."""
    root = str(fields["sealed"].root)
    call = {"session_id": "s", "cwd": root, "tool_name": "Bash", "tool_input": {"command": LARGE[name]}}
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(REPO / "scripts" / "guard.py")],
        input=json.dumps(call).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert not done.stdout or json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"


@ON_LINUX
def test_no_input_makes_the_hook_crash_hang_or_say_something_that_is_no_decision(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    fuzz(fields, tmp_path, 20)


@ON_LINUX
@pytest.mark.long
def test_ten_minutes_of_fuzzing_find_nothing(fields: dict[str, Any], tmp_path: Path) -> None:
    fuzz(fields, tmp_path, 600)
