"""What can be rented, as the Hub's client tells it: memory of each device, and only clear prices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.hf_jobs import Emulator
from mlresearch.backends.hf import HfBackend, Machine


@pytest.fixture
def rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with Emulator() as emulator:
        yield emulator


def machines(rented: Emulator) -> dict[str, Machine]:
    return {each.flavor: each for each in HfBackend(rented.url).machines()}


def change(rented: Emulator, flavor: str, **values: Any) -> None:
    next(item for item in rented.hardware if item["name"] == flavor).update(values)


def test_accelerators_and_cpus_come_with_price_and_memory(rented: Emulator) -> None:
    found = machines(rented)
    assert found["a100x4"] == Machine("a100x4", 166_667, 4, "A100", 320_000_000_000)
    assert found["cpu-basic"] == Machine("cpu-basic", 167, 0, "CPU", 32_000_000_000)


def test_a_flavor_without_a_clear_price_is_left_out(rented: Emulator) -> None:
    change(rented, "l4x1", unitLabel="hour")
    assert set(machines(rented)) == set(HfBackend(rented.url).prices())
    assert "l4x1" not in machines(rented)


@pytest.mark.parametrize(
    ("told", "memory"),
    [
        ("24 GB", 24_000_000_000),
        ("1.5TB", 1_500_000_000_000),
        ("80 GiB", 80_000_000_000),
        ("much", 0),
        ("", 0),
        ("1.2.3 GB", 0),
        ("-4 GB", 0),
    ],
)
def test_memory_that_can_not_be_read_is_none(rented: Emulator, told: str, memory: int) -> None:
    change(rented, "cpu-basic", ram=told)
    assert machines(rented)["cpu-basic"].memory == memory
