"""The smoke runs with the lowest and with the highest versions that `allowed.in` allows, each in a new environment.

Run once a week (--long): it takes the packages from their index, and some minutes. Nothing here is locked, on purpose.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import template_env
from mlresearch.backends.launch import find_uv
from templates.lab import DROPPED, HERE

ALLOWED = HERE / "allowed.in"
LINE = re.compile(r"(?m)^([\w-]+)>=([\d.]+)")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_the_pins_of_the_headers_lie_in_what_is_allowed() -> None:
    pins = dict(re.findall(r"(?m)^([\w-]+)==([\d.]+)$", (HERE / "requirements.in").read_text()))
    allowed = {name: (low, high) for name, low, high in re.findall(LINE.pattern + r",<([\d.]+)$", ALLOWED.read_text())}
    assert set(pins) <= set(allowed)
    for name, pin in pins.items():
        low, high = allowed[name]
        assert numbers(low) <= numbers(pin) < numbers(high), name


def built(folder: Path, resolution: str) -> Path:
    """The interpreter of a new environment with torch for the CPU."""
    uv = [find_uv() or "uv"]
    place, python, without = folder / "environment", folder / "environment" / "bin" / "python", folder / "without.in"
    without.write_text('torch ; sys_platform == "never"\n')  # its build for the CPU comes from elsewhere
    install = [*uv, "pip", "install", "--quiet", "--python", str(python)]
    resolved = ["--resolution", resolution, "--overrides", str(without), "-r", str(ALLOWED)]
    subprocess.run([*uv, "venv", "--quiet", "--no-project", "--python", template_env.PYTHON, str(place)], check=True)
    subprocess.run([*install, *resolved], check=True)
    template_env.install_torch(uv, install)
    return python


@pytest.mark.long
@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_every_smoke_run_passes_with_the_versions_at_this_end(resolution: str, tmp_path: Path) -> None:
    python = built(tmp_path, resolution)
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*DROPPED, "PYTEST_"))}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        str(HERE / "test_smoke.py"),
    ]
    done = subprocess.run(
        [*words, "--basetemp", str(tmp_path / "runs")],
        cwd=HERE.parents[1],
        env={**kept, template_env.CHOSEN: str(python)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
