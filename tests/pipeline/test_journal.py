"""A task's record: whole rows count, a cut one never happened, anything else is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlresearch import store
from mlresearch.errors import GateError, NotFound
from mlresearch.pipeline import journal

SCRIPTS = Path(journal.__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    (tmp_path / "project").mkdir()
    return str(tmp_path / "project")


def file_of(root: str) -> Path:
    return journal.folder(root, "t") / "journal.jsonl"


def filled(root: str) -> Path:
    for number in range(3):
        journal.append(root, "t", "noted", number=number, text="größer \u2028")
    return file_of(root)


def test_rows_come_back_as_they_were_written(root: str) -> None:
    filled(root)
    assert [(row["seq"], row["event"], row["number"]) for row in journal.rows(root, "t")] == [
        (0, "noted", 0),
        (1, "noted", 1),
        (2, "noted", 2),
    ]


def test_a_row_cut_at_any_byte_never_happened_and_the_next_one_takes_its_place(root: str) -> None:
    path = filled(root)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole), 9):
        path.write_bytes(whole[:end])
        assert [row["number"] for row in journal.rows(root, "t")] == [0, 1]
        journal.append(root, "t", "noted", number=7)
        assert [row["number"] for row in journal.rows(root, "t")] == [0, 1, 7]


def test_a_task_whose_first_row_was_cut_never_began(root: str) -> None:
    path = filled(root)
    path.write_bytes(path.read_bytes()[:20])
    assert journal.tasks(root) == []


def _edited(content: bytes) -> bytes:
    return content.replace(b'"number": 1', b'"number": 5')


def _without_second(content: bytes) -> bytes:
    rows = content.splitlines(keepends=True)
    return rows[0] + rows[2]


def _swapped(content: bytes) -> bytes:
    rows = content.splitlines(keepends=True)
    return rows[1] + rows[0] + rows[2]


def _no_json(content: bytes) -> bytes:
    return content.replace(b'{"event"', b'{event"', 1)


def _a_list(content: bytes) -> bytes:
    return b"[]\n" + content


@pytest.mark.parametrize(
    ("damage", "line"),
    [(_edited, 3), (_without_second, 2), (_swapped, 1), (_no_json, 1), (_a_list, 1)],
    ids=["edited", "missing", "swapped", "no JSON", "no row"],
)
def test_damage_is_told_with_its_line_and_changes_nothing(
    root: str, damage: Callable[[bytes], bytes], line: int
) -> None:
    path = filled(root)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(GateError, match=f"line {line} was damaged"):
        journal.rows(root, "t")
    assert path.read_bytes() == before


def test_a_task_that_is_not_there_is_told_with_those_that_are(root: str) -> None:
    filled(root)
    with pytest.raises(NotFound, match="no task 'other'") as caught:
        journal.rows(root, "other")
    assert "tasks: t" in str(caught.value)


WRITER = """import sys
from mlresearch.pipeline import journal
for number in range(10):
    with journal.held(sys.argv[1], "t"):
        journal.append(sys.argv[1], "t", "noted", number=number, by=sys.argv[2])
"""


def test_two_processes_at_once_lose_no_row(root: str) -> None:
    words = [sys.executable, "-c", WRITER, root]
    env = {"PYTHONPATH": str(SCRIPTS), "XDG_DATA_HOME": str(Path(store.base()).parent), "HOME": root}
    writers = [subprocess.Popen([*words, name], env=env) for name in "ab"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    rows = journal.rows(root, "t")
    assert [row["seq"] for row in rows] == list(range(20))
    for name in "ab":
        assert [row["number"] for row in rows if row["by"] == name] == list(range(10))
