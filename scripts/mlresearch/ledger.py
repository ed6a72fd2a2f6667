"""`runs/ledger.jsonl`: append-only, one JSON event a line, each carrying the hash of the line before.

Owns the file's form, its lock and its floors, which are kept outside the project: a checkpoint (rows, bytes, head
hash, totals) and the hashes of the row being written and of the one before, announced before the write. Refuses to
build on a ledger that is shorter than what was acknowledged, whose last acknowledged row was edited, or that goes on
with rows nobody announced: rows that follow each other are easily made. A half-written last row that nobody
acknowledged is set aside: no provider is called before the fsync returns, so such a row authorized nothing.
"""

from __future__ import annotations

import os
import time

from mlresearch import light_json, store
from mlresearch.errors import LedgerError, SealError, shown
from mlresearch.light_hash import sha256
from mlresearch.standing import Standing, fold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from typing import Any, BinaryIO

LONGEST_ROW = 1 << 20
_VERIFY = "campaign.py verify names the damage; restore the file from a copy, or move it away and approve anew"


def path_of(root: str) -> str:
    return os.path.join(root, "runs", "ledger.jsonl")


def _checkpoint_path(root: str) -> str:
    return store.root_dir(root) + "/checkpoint.json"


def _announced_path(root: str) -> str:
    return store.root_dir(root) + "/announced"


def standing(root: str) -> Standing:
    """Where the ledger stands, read without a lock: the checkpoint plus the whole rows written since.

    Raises LedgerError when the file is not what the floors say, SealError when the floors can not be read.
    """
    while True:
        found = _checkpoint(root)
        head = found.head
        try:
            return _caught_up(root, found)
        except LedgerError:
            if _checkpoint(root).head == head:  # else a writer went on between two of our reads
                raise


def _checkpoint(root: str) -> Standing:
    stored = store.get(_checkpoint_path(root))
    if stored is None:
        return Standing()
    try:
        return Standing.restore(stored)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        raise SealError(f"{_checkpoint_path(root)} is damaged", next_step=_VERIFY) from None


def _caught_up(root: str, found: Standing) -> Standing:
    path, floor = path_of(root), found.seq
    size = os.path.getsize(path) if os.path.exists(path) else 0
    if size < found.offset:
        told = f"{path} has {size} bytes and {found.offset} were acknowledged: it was cut or replaced"
        raise LedgerError(told, "a file that only grows", _VERIFY)
    if size:
        with open(path, "rb") as file:
            _check_head(file, found, path)
            file.seek(found.offset)
            for line in _whole_lines(file, found.seq):
                _add(found, line)
    if found.seq > floor:
        _must_be_announced(root, found)
    return found


def _check_head(file: BinaryIO, found: Standing, path: str) -> None:
    """The last acknowledged row must still be there, to the byte."""
    if not found.seq:
        return
    back = min(found.offset, 4096)
    while True:
        file.seek(found.offset - back)
        tail = file.read(back)
        start = tail.rfind(b"\n", 0, len(tail) - 1) + 1
        if start or back == found.offset:
            break
        back = min(found.offset, back * 8)
    if sha256(tail[start:-1]) != found.head or not tail.endswith(b"\n"):
        told = f"row {found.seq} of {path} is not the one that was acknowledged"
        raise LedgerError(told, "rows as they were written", _VERIFY)


def _must_be_announced(root: str, found: Standing) -> None:
    """Rows past the checkpoint are ours when the last of them was announced: its hash speaks for those before."""
    try:
        with open(_announced_path(root), "rb") as file:
            announced = file.read(200).decode("ascii", "replace").split()
    except FileNotFoundError:
        # a ledger that came from elsewhere may be read; beside a seal or a checkpoint it is a forgery
        if not os.path.lexists(_checkpoint_path(root)) and not os.path.lexists(store.seal_path(root)):
            return
        announced = []
    if found.head not in announced:
        told = f"row {found.seq} of {path_of(root)} was not written by this package"
        raise LedgerError(told, "rows that were announced in the store", _VERIFY)


def _whole_lines(file: BinaryIO, seq: int) -> Iterator[bytes]:
    """The rows after row `seq`; a last one without its end is left out."""
    while line := file.readline(LONGEST_ROW + 1):
        seq += 1
        if line.endswith(b"\n"):
            yield line
        elif len(line) > LONGEST_ROW:
            raise LedgerError(f"row {seq} is longer than {LONGEST_ROW} bytes", next_step=_VERIFY)


def _add(found: Standing, line: bytes) -> None:
    """Check one row against the one before and fold it."""
    row = parse_row(line[:-1], found.seq + 1, found.head)
    try:
        fold(found, row)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        told = f"row {row['seq']} ({shown(row['event'])}) does not fit the rows before: {str(error)[:80]}"
        raise LedgerError(told, next_step=_VERIFY) from None
    found.offset += len(line)
    found.head = sha256(line[:-1])


def parse_row(line: bytes, seq: int, head: str) -> dict[str, Any]:
    """One row, checked: whole JSON, its number, the hash of the row before. Raises LedgerError naming the row."""
    try:
        row = light_json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        told = f"row {seq} can not be read ({str(error)[:80]})"
        raise LedgerError(told, "one JSON object a line", _VERIFY) from None
    if not isinstance(row, dict) or not {"seq", "ts", "prev", "event"} <= set(row):
        raise LedgerError(f"row {seq} is not a ledger row", "an object with seq, ts, prev and event", _VERIFY)
    if type(row["seq"]) is not int or row["seq"] != seq:
        told = f"row {seq} carries the number {shown(row['seq'])}"
        raise LedgerError(told, f"{seq}: no row is missing or moved", _VERIFY)
    if row["prev"] != head:
        told = f"row {seq - 1} was edited: row {seq} carries another hash of it"
        raise LedgerError(told, next_step=_VERIFY)
    return row


class Transaction:
    """The ledger under its lock. `standing` is current; every `append` is on disk when it returns."""

    def __init__(self, root: str, standing: Standing, file: Any) -> None:
        self.root, self.standing, self._file = root, standing, file

    def append(self, event: str, **fields: Any) -> dict[str, Any]:
        """Write and fsync one row; raises LedgerError (nothing written) when it does not fit the rows before."""
        import json

        before, now = self.standing, round(time.time(), 3)
        row = {"seq": before.seq + 1, "ts": now, "prev": before.head, "event": event, **fields}
        try:
            text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise LedgerError(f"a {event} row holds what is no JSON ({error})", "finite numbers, text, lists") from None
        line = text.encode("utf-8", "backslashreplace") + b"\n"
        if len(line) > LONGEST_ROW:
            raise LedgerError(f"a {event} row of {len(line)} bytes is too long", f"at most {LONGEST_ROW}")
        offset = before.offset
        try:
            _add(self.standing, line)
            self._write(line, row["prev"])
        except BaseException:
            self._file.truncate(offset)
            self.standing = standing(self.root)  # the fold had begun to change the one in memory
            raise
        # not synced with its folder: after a power cut the announced hash vouches for the rows past an older one
        store.put(_checkpoint_path(self.root), self.standing.dump(), is_synced=False)
        return row

    def _write(self, line: bytes, head: str) -> None:
        # both: after a kill the row before may still be past the checkpoint, and this one may never be written
        store.overwrite(_announced_path(self.root), f"{head} {self.standing.head}\n")
        if self._file.write(line) != len(line):
            raise LedgerError(f"row {self.standing.seq} was written in part", next_step="make room on the disk")
        os.fsync(self._file.fileno())


class Held:
    """The lock and the open file of one transaction, for the length of a `with` block."""

    def __init__(self, root: str) -> None:
        self._root, self._lock = root, store.locked(root)
        self._file: FileIO | None = None

    def __enter__(self) -> Transaction:
        self._lock.__enter__()
        try:
            found, path = standing(self._root), path_of(self._root)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            is_new = not os.path.exists(path)
            self._file = open(path, "ab", buffering=0)
            if is_new:
                store.sync_folder(os.path.dirname(path))
            _set_torn_tail_aside(self._root, found, self._file)
        except BaseException:
            self.__exit__()
            raise
        return Transaction(self._root, found, self._file)

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()
        self._lock.__exit__()


def transaction(root: str) -> Held:
    """Hold the lock, read where the ledger stands, append. Nobody else reserves in between."""
    return Held(root)


def _set_torn_tail_aside(root: str, found: Standing, file: Any) -> None:
    if os.path.getsize(path_of(root)) == found.offset:
        return
    with open(path_of(root), "rb") as whole, open(path_of(root) + ".torn", "ab") as torn:
        whole.seek(found.offset)
        torn.write(whole.read() + b"\n")
        torn.flush()
        os.fsync(torn.fileno())
    file.truncate(found.offset)
    os.fsync(file.fileno())


def append(root: str, event: str, **fields: Any) -> dict[str, Any]:
    with transaction(root) as held:
        return held.append(event, **fields)


def rows(root: str) -> Iterator[dict[str, Any]]:
    """Every row from the first, each checked against the one before. A half-written tail is left out."""
    seq, head = 0, "0" * 64
    try:
        file = open(path_of(root), "rb")  # noqa: SIM115 - closed by the with below; only the open may fail here
    except FileNotFoundError:
        return
    with file:
        for line in _whole_lines(file, 0):
            seq += 1
            row = parse_row(line[:-1], seq, head)
            head = sha256(line[:-1])
            yield row


def verify(root: str) -> list[str]:
    """Every fault found, the first damaged row first; an empty list means that the ledger is whole."""
    with store.locked(root):  # a row that is being written is no fault
        replay, faults, floor = Standing(), [], _checkpoint(root)
        try:
            faults += _replay(root, replay, floor)
            if replay.seq > floor.seq:
                _must_be_announced(root, replay)
        except FileNotFoundError:
            faults.append(f"{path_of(root)} does not exist")
        except LedgerError as error:
            faults.append(error.wrong)
    if replay.seq < floor.seq:
        faults.append(f"the rows can be followed to row {replay.seq}, and {floor.seq} were acknowledged")
    return faults


def _replay(root: str, replay: Standing, floor: Standing) -> list[str]:
    """Fold every whole row from the first, and compare with the floor on the way."""
    faults = []
    with open(path_of(root), "rb") as file:
        for line in _whole_lines(file, 0):
            _add(replay, line)
            if replay.seq == floor.seq and replay.head != floor.head:
                faults.append(f"row {floor.seq} is not the one that was acknowledged")
            elif replay.seq == floor.seq and replay.dump() != floor.dump():
                faults.append(f"rows 1 to {floor.seq} add up to another state than the one acknowledged")
        torn = os.fstat(file.fileno()).st_size - replay.offset
    if torn:
        faults.append(f"row {replay.seq + 1} is cut: its {torn} bytes have no end")
    return faults


def forget(root: str) -> None:
    """Drop the floors of a ledger that no longer exists: a person approves a new campaign in its place."""
    if os.path.exists(path_of(root)):
        told = f"{path_of(root)} still exists"
        raise LedgerError(told, "floors are dropped only when their ledger is gone", _VERIFY)
    for path in (_checkpoint_path(root), _announced_path(root)):
        if os.path.exists(path):
            os.replace(path, path + ".old")
