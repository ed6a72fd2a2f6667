"""Checks of the words in every file: nothing unfinished, nothing of the machine it was written on."""

from __future__ import annotations

import re

from repo_checks.inspection import Inspection

# Written so that the patterns do not match themselves.
_FORBIDDEN = {
    "unfinished work": re.compile(r"\b(?:T[O]DO|F[I]XME)\b"),
    "a package registry": re.compile(r"\b(?:py[p]i\.org|pythonhost[e]d\.org|npm[j]s\.(?:org|com))"),
    "a path of one machine": re.compile(r"/wor[k]/(?:main|shared|\.\w)|/tm[p]/(?:brief|venv|uvt|cc)\b|/roo[t]/\."),
}


def words_are_clean(look: Inspection) -> None:
    """No mark of unfinished work, no registry host, no path of somebody's machine."""
    for path in look.files():
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), 1):
            for what, pattern in _FORBIDDEN.items():
                found = pattern.search(line)
                where = f"{look.name(path)}:{number}"
                look.expect(found is None, f"{where}: {what}: {found and found.group()}")
