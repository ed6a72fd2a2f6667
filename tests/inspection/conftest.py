"""An emulated Hub that every command of the test sees, and a place for each shape on either side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.hub_server import HubServer
from inspection.shapes import SHAPES, Put, Shape


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
        yield server


@pytest.fixture(params=["local", "hub"])
def put(request: pytest.FixtureRequest, tmp_path: Path, hub: HubServer) -> Put:
    """Puts a shape here or on the Hub, and gives the name to ask for."""

    def place(name: str) -> str:
        shape: Shape = SHAPES[name]()
        return shape.put_here(tmp_path / "data") if request.param == "local" else shape.put_on(hub)

    return place
