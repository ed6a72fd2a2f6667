"""The ledger on disk: what was acknowledged stays, through kills, torn rows and many writers at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger_home import Home, following, rows
from mlresearch import ledger, store
from mlresearch.errors import LedgerError, SealError
from mlresearch.light_hash import sha256

SCRIPTS = Path(ledger.__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Home(tmp_path)


def test_an_empty_place_has_an_empty_standing(home: Home) -> None:
    assert ledger.standing(home.root).seq == 0
    assert list(ledger.rows(home.root)) == []
    assert not home.path.exists()


def test_rows_are_chained_by_the_hash_of_the_row_before(home: Home) -> None:
    home.fill()
    head = "0" * 64
    for seq, line in enumerate(rows(home.path.read_bytes()), 1):
        row = json.loads(line)
        assert (row["seq"], row["prev"]) == (seq, head)
        head = sha256(line[:-1])
    assert ledger.standing(home.root).head == head
    assert [row["event"] for row in ledger.rows(home.root)][:2] == ["approved", "reserved"]
    assert ledger.verify(home.root) == []


def test_text_of_any_kind_survives(home: Home) -> None:
    texts = ["\u2028\u2029\x85", "\ufeff", "\x00", "\ud800", "a\nb\r\n", '"\\', "é"]
    for text in texts:
        ledger.append(home.root, "note", text=text)
    assert [row["text"] for row in ledger.rows(home.root)] == texts
    assert ledger.verify(home.root) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"text": "x" * ledger.LONGEST_ROW}, "too long"),
        ({"seq": 8}, "carries the number"),
        ({"prev": "0"}, "another hash"),
    ],
    ids=["too long", "a number of its own", "a hash of its own"],
)
def test_a_row_that_can_not_be_written_changes_nothing(home: Home, fields: dict[str, Any], why: str) -> None:
    home.fill()
    before = home.path.read_bytes()
    with ledger.transaction(home.root) as held:
        with pytest.raises(LedgerError, match=why):
            held.append("note", **fields)
        assert held.append("note")["seq"] == 7
    assert home.path.read_bytes().startswith(before)
    assert ledger.verify(home.root) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_value_that_is_no_json_is_not_written(home: Home, value: object) -> None:
    home.fill()
    before = home.path.read_bytes()
    with pytest.raises(LedgerError, match="no JSON"):
        ledger.append(home.root, "note", value=value)
    assert home.path.read_bytes() == before


def test_a_row_that_does_not_fit_leaves_the_transactions_totals_as_they_were(home: Home) -> None:
    home.fill()
    with ledger.transaction(home.root) as held:
        before = held.standing.dump()
        with pytest.raises(LedgerError, match="does not fit"):
            held.append("settled", job="j0002", billed_s=1, billed_micro=-5)
        assert held.standing.dump() == before
        assert held.standing.spent().micro == 50 + 1000


def test_a_half_written_row_is_set_aside_and_nothing_is_lost(home: Home) -> None:
    home.fill()
    content, before = home.path.read_bytes(), ledger.standing(home.root).dump()
    for half in (b'{"seq": 7, "ev', b"\xff", b"{"):
        with home.path.open("ab") as file:
            file.write(half)
        assert ledger.standing(home.root).dump() == before
        assert len(list(ledger.rows(home.root))) == 6
        assert "is cut" in ledger.verify(home.root)[0]
        with ledger.transaction(home.root) as held:
            assert held.standing.dump() == before
        assert home.path.read_bytes() == content
        assert ledger.verify(home.root) == []
    assert Path(f"{home.path}.torn").read_bytes() == b'{"seq": 7, "ev\n\xff\n{\n'


def _with_older_checkpoint(home: Home) -> bytes:
    """Leave the store as a kill does between a row and its checkpoint; returns the ledger before that row."""
    home.fill()
    before = home.path.read_bytes()
    older = (home.store / "checkpoint.json").read_bytes()
    ledger.append(home.root, "settled", job="j0002", billed_s=60, billed_micro=1000)
    (home.store / "checkpoint.json").write_bytes(older)
    return before


def test_a_row_that_was_written_before_a_kill_counts(home: Home) -> None:
    _with_older_checkpoint(home)
    assert ledger.standing(home.root).micro == 1050
    assert ledger.verify(home.root) == []
    assert ledger.append(home.root, "note")["seq"] == 8


def test_two_kills_in_a_row_lose_nothing(home: Home) -> None:
    _with_older_checkpoint(home)
    head = sha256(rows(home.path.read_bytes())[-1][:-1])
    store.overwrite(str(home.store / "announced"), f"{head} {'f' * 64}\n")  # and no row
    assert ledger.standing(home.root).seq == 7
    assert ledger.verify(home.root) == []


def test_another_row_in_its_place_does_not_count(home: Home) -> None:
    before = _with_older_checkpoint(home)
    home.path.write_bytes(before + following(before, "settled", job="j0002", billed_s=0, billed_micro=0))
    assert home.refuses()
    assert "row 7" in ledger.verify(home.root)[0]


def test_a_row_that_was_announced_and_never_written_is_no_loss(home: Home) -> None:
    home.fill()
    head = ledger.standing(home.root).head
    store.overwrite(str(home.store / "announced"), f"{head} {'f' * 64}\n")
    assert ledger.append(home.root, "note")["seq"] == 7
    assert ledger.verify(home.root) == []


def test_a_checkpoint_that_is_lost_beside_a_seal_is_not_rebuilt_from_a_forged_ledger(home: Home) -> None:
    home.fill()
    store.put(store.seal_path(home.root), {})
    content = home.path.read_bytes()
    (home.store / "checkpoint.json").unlink()
    assert ledger.standing(home.root).seq == 6  # the announced row still vouches for it
    home.path.write_bytes(content + following(content, "note"))
    assert home.refuses()
    (home.store / "announced").unlink()
    assert home.refuses()


def test_a_ledger_that_came_with_its_folder_can_be_read(home: Home, tmp_path: Path) -> None:
    home.fill()
    moved = tmp_path / "moved"
    shutil.copytree(home.root, moved)
    assert ledger.standing(str(moved)).seq == 6
    assert ledger.verify(str(moved)) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"{", b'{"seq": NaN}'])
def test_a_damaged_checkpoint_is_refused(home: Home, content: bytes) -> None:
    home.fill()
    (home.store / "checkpoint.json").write_bytes(content)
    with pytest.raises(SealError):
        ledger.standing(home.root)
    assert home.refuses()


def test_totals_that_somebody_lowered_in_the_checkpoint_are_found(home: Home) -> None:
    home.fill()
    path = home.store / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "micro": 0}))
    assert "another state" in ledger.verify(home.root)[0]


def test_floors_go_only_with_their_ledger(home: Home) -> None:
    home.fill()
    with pytest.raises(LedgerError, match="still exists"):
        ledger.forget(home.root)
    home.path.unlink()
    ledger.forget(home.root)
    assert ledger.append(home.root, "approved", campaign="d")["seq"] == 1
    assert ledger.verify(home.root) == []


WRITER = """
import sys
from mlresearch import ledger
for number in range(int(sys.argv[2])):
    ledger.append(sys.argv[1], "note", number=number)
"""


def test_many_writers_and_a_reader_never_disturb_each_other(home: Home) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", WRITER, home.root, "12"]
    writers = [subprocess.Popen(command, env=environment) for _ in range(4)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        now = ledger.standing(home.root).seq
        assert now >= seen
        seen = now
        if home.path.exists():
            assert ledger.verify(home.root) == []
    assert [writer.returncode for writer in writers] == [0] * 4
    assert ledger.standing(home.root).seq == 48
    assert sorted(row["number"] for row in ledger.rows(home.root)) == sorted(list(range(12)) * 4)
