"""The emulated service, and the real `hf` command pointed at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.hf_jobs import Emulator

Hf = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def running_hub(tmp_path: Path) -> Iterator[Emulator]:
    """Its jobs really run."""
    with Emulator(execute_in=tmp_path / "jobs") as emulator:
        yield emulator


@pytest.fixture
def hf(tmp_path: Path) -> Hf:
    """Runs the stock command line as a person would, with nothing but a token."""

    def run(hub: Emulator, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": "hf_emulated",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            **variables,
        }
        command = [sys.executable, "-m", "huggingface_hub.cli.hf", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run
