"""The second test environment: torch for the CPU, and the libraries that the training templates use.

Standard library only: the test command imports it before any dependency is installed. It is apart from the
first environment because it is 1.5 GB, and because the templates need Python 3.11 to 3.13 while the rest does not.
Refuses a build of torch for CUDA: it would cost gigabytes that no test uses.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e.install import cache_folder

TORCH = "2.13.0"
PYTHON = "3.11"
LOCK = Path(__file__).resolve().parent / "templates" / "requirements.txt"
CHOSEN = "ML_RESEARCH_TEMPLATE_PYTHON"
NEEDED = "needs torch for the CPU"
HELP = (
    f"no torch {TORCH} for the CPU was found; allowed: a wheel that pip's find-links setting names (PIP_FIND_LINKS), "
    f"one that uv's names (UV_FIND_LINKS), or `uv pip install --torch-backend cpu torch=={TORCH}` reaching its index; "
    f"next: give one of them, or set {CHOSEN} to a Python that has torch"
)


class TorchMissing(Exception):
    """No build of torch for the CPU can be had; the message says what a person must do."""


def folder() -> Path:
    """Where the environment of this lock lives, shared by all checkouts."""
    identity = hashlib.sha256(LOCK.read_bytes() + f"{TORCH} {PYTHON}".encode()).hexdigest()[:16]
    return cache_folder() / f"templates-{identity}"


def python() -> Path:
    """The interpreter that runs templates: the one a person chose, else the one in the cache (which may not exist)."""
    chosen = os.environ.get(CHOSEN)
    return Path(chosen) if chosen else folder() / "bin" / "python"


def missing() -> str:
    """Why tests that need torch can not run here; empty when they can."""
    return "" if python().exists() else f"{NEEDED}: {python()} is missing, run tests/all.py once or set {CHOSEN}"


def prepare(uv: list[str]) -> int:
    """Build the environment once; 0 when it is there, else the exit status of what failed. The caller holds a lock.

    Also 0 where no torch for the CPU can be had: `missing` tells.
    """
    if os.environ.get(CHOSEN):
        return 0
    interpreter, complete = folder() / "bin" / "python", folder() / "complete"
    if complete.exists():
        return 0
    install = [*uv, "pip", "install", "--quiet", "--python", str(interpreter)]
    commands = (
        [*uv, "venv", "--quiet", "--clear", "--no-project", "--python", PYTHON, str(folder())],
        [*install, "--no-deps", "--require-hashes", "-r", str(LOCK)],
    )
    for command in commands:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        if status != 0:
            return status
    try:
        install_torch(uv, install)
    except TorchMissing as error:  # the tests that need it are left out, and say so
        print(f"not tested here, {error}", file=sys.stderr)
        interpreter.unlink()
        return 0
    complete.touch()
    return 0


def install_torch(uv: list[str], install: list[str]) -> None:
    """The CPU build, first from a folder that pip or uv is set to look in, else from uv's own place for it."""
    with tempfile.TemporaryDirectory() as place:
        wheel = downloaded(Path(place))
        # `+cpu` never matches a build for CUDA, and `--torch-backend cpu` takes none
        ways = [[str(wheel)]] if wheel else []
        ways += [["--offline", f"torch=={TORCH}+cpu"], ["--torch-backend", "cpu", f"torch=={TORCH}"]]
        for way in ways:
            done = subprocess.run([*install, "--no-deps", *way], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
    raise TorchMissing(f"{HELP}\n{done.stderr.strip()}")


def downloaded(place: Path) -> Path | None:
    """The wheel that pip is set up to find; None where there is no pip, or where it finds no build for the CPU."""
    base = getattr(sys, "_base_executable", sys.executable)
    words = [
        base,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--python-version",
        PYTHON,
    ]
    subprocess.run([*words, "--dest", str(place), f"torch=={TORCH}+cpu"], capture_output=True, check=False)
    return next(iter(sorted(place.glob("*+cpu*.whl"))), None)
