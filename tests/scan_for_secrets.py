"""Looks through what a whole test run left behind: no ledger, log, event, answer or report may hold a token.

    python tests/scan_for_secrets.py FOLDER

Scans every file below a `runs` folder and in every store. Exit 1 when one holds what looks like a token, and when there
was nothing to look at: a check that looked at nothing proves nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# every token that the tests use has the Hub's own shape
TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b")
PLACES = ("runs", "ml-research")


def written(top: Path) -> Iterator[Path]:
    """Files below a `runs` folder or a store, links not followed."""
    for here, _, names in os.walk(top):
        if set(PLACES) & set(Path(here).relative_to(top).parts):
            yield from (Path(here, name) for name in names)


def main(folder: str) -> int:
    looked, ledgers, found = 0, 0, []
    for path in written(Path(folder)):
        if not path.is_file() or path.is_symlink():
            continue
        looked, ledgers = looked + 1, ledgers + (path.name == "ledger.jsonl")
        if TOKEN.search(path.read_bytes()):
            found.append(path)
    print(f"{looked} files, {ledgers} ledgers, {len(found)} with a token", *found, sep="\n")
    return 1 if found or not ledgers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
