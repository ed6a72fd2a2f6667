"""The suite's own options: what is left out is counted, and a skip nobody allowed fails the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
SETTINGS = "[pytest]\nmarkers = long: slow\n"
SUITE = """
import pytest

def test_quick(): pass

@pytest.mark.long
def test_night(): pass
"""
SKIPPING = """
import pytest

def test_skipped(): pytest.skip("no time today")
"""


def run_suite(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    for needed in (CONFTEST, CONFTEST.with_name("sandbox.py")):
        shutil.copy(needed, folder)
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "xdist", *options]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_long_tests_are_left_out_and_counted(tmp_path: Path, workers: str) -> None:
    done = run_suite(tmp_path, SUITE, "-n", workers)
    assert done.returncode == 0
    assert "1 passed, 1 deselected" in done.stdout.splitlines()[-1]


def test_long_tests_run_on_request(tmp_path: Path) -> None:
    assert "2 passed" in run_suite(tmp_path, SUITE, "--long").stdout.splitlines()[-1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_skip_that_is_not_allowed_fails_the_run(tmp_path: Path, workers: str) -> None:
    done = run_suite(tmp_path, SUITE + SKIPPING, "-n", workers, "--refuse-skips")
    assert done.returncode == 1
    assert "no time today" in done.stdout


def test_a_skip_alone_does_not_fail_a_plain_run(tmp_path: Path) -> None:
    assert run_suite(tmp_path, SUITE + SKIPPING).returncode == 0
