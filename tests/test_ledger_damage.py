"""Damage to the ledger: every byte, row and file that is not what was acknowledged is found, named and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_home import Home, following, rows
from mlresearch import ledger


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A filled ledger that damage tests share: each puts back what it changed."""
    top = tmp_path_factory.mktemp("ledger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(top / "data"))
        made = Home(top)
        made.fill()
        yield made


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test on the shared ledger it is what it was before."""
    if "full" not in request.fixturenames:
        yield
        return
    full: Home = request.getfixturevalue("full")
    content = full.path.read_bytes()
    yield
    assert full.path.read_bytes() == content
    assert ledger.verify(full.root) == []


def found(full: Home, content: bytes) -> tuple[list[str], bool]:
    """What verify says and whether a transaction is refused, with `content` in the ledger's place."""
    kept = full.path.read_bytes()
    try:
        full.path.write_bytes(content)
        return ledger.verify(full.root), full.refuses()
    finally:
        full.path.write_bytes(kept)
        Path(f"{full.path}.torn").unlink(missing_ok=True)


def test_every_changed_byte_is_found(full: Home) -> None:
    content = full.path.read_bytes()
    last = len(content) - len(rows(content)[-1])
    assert len(content) > 1200
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        faults, refused = found(full, bytes(changed))
        assert faults, place
        assert faults[0].startswith("row "), faults
        assert refused or place < last, place


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_any_other_byte_in_any_place_is_found(full: Home, place: int, value: int) -> None:
    content = full.path.read_bytes()
    place %= len(content)
    changed = content[:place] + bytes([value]) + content[place + 1 :]
    assert bool(found(full, changed)[0]) == (changed != content)


def test_every_cut_is_found_and_refused(full: Home) -> None:
    content = full.path.read_bytes()
    for length in range(len(content)):
        faults, refused = found(full, content[:length])
        assert faults and refused, length


def test_every_deleted_row_is_found_and_refused(full: Home) -> None:
    lines = rows(full.path.read_bytes())
    for place in range(len(lines)):
        faults, refused = found(full, b"".join(lines[:place] + lines[place + 1 :]))
        assert faults and refused, place


def test_every_pair_of_swapped_rows_is_found_and_named(full: Home) -> None:
    lines = rows(full.path.read_bytes())
    for place in range(len(lines) - 1):
        swapped = [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
        faults, _ = found(full, b"".join(swapped))
        assert faults[0].startswith(f"row {place + 1} carries the number {place + 2}")


FOREIGN: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda content: b"hello\n",
    "an empty line": lambda content: b"\n",
    "the last row again": lambda content: rows(content)[-1],
    "a byte order mark": lambda content: b"\xef\xbb\xbf" + following(content, "note"),
    "NUL": lambda content: b"\0" * 100 + b"\n",
    "a list": lambda content: b"[]\n",
    "a number": lambda content: b"7\n",
    "null": lambda content: b"null\n",
    "not UTF-8": lambda content: b'{"seq": "\xff"}\n',
    "twin keys": lambda content: following(content, "note").replace(b'"ts"', b'"seq": 7, "ts"'),
    "NaN": lambda content: following(content, "note", x=float("nan")),
    "infinity by exponent": lambda content: following(content, "note", x=1).replace(b'"x": 1', b'"x": 1e999'),
    "5,000 digits": lambda content: following(content, "note", x=1).replace(b'"x": 1', b'"x": ' + b"9" * 5000),
    "a deep list": lambda content: b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "a deep object": lambda content: b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
    "its number as float": lambda content: following(content, "note").replace(b'"seq": 7', b'"seq": 7.0'),
    "its event a list": lambda content: following(content, "note").replace(b'"note"', b'["note"]'),
    "half an object": lambda content: b'{"seq": 7}\n',
    "a very long row": lambda content: b" " * (ledger.LONGEST_ROW + 1) + b"\n",
    "a very long row without end": lambda content: b"x" * (3 * ledger.LONGEST_ROW),
    "a row of a kind, well made": lambda content: following(content, "note"),
    "money back, well made": lambda content: following(content, "settled", job="j0002", billed_s=0, billed_micro=0),
    "a new campaign, well made": lambda content: following(content, "approved", campaign="another"),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_row_that_the_package_did_not_write_is_named_and_refused(full: Home, make: Callable[[bytes], bytes]) -> None:
    content = full.path.read_bytes()
    faults, refused = found(full, content + make(content))
    assert refused
    assert faults and faults[0].startswith("row 7 ")
    assert len(faults[0]) < 400


def test_another_whole_ledger_in_its_place_is_refused(full: Home, tmp_path: Path) -> None:
    other = Home(tmp_path)
    for _ in range(12):
        ledger.append(other.root, "note")
    faults, refused = found(full, other.path.read_bytes())
    assert faults and refused


def test_a_ledger_that_is_gone_is_refused(full: Home) -> None:
    kept = full.path.read_bytes()
    full.path.unlink()
    try:
        assert ledger.verify(full.root)
        assert full.refuses()
    finally:
        full.path.write_bytes(kept)
