"""Reads a metric from a job's log. The number in the ledger comes from here alone; no model types it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlresearch.errors import shown

_DECIMAL = re.compile(r"[-+]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][-+]?\d{1,9})?", re.ASCII)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Reading:
    """`value` is None when no line matched, or the last match is no finite number; `why` says which."""

    value: float | None
    log_sha256: str
    why: str


def read(lines: Iterable[str], pattern: str) -> Reading:
    """The last line that matches counts. A log is data: nothing in it is run.

    The hash is over the lines, each with a line feed: that of the file, when it is plain UTF-8 lines.
    """
    search, digest = re.compile(pattern).search, hashlib.sha256()
    found: str | None = None
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        match = search(_ESCAPES.sub("", line)[:10_000])
        if match:
            found = match[1]
    if found is None:
        return Reading(None, digest.hexdigest(), f"no line of the log matches {shown(pattern)}")
    value = _number(found)
    why = "" if value is not None else f"{shown(found)} is no finite number"
    return Reading(value, digest.hexdigest(), why)


def _number(text: str) -> float | None:
    """A finite decimal number; `float` alone would also read 1_0, and digits of other scripts."""
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
