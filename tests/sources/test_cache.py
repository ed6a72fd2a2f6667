"""Answers kept on disk: their age, their bounds, and many writers at once."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlresearch.sources import cache

HOUR_S = 3600.0


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "ml-research/cache/web"


def _age(folder: Path, name: str, seconds: float) -> None:
    path = folder / f"{name}.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "at": time.time() - seconds}))


def test_an_answer_comes_back_as_it_was_with_its_age(store_folder: Path) -> None:
    cache.put("a", b"\x00\xff", "text/x", "http://x")
    _age(store_folder, "a", 3 * HOUR_S)
    kept = cache.get("a", 4 * HOUR_S)
    assert kept is not None
    assert (kept.body, kept.kind, kept.url) == (b"\x00\xff", "text/x", "http://x")
    assert cache.told(kept.age_s) == "cached 3 h ago"


@pytest.mark.parametrize("seconds", [2 * HOUR_S, -100.0])
def test_an_answer_too_old_or_from_the_future_is_none(store_folder: Path, seconds: float) -> None:
    cache.put("a", b"x", "", "")
    _age(store_folder, "a", seconds)
    assert cache.get("a", HOUR_S) is None


DAMAGED = ["", "{", "[]", "null", "3", '{"at": 1}', '{"at": "x", "body": "", "kind": "", "url": ""}']


@pytest.mark.parametrize("text", [*DAMAGED, '{"at": 0, "body": "!!!", "kind": "", "url": ""}'])
def test_a_damaged_file_is_no_answer(store_folder: Path, text: str) -> None:
    cache.put("a", b"x", "", "")
    (store_folder / "a.json").write_text(text)
    assert cache.get("a", 1e12) is None


def test_a_folder_that_can_not_be_written_only_keeps_nothing(store_folder: Path) -> None:
    store_folder.parent.mkdir(parents=True)
    store_folder.write_text("a file stands where the folder should")
    cache.put("a", b"x", "", "")
    assert cache.get("a", HOUR_S) is None


def test_the_oldest_go_when_there_are_too_many(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    for place, name in enumerate("abcde"):
        cache.put(name, b"x", "", "")
        os.utime(store_folder / f"{name}.json", (1000 + place, 1000 + place)) if name != "e" else None
    assert {path.stem for path in store_folder.iterdir()} == {"c", "d", "e"}


def test_the_oldest_go_when_they_are_too_large(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 3000)
    for place in range(6):
        cache.put(str(place), b"x" * 900, "", "")
    assert sum(path.stat().st_size for path in store_folder.iterdir()) <= 3000


def test_writers_at_once_leave_whole_files() -> None:
    def write(number: int) -> None:
        cache.put(str(number % 4), str(number).encode() * 5000, "", "")
        cache.get(str(number % 4), HOUR_S)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert all(cache.get(str(name), HOUR_S) is not None for name in range(4))


def test_questions_that_differ_have_names_that_differ() -> None:
    names = {cache.key("GET", url, params) for url in ("a", "b") for params in ({}, {"q": "1"}, {"q": 1})}
    assert len(names) == 6
    assert cache.key("GET", "a", {"x": 1, "y": 2}) == cache.key("GET", "a", {"y": 2, "x": 1})
