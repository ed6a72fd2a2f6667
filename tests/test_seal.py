"""The seal: what a person approved, bound to one folder and to every character of the machine-read blocks."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch import program, seal, store
from mlresearch.campaign import approval
from mlresearch.errors import SealError

TEMPLATE = (Path(seal.__file__).parents[2] / "program.template.md").read_text()
NOW = 1_800_000_000.0
ENVELOPE = "## Budget envelope\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def root(tmp_path: Path) -> str:
    folder = tmp_path / "project"
    folder.mkdir()
    return os.path.realpath(folder)


@pytest.fixture
def sealed(root: str) -> str:
    Path(root, "program.md").write_text(TEMPLATE)
    approval.approve(root, program.parse(TEMPLATE).digest, NOW)
    return root


def state(root: str, now: float = NOW + 1) -> str:
    return seal.state(root, seal.load(root), now)


def test_a_folder_without_our_program_has_no_state(root: str) -> None:
    assert state(root) == "none"
    Path(root, "program.md").write_text("# Notes of another tool\n")
    assert state(root) == "none"


def test_a_program_that_nobody_approved_is_a_draft(root: str) -> None:
    Path(root, "program.md").write_text(TEMPLATE)
    assert state(root) == "draft"


def test_an_approved_program_is_sealed_until_it_expires(sealed: str) -> None:
    week = 7 * 86400
    assert state(sealed) == state(sealed, NOW + week - 1) == "sealed"
    assert state(sealed, NOW + week) == "expired"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(TEMPLATE.replace("max_jobs: 100", "max_jobs: 101")),
        lambda path: path.write_text(TEMPLATE.replace(ENVELOPE, "## Another heading\n")),
        lambda path: path.write_text(""),
        lambda path: path.unlink(),
    ],
    ids=["raised limit", "heading gone", "empty", "deleted"],
)
def test_a_program_that_differs_from_its_seal_authorizes_nothing(sealed: str, change: Callable[[Path], object]) -> None:
    change(Path(sealed, "program.md"))
    assert state(sealed) == "changed"
    with pytest.raises(SealError, match="differs"):
        seal.require(sealed, NOW + 1)


def test_words_between_the_blocks_may_change(sealed: str) -> None:
    text = TEMPLATE.replace("# Program\n", "# Our plan\n\nWith a remark.\n")
    Path(sealed, "program.md").write_text(text)
    assert state(sealed) == "sealed"


@pytest.mark.parametrize(("found", "why"), [("none", "no approved"), ("draft", "not approved")])
def test_without_a_seal_the_refusal_says_why_and_what_next(root: str, found: str, why: str) -> None:
    if found == "draft":
        Path(root, "program.md").write_text(TEMPLATE)
    with pytest.raises(SealError, match=why) as caught:
        seal.require(root, NOW)
    assert "program.py" in caught.value.next_step


def test_an_expired_seal_is_refused(sealed: str) -> None:
    assert seal.require(sealed, NOW + 1).campaign
    with pytest.raises(SealError, match="expired"):
        seal.require(sealed, NOW + 8 * 86400)


def test_a_seal_copied_to_another_folder_is_refused(sealed: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    os.mkdir(other)
    shutil.copy(f"{sealed}/program.md", other)
    shutil.copytree(store.root_dir(sealed), store.root_dir(other))
    with pytest.raises(SealError, match="belongs to"):
        seal.load(other)


def stored(root: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(store.seal_path(root)).read_bytes())
    return found


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda seal: seal.update(version=2),
    "a key more": lambda seal: seal.update(extra=1),
    "a key less": lambda seal: seal.pop("salt"),
    "no limits": lambda seal: seal.update(limits={}),
    "limits a list": lambda seal: seal.update(limits=[]),
    "a limit less": lambda seal: seal["limits"].pop("max_jobs"),
    "a limit as text": lambda seal: seal["limits"].update(max_jobs="100"),
    "a limit as float": lambda seal: seal["limits"].update(max_jobs=1e9),
    "a limit true": lambda seal: seal["limits"].update(max_jobs=True),
    "a negative limit": lambda seal: seal["limits"].update(max_usd_micro=-1),
    "backends as text": lambda seal: seal["limits"].update(backends="local"),
    "flavors of numbers": lambda seal: seal["limits"].update(allowed_flavors=[1]),
    "a deadline that never comes": lambda seal: seal["limits"].update(deadline=float("nan")),
    "a share above one": lambda seal: seal["limits"].update(reserve_final=1.5),
    "never expires": lambda seal: seal.update(expires_at=float("inf")),
    "expires as text": lambda seal: seal.update(expires_at="2099"),
    "approved true": lambda seal: seal.update(approved_at=True),
    "a program of text": lambda seal: seal.update(program="x"),
    "an empty campaign": lambda seal: seal.update(campaign=""),
    "a root of null": lambda seal: seal.update(root=None),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_seal_is_an_error_and_never_no_seal(sealed: str, damage: Callable[[dict[str, Any]], object]) -> None:
    changed = stored(sealed)
    damage(changed)
    Path(store.seal_path(sealed)).write_text(json.dumps(changed))
    with pytest.raises(SealError) as caught:
        seal.load(sealed)
    assert store.seal_path(sealed) in caught.value.wrong


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"7", b"{", b"\xff\xfe"])
def test_a_seal_file_that_is_no_seal_is_an_error(sealed: str, content: bytes) -> None:
    Path(store.seal_path(sealed)).write_bytes(content)
    with pytest.raises(SealError):
        seal.load(sealed)


def test_a_half_written_seal_can_not_happen_and_would_be_refused(sealed: str) -> None:
    raw = Path(store.seal_path(sealed)).read_bytes()
    for length in range(0, len(raw) - 2, 7):
        Path(store.seal_path(sealed)).write_bytes(raw[:length])
        with pytest.raises(SealError):
            seal.load(sealed)


def test_closing_ends_the_approval_and_keeps_the_seal_beside_it(sealed: str) -> None:
    campaign = seal.require(sealed, NOW).campaign
    seal.close(sealed)
    assert state(sealed) == "draft"
    assert os.path.exists(f"{store.root_dir(sealed)}/closed-{campaign}.json")
    seal.close(sealed)  # closing twice is closing once


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (ENVELOPE.encode() + b"x" * seal.LARGEST_BYTES, "larger than"),
        (ENVELOPE.encode() + b"\xff", "not UTF-8"),
    ],
    ids=["too large", "not UTF-8"],
)
def test_a_program_that_can_not_be_read_is_refused(root: str, content: bytes, why: str) -> None:
    Path(root, "program.md").write_bytes(content)
    with pytest.raises(SealError, match=why):
        seal.read_program(root)


def test_a_folder_in_the_programs_place_is_refused(root: str) -> None:
    os.mkdir(f"{root}/program.md")
    with pytest.raises(SealError, match="can not be read"):
        seal.read_program(root)


def test_a_large_program_under_a_seal_is_changed(sealed: str) -> None:
    Path(sealed, "program.md").write_text("x" * (seal.LARGEST_BYTES + 1) + TEMPLATE)
    assert state(sealed) == "changed"


def test_a_program_below_a_sealed_folder_does_not_replace_it(sealed: str) -> None:
    inner = Path(sealed, "inner")
    inner.mkdir()
    (inner / "program.md").write_text(TEMPLATE)
    assert seal.open_root(str(inner)) == sealed


def test_the_nearest_program_upwards_is_the_project(root: str) -> None:
    os.makedirs(f"{root}/a/b")
    Path(root, "program.md").write_text(TEMPLATE)
    assert seal.open_root(f"{root}/a/b") == root
    assert seal.open_root("/") is None


BLOCK = "```yaml\nmax_jobs: 1\n```\n"
READ: dict[str, tuple[str, list[str]]] = {
    "plain": (f"{ENVELOPE}\n{BLOCK}", ["max_jobs: 1\n"]),
    "CRLF": (f"{ENVELOPE}\n{BLOCK}".replace("\n", "\r\n"), ["max_jobs: 1\n"]),
    "trailing spaces": ("## Budget envelope  \n```yaml  \nmax_jobs: 1\t \n```  \n", ["max_jobs: 1\n"]),
    "no end of the last fence": (f"{ENVELOPE}```yaml\nmax_jobs: 1", ["max_jobs: 1\n"]),
    "two blocks": (ENVELOPE + BLOCK * 2, ["max_jobs: 1\n"] * 2),
    "heading twice": ((ENVELOPE + BLOCK) * 2, ["max_jobs: 1\n", "(the heading comes twice)\n", "max_jobs: 1\n"]),
    "empty heading, then another": (ENVELOPE * 2 + BLOCK, ["(the heading comes twice)\n", "max_jobs: 1\n"]),
    "no block": (ENVELOPE, []),
    "another language": (f"{ENVELOPE}```json\n{{}}\n```\n", []),
    "under another heading": (f"{ENVELOPE}### More\n{BLOCK}", []),
    "heading in a fence": (f"```\n{ENVELOPE}{BLOCK[3:]}{ENVELOPE}{BLOCK}", ["max_jobs: 1\n"]),
    "heading in a longer fence": (f"````\n{ENVELOPE}{BLOCK}````\n{ENVELOPE}", []),
    "heading in an indented fence": (f"  ~~~\n{ENVELOPE}{BLOCK}~~~\n{ENVELOPE}", []),
    "tildes inside backticks": (f"{ENVELOPE}```yaml\n~~~\n```\n", ["~~~\n"]),
    "a shorter fence inside a longer": (f"{ENVELOPE}````\n{BLOCK}````\n{BLOCK}", ["max_jobs: 1\n"]),
    "four spaces are no fence": (f"    ```\n{ENVELOPE}{BLOCK}", ["max_jobs: 1\n"]),
    "a longer closing fence": (f"{ENVELOPE}```yaml\nmax_jobs: 1\n`````\ntext\n", ["max_jobs: 1\n"]),
    "heading in a comment": (f"<!--\n{ENVELOPE}{BLOCK}-->\n{ENVELOPE}", []),
    "heading in a comment after text": (f"text <!--\n{ENVELOPE}{BLOCK}-->\n{ENVELOPE}", []),
    "a comment on one line": (f"<!-- note -->\n{ENVELOPE}{BLOCK}", ["max_jobs: 1\n"]),
    "a comment that ends and begins": (f"<!-- a\n--> b <!-- c\n{ENVELOPE}-->\n{ENVELOPE}{BLOCK}", ["max_jobs: 1\n"]),
    "a comment inside the block": (f"{ENVELOPE}```yaml\n<!-- x\n```\n", ["<!-- x\n"]),
}


@pytest.mark.parametrize(("text", "found"), READ.values(), ids=READ)
def test_blocks_are_those_that_a_reader_of_the_page_sees(text: str, found: list[str]) -> None:
    assert seal.blocks(text).get("Budget envelope") == found


@pytest.mark.parametrize(
    "heading", ["# Budget envelope", "### Budget envelope", " ## Budget envelope", "## budget envelope"]
)
def test_only_the_exact_heading_counts(heading: str) -> None:
    assert seal.blocks(f"{heading}\n{BLOCK}") == {}


def _inside_blocks() -> list[int]:
    """Places of characters in the template's yaml blocks."""
    places: list[int] = []
    start = 0
    while (start := TEMPLATE.find("```yaml\n", start)) >= 0:
        end = TEMPLATE.index("\n```\n", start)
        places += range(start + len("```yaml\n"), end)
        start = end
    return places


INSIDE = _inside_blocks()


def test_the_template_has_five_blocks_to_change() -> None:
    assert len(INSIDE) > 800
    assert set(seal.blocks(TEMPLATE)) == set(seal.HEADINGS)


@given(st.sampled_from(INSIDE), st.characters(categories=["L", "N", "P", "S"]))
def test_the_digest_sees_every_character_of_a_block(place: int, letter: str) -> None:
    changed = TEMPLATE[:place] + letter + TEMPLATE[place + 1 :]
    assert (seal.digest_of(changed) == seal.digest_of(TEMPLATE)) == (changed == TEMPLATE)


@given(st.sampled_from(INSIDE))
def test_the_digest_sees_every_deleted_character(place: int) -> None:
    changed = TEMPLATE[:place] + TEMPLATE[place + 1 :]
    if seal.blocks(changed) != seal.blocks(TEMPLATE):
        assert seal.digest_of(changed) != seal.digest_of(TEMPLATE)
    else:  # one of several line ends or spaces before a line end
        assert not TEMPLATE[place].strip()


def test_the_digest_is_the_same_with_other_line_ends() -> None:
    assert seal.digest_of(TEMPLATE.replace("\n", "\r\n")) == seal.digest_of(TEMPLATE)


def test_blocks_may_not_change_places() -> None:
    swapped = TEMPLATE.replace("## Goal", "## X").replace("## Scope", "## Goal").replace("## X", "## Scope")
    assert seal.digest_of(swapped) != seal.digest_of(TEMPLATE)


def test_the_state_needs_no_clock_but_its_argument(sealed: str) -> None:
    assert state(sealed, time.time() - 10**9) == "sealed"
