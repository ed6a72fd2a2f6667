"""Where the curves of a run go: to the Space that was asked for, always a private one, and else nowhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from templates.lab import DATA, HERE, TEMPLATES, Lab

GIVEN = {"TRACKIO_SPACE_ID": "ada/run-1", "TRACKIO_SERVER_URL": "http://127.0.0.1:9", "TRACKIO_BUCKET_ID": "ada/b"}
JOB = {"ML_RESEARCH_JOB": "j0001"}
# the environment, --trackio-space, and the Space that the curves go to
CASES: dict[str, tuple[dict[str, str], str | None, str | None]] = {
    "nothing said": ({}, None, None),
    "a job of a campaign that keeps its curves": (JOB, None, None),
    "a job that was given a Space": ({**JOB, **GIVEN}, None, "ada/run-1"),
    "a smoke run of that job": ({**JOB, **GIVEN, "SMOKE": "1"}, None, None),
    "a person's environment": (GIVEN, None, None),
    "asked for by the command": ({}, "ada/run-2", "ada/run-2"),
    "the command goes before what the job was given": ({**JOB, **GIVEN}, "ada/run-2", "ada/run-2"),
    "a smoke run that was asked for a Space": ({"SMOKE": "1"}, "ada/run-2", None),
}


def check(told: dict[str, Any], cases: list[str]) -> None:
    spaces = {name: (told[name]["space_id"], told[name]["private"], told[name]["left"]) for name in cases}
    assert spaces == {name: (CASES[name][2], True, []) for name in cases}


def written(folder: Path, names: list[str]) -> Path:
    cases = folder / "cases.json"
    cases.write_text(json.dumps({name: {"env": CASES[name][0], "space": CASES[name][1]} for name in names}))
    return cases


@pytest.mark.parametrize("name", DATA)
def test_curves_leave_the_machine_only_for_the_space_that_was_asked_for(name: str, lab: Lab, tmp_path: Path) -> None:
    words = (TEMPLATES / f"train_{name}.py", written(tmp_path, list(CASES)))
    check(lab.run(HERE / "start_tracking.py", *words, out=tmp_path).result, list(CASES))


def test_so_do_those_of_the_template_without_torch(tmp_path: Path) -> None:
    cases = [name for name, (_, asked, _) in CASES.items() if asked is None]  # it has no option for a Space
    words = (HERE / "start_tracking.py", TEMPLATES / "train_tabular.py", written(tmp_path, cases))
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=120, check=True)
    check(json.loads(done.stdout), cases)
