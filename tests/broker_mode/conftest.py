"""A project whose jobs cost money on an emulated Hub, and a broker that a person started in their own terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_mode.household import Household
from fakes.hf_jobs import Emulator


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    """Whatever a test does, the token stays out of the project, the store and the answers."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Emulator() as hub, Household(tmp_path, hub) as made:
        yield made
        made.must_hide_the_token()
