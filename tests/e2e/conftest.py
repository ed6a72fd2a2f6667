"""Fixtures of the end-to-end tests: a scripted model, and the real client in a throw-away home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.client import Client
from e2e.install import CLIENT_VERSION, find_client
from e2e.model_api import ScriptedModel


@pytest.fixture(scope="session")
def program() -> Path:
    """The client's executable; tests/all.py installs it."""
    found = find_client()
    if found is None:
        pytest.fail(f"no Claude Code {CLIENT_VERSION}: run tests/all.py once, or set CLAUDE_BIN")
    return found


@pytest.fixture
def client(program: Path, tmp_path: Path) -> Client:
    return Client(program, tmp_path)


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted
