"""Gates re-open the files they are told about; a claim alone passes none of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlresearch import gates
from mlresearch.errors import GateError


@pytest.fixture
def root(tmp_path: Path) -> str:
    folder = tmp_path / "project"
    (folder / "work").mkdir(parents=True)
    (folder / "work/log.txt").write_text("epoch 1 loss 0.5\nepoch 2\n  loss 0.4\n")
    return os.path.realpath(folder)


@pytest.mark.parametrize("name", ["work/log.txt", "work/../work/log.txt", "a/b/c"])
def test_a_path_inside_the_project_is_accepted(root: str, name: str) -> None:
    assert gates.inside(root, name) == Path(root, name)


@pytest.mark.parametrize("name", ["..", "../x", "/etc/passwd", "work/../../x", "link/x", "", ".", "a\0b", "\0"])
def test_a_path_that_leads_out_is_refused(root: str, name: str) -> None:
    os.symlink("/", f"{root}/link")
    with pytest.raises(GateError, match="leads out"):
        gates.inside(root, name)


def test_a_neighbor_whose_name_begins_alike_is_outside(root: str) -> None:
    os.mkdir(root + "-other")
    with pytest.raises(GateError):
        gates.inside(root, f"../{os.path.basename(root)}-other/x")


def test_hashes_list_every_missing_file_at_once(root: str) -> None:
    with pytest.raises(GateError, match=r"a\.py, b\.py"):
        gates.hashes(root, ["work/log.txt", "a.py", "b.py"])
    assert len(gates.hashes(root, ["work/log.txt"])["work/log.txt"]) == 64


def test_sealed_files_must_keep_every_byte(root: str) -> None:
    recorded = gates.hashes(root, ["work/log.txt"])
    gates.unchanged(root, recorded)
    Path(root, "work/log.txt").write_text("epoch 1 loss 0.6\n")
    with pytest.raises(GateError, match=r"work/log\.txt"):
        gates.unchanged(root, recorded)
    Path(root, "work/log.txt").unlink()
    with pytest.raises(GateError, match=r"work/log\.txt"):
        gates.unchanged(root, recorded)


@pytest.mark.parametrize("quote", ["loss 0.5", "epoch 2 loss 0.4", "epoch 2\n  loss"])
def test_a_quote_that_stands_in_the_file_anchors(root: str, quote: str) -> None:
    gates.anchored(root, "work/log.txt", quote)


@pytest.mark.parametrize(
    ("file", "quote", "why"),
    [
        ("work/log.txt", "loss 0.3", "does not hold"),
        ("work/log.txt", "LOSS 0.5", "does not hold"),
        ("work/log.txt", "   ", "says nothing"),
        ("work/log.txt", "", "says nothing"),
        ("work/log.txt", " \n e \t", "says nothing"),
        ("work/none.txt", "loss", "missing or empty"),
        ("work/empty.txt", "loss", "missing or empty"),
        ("work", "loss", "missing or empty"),
        ("../secret", "loss", "leads out"),
        ("work/large.txt", "xxx", "too large"),
    ],
)
def test_a_quote_that_does_not_stand_there_is_refused(root: str, file: str, quote: str, why: str) -> None:
    Path(root, "work/empty.txt").touch()
    with open(f"{root}/work/large.txt", "wb") as large:
        large.truncate(gates.LARGEST_ANCHOR + 1)
    with pytest.raises(GateError, match=why):
        gates.anchored(root, file, quote)


def test_an_anchor_in_a_binary_file_is_searched_without_a_crash(root: str) -> None:
    Path(root, "work/x.bin").write_bytes(b"\xff\xfe loss 0.5 \x00")
    gates.anchored(root, "work/x.bin", "loss 0.5")


def test_planned_files_must_exist_hold_something_and_be_newer_than_the_plan(root: str) -> None:
    Path(root, "work/empty.txt").touch()
    os.utime(f"{root}/work/log.txt", (1000, 1000))
    assert set(gates.written(root, ["work/log.txt"], 999.5)) == {"work/log.txt"}
    with pytest.raises(GateError) as caught:
        gates.written(root, ["work/log.txt", "work/empty.txt", "work/none.txt"], 1000.5)
    for fault in ("log.txt is older", "empty.txt is empty", "none.txt does not exist"):
        assert fault in caught.value.wrong


def test_a_planned_file_outside_the_project_is_refused(root: str) -> None:
    with pytest.raises(GateError, match="leads out"):
        gates.written(root, ["../x"], 0)
