"""The store: whole files or none, one lock at a time, and nothing that can not be read passes for absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlresearch import store
from mlresearch.errors import LedgerError, SealError, UsageError

SCRIPTS = Path(store.__file__).parents[1]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> str:
    folder = tmp_path / "project"
    folder.mkdir()
    return os.path.realpath(folder)


def test_the_store_is_under_the_data_folder_of_the_user(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.base() == f"{data}/ml-research"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert store.base() == "/home/someone/.local/share/ml-research"


def test_a_relative_data_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("HOME", "/home/someone")
    assert store.base() == "/home/someone/.local/share/ml-research"


def test_a_seal_lies_where_a_shell_can_test_for_it(data: Path, root: str) -> None:
    store.put(store.seal_path(root), {"a": 1})
    found = subprocess.run(["sh", "-c", f'[ -e "{data}/ml-research/roots{root}/.seal/seal.json" ]'], check=False)
    assert found.returncode == 0


def test_a_root_reached_through_a_link_is_the_same_root(root: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert store.root_dir(str(tmp_path / "link")) == store.root_dir(root)


def test_sealed_folders_are_found_upwards_and_nearest_first(root: str) -> None:
    inner = f"{root}/a/b"
    os.makedirs(inner)
    store.put(store.seal_path(root), {})
    store.put(store.seal_path(inner), {})
    assert store.sealed_roots_above(f"{inner}/c") == [inner, root]
    assert store.sealed_roots_above(f"{root}/a") == [root]
    assert store.sealed_roots_above("/") == []


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "é", "\ud800"]}, [], "", 0, False])
def test_what_is_put_is_what_is_got(root: str, value: object) -> None:
    store.put(f"{root}/x.json", value)
    assert store.get(f"{root}/x.json") == value


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["empty", "half", "null", "not UTF-8", "deep", "5,000 digits"],
)
def test_what_can_not_be_read_is_an_error_and_never_absent(root: str, content: bytes) -> None:
    Path(root, "x.json").write_bytes(content)
    with pytest.raises(SealError) as caught:
        store.get(f"{root}/x.json")
    assert f"{root}/x.json" in caught.value.wrong


def test_a_folder_in_a_files_place_is_an_error(root: str) -> None:
    os.mkdir(f"{root}/x.json")
    with pytest.raises(SealError):
        store.get(f"{root}/x.json")


def test_what_is_not_there_is_none(root: str) -> None:
    assert store.get(f"{root}/x.json") is None


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(root: str) -> None:
    store.put_text(f"{root}/x", "old")
    with pytest.raises(UnicodeEncodeError):
        store.put_text(f"{root}/x", "\ud800")
    os.mkdir(f"{root}/folder")
    with pytest.raises(OSError):
        store.put_text(f"{root}/folder", "text")
    assert sorted(os.listdir(root)) == ["folder", "x"]
    assert Path(root, "x").read_text() == "old"


def test_a_short_record_is_overwritten_in_place(root: str) -> None:
    for text in ("a" * 64 + "\n", "b" * 64 + "\n"):
        store.overwrite(f"{root}/x", text)
        assert Path(root, "x").read_text() == text


def test_a_session_remembers_its_root(root: str) -> None:
    store.record_session("5e5-ab_C", root)
    assert store.session_root("5e5-ab_C") == root
    assert store.session_root("another") is None


@pytest.mark.parametrize("session", ["", "..", "a/b", "a b", "a\n", "x" * 129, "a.b"])
def test_a_session_id_that_could_be_a_path_is_none(root: str, session: str) -> None:
    assert store.session_root(session) is None
    with pytest.raises(UsageError):
        store.record_session(session, root)


def test_a_damaged_session_record_is_an_error(root: str, data: Path) -> None:
    store.record_session("s1", root)
    (data / "ml-research/sessions/s1").write_bytes(b"\xff")
    with pytest.raises(SealError):
        store.session_root("s1")


HOLDER = """
import sys
from mlresearch import store
with store.locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(root: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, root]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_that_another_process_holds_is_refused_with_its_path(root: str, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LedgerError) as caught, store.locked(root, wait_s=0.05):
        pass
    assert "ledger.lock" in caught.value.wrong
    with store.locked(root, "campaign", wait_s=0.05):
        pass  # another name is another lock


def test_a_killed_holder_frees_its_lock(root: str, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with store.locked(root, wait_s=5):
        pass


def test_an_error_inside_frees_the_lock(root: str) -> None:
    with pytest.raises(ZeroDivisionError), store.locked(root):
        raise ZeroDivisionError
    with store.locked(root, wait_s=0.05):
        pass


def test_stored_files_are_plain_json(root: str) -> None:
    store.put(f"{root}/x.json", {"b": 1, "a": "é"})
    assert json.loads(Path(root, "x.json").read_bytes()) == {"a": "é", "b": 1}
