"""A local backend in a fresh folder, whose jobs are gone when a test is over; and an emulated Hub with an account."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.hf_harness import TOKEN
from backends.local_harness import Harness
from fakes.hf_jobs import Emulator

# looked up before any test hides it
UV = os.environ.get("UV") or shutil.which("uv")


@pytest.fixture
def uv() -> str:
    """The real uv, for what only it can show."""
    if UV is None:
        pytest.skip("uv is not installed")
    return os.path.abspath(UV)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Without uv in sight, so that a job costs 0.03 s; a test that is about uv sets UV."""
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "bin"))
    monkeypatch.setitem(sys.modules, "uv", None)
    harness = Harness(tmp_path / "project")
    os.makedirs(harness.root)
    yield harness
    for ref in harness.backend.list():
        harness.backend.cancel(ref)
        harness.ended(ref)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of the Hub, and nothing of this machine's own login or store."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def hub(account: None) -> Iterator[Emulator]:
    """Its jobs follow a plan."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def running_hub(account: None, tmp_path: Path) -> Iterator[Emulator]:
    """Its jobs really run."""
    with Emulator(execute_in=tmp_path / "jobs") as emulator:
        yield emulator
