"""Reads a metric from a job's log. The number in the ledger comes from here alone; no model types it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlresearch.errors import shown

_DECIMAL = re.compile(r"[-+]?(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE][-+]?\d{1,9})?", re.ASCII)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Reading:
    """`value` is None when no line matched, or the last match is no finite number; `why` says which.

    `n` examples and `stderr`, the value's standard error over them, are None where the log's last JSON object does not
    tell both as a count and a finite number.
    """

    value: float | None
    log_sha256: str
    why: str
    n: int | None = None
    stderr: float | None = None


def read(lines: Iterable[str], pattern: str) -> Reading:
    """The last line that matches counts. A log is data: nothing in it is run.

    The hash is over the lines, each with a line feed: that of the file, when it is plain UTF-8 lines.
    """
    search, digest = re.compile(pattern).search, hashlib.sha256()
    found: str | None = None
    told = ""
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        plain = _ESCAPES.sub("", line)[:10_000]
        match = search(plain)
        if match:
            found = match[1]
        if plain.lstrip().startswith("{"):
            told = plain
    if found is None:
        return Reading(None, digest.hexdigest(), f"no line of the log matches {shown(pattern)}")
    value = _number(found)
    why = "" if value is not None else f"{shown(found)} is no finite number"
    return Reading(value, digest.hexdigest(), why, *_precision(told))


def _precision(line: str) -> tuple[int, float] | tuple[None, None]:
    """`n` and `stderr` of a JSON object; neither, unless both can be believed."""
    try:
        told = json.loads(line)
        n, stderr = told["n"], told["stderr"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
    is_number = isinstance(stderr, (int, float)) and not isinstance(stderr, bool)
    if type(n) is not int or not 0 < n < 2**63 or not is_number or not 0 <= stderr < 1e300:
        return None, None
    return n, float(stderr)


def _number(text: str) -> float | None:
    """A finite decimal number; `float` alone would also read 1_0, and digits of other scripts."""
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
