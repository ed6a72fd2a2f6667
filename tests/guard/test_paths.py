"""Which paths are protected, by every spelling of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlresearch.guard.paths import Places

KINDS = {
    "program.md": "program",
    "./program.md": "program",
    "work/../program.md": "program",
    "@ROOT@/program.md": "program",
    "runs": "runs",
    "runs/": "runs",
    "runs/jobs/j0001/log.txt": "runs",
    "data/test.npz": "sealed data",
    "data/hidden": "sealed data",
    "data/hidden/labels.csv": "sealed data",
    "data/train.npz": "other",
    "eval.py": "sealed file",
    "tests/test_train.py": "sealed file",
    "train.py": "",
    "src/model.py": "",
    "src/deep/model.py": "other",
    "src/model.txt": "other",
    "trainer.py": "other",
    "work": "",
    "work/a/b.txt": "",
    "workshop/a": "other",
    ".": "",
    ".git/hooks/pre-commit": "other",
    ".claude/settings.json": "settings",
    ".claude/agents/x.md": "settings",
    ".mcp.json": "settings",
    "/tmp/x": "",
    "../elsewhere/.claude/settings.local.json": "settings",
    "~/.claude/settings.json": "settings",
    "~/.claude/plugins/x": "settings",
    "~/.bashrc": "settings",
    "~/notes.txt": "",
    "@PLUGIN@/scripts/guard.py": "plugin",
    "@STORE@/roots/x": "store",
    "@STORE@": "store",
    "\ud800": "other",
}


@pytest.mark.parametrize("path", KINDS)
def test_a_path_has_one_kind_however_it_is_written(path: str, sealed: Any) -> None:
    assert Places(sealed.situation()).kind(sealed.fill(path), str(sealed.root)) == KINDS[path]


def test_a_link_is_followed_and_still_counts_as_itself(sealed: Any, tmp_path: Path) -> None:
    places, link = Places(sealed.situation()), tmp_path / "link"
    link.symlink_to(sealed.root / "program.md")
    assert places.kind(str(link), "/") == "program"
    inside = sealed.root / "work" / "link"
    inside.symlink_to("../data/test.npz")
    assert places.secret("work/link", str(sealed.root)) == "peek"
    inside.unlink()


PATTERNS = {
    "prog*.md": "program",
    "run?/ledger.jsonl": "runs",
    "r[u]ns": "runs",
    "*": "program",
    "work/*": "",
    "/tmp/*": "",
    "src/*.py": "",
    "*.log": "other",
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_counts_as_what_it_could_match(pattern: str, sealed: Any) -> None:
    assert Places(sealed.situation()).could_match(pattern, str(sealed.root)) == PATTERNS[pattern]


@pytest.mark.parametrize(
    ("path", "holds"), [(".", True), ("..", True), ("/", True), ("work", False), ("@STORE@/..", True)]
)
def test_a_folder_holds_what_lies_below_it(path: str, holds: bool, sealed: Any) -> None:
    assert Places(sealed.situation()).holds(sealed.fill(path), str(sealed.root)) is holds


SECRET = {
    "data/test.npz": "peek",
    "./data/hidden/x": "peek",
    "data/train.npz": "",
    "train.py": "",
    "@STORE@/x": "peek",
    "~/.cache/huggingface/token": "credential",
    "~/.cache/huggingface/hub": "",
}


@pytest.mark.parametrize("path", SECRET)
def test_sealed_data_the_store_and_tokens_may_not_be_read(path: str, sealed: Any) -> None:
    assert Places(sealed.situation()).secret(sealed.fill(path), str(sealed.root)) == SECRET[path]
