"""Whether a failed step may be tried again. A pure function of what happened so far; it reads no file and no clock.

It refuses a retry that changes nothing, the same error twice, a rung out of order, and a fix that its category does
not allow. One repeat without a change is granted for the whole step, to a failure of machine or network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlresearch.pipeline.taxonomy import BY_NAME, RUNGS

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(
    r"^(?:[\w.]*(?:Error|Exception|Interrupt|Warning|OutOfMemory\w*|Timeout\w*)\b.*|error[: ].*|.*\bKilled\b.*)", re.I
)
_SUBSTITUTES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"0x[0-9a-fA-F]+"), "HEX"),
    (re.compile(r"\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b"), "ID"),
    (re.compile(r"(?:[A-Za-z]:)?(?:/[\w.@+-]+){2,}/?"), "PATH"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "N"),
    (re.compile(r"\s+"), " "),
)
LONGEST = 300


@dataclass(frozen=True)
class Failure:
    """One failed attempt: the error's signature, the bytes that ran, and the diagnosis that was accepted."""

    signature: str
    bytes_sha256: str
    category: str
    rung: int


@dataclass(frozen=True)
class Answer:
    """`reason` None: granted. Else the stop's reason, or "refused" for a diagnosis to be mended; `what` says why."""

    reason: str | None
    what: str = ""

    @property
    def is_granted(self) -> bool:
        return self.reason is None


GRANTED = Answer(None)


def signature(lines: Iterable[str], stage: str) -> str:
    """What makes two failures the same: the last error line without its numbers, paths and ids, and the job's stage."""
    plain = [_ANSI.sub("", line).strip() for line in lines]
    errors = [line for line in plain if _ERROR.match(line)]
    told = (errors or [line for line in plain if line] or [""])[-1]
    for pattern, word in _SUBSTITUTES:
        told = pattern.sub(word, told)
    return f"{stage}: {told[:LONGEST]}"


def digest(parts: Iterable[str]) -> str:
    """One hash over script bytes (as hex), arguments, hardware and time limit: equal when nothing was changed."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def judge(step: str, now: Failure, analysis: dict[str, Any], earlier: Sequence[Failure], most: int) -> Answer:
    """Whether the step may run again after `now`, by its diagnosis. `most` is how often a step may run in all."""
    category = BY_NAME.get(analysis["category"])
    if category is None:
        return Answer("refused", f"category {analysis['category']!r} is not one of {', '.join(BY_NAME)}")
    if analysis["scopeChange"]:
        return Answer("scope_change", analysis["minimalFix"])
    if category.stops is not None:
        return Answer(category.stops, analysis["rootCause"])
    if analysis["unrecoverable"]:
        return Answer(f"{step}_unrecoverable", analysis["rootCause"])
    if category.needs == "rung":
        return _ladder(step, analysis, earlier, most)
    if _repeats(now, earlier):
        return Answer(f"{step}_same_error", f"{now.signature} (the last diagnosis: {analysis['rootCause']})")
    if len(earlier) + 1 >= most:
        return Answer(f"{step}_retries_exhausted", now.signature)
    return _given(category.needs, analysis, earlier)


def _repeats(now: Failure, earlier: Sequence[Failure]) -> bool:
    return any(past.signature == now.signature and past.category not in ("oom", "timeout") for past in earlier)


def _given(needs: str, analysis: dict[str, Any], earlier: Sequence[Failure]) -> Answer:
    if needs == "docs" and not analysis["recheckedDocs"]:
        return Answer(
            "refused", "recheckedDocs is empty: open the current documentation before the argument is changed"
        )
    if needs == "nothing" and any(BY_NAME[past.category].needs == "nothing" for past in earlier):
        return Answer("refused", "one repeat without a change was already granted: find another cause")
    return GRANTED


def _ladder(step: str, analysis: dict[str, Any], earlier: Sequence[Failure], most: int) -> Answer:
    reached = max((past.rung for past in earlier), default=0)
    asked = analysis["oomLadderRung"]
    if reached + 1 >= len(RUNGS):
        return Answer(f"{step}_unrecoverable", "out of memory on every rung of the ladder")
    if asked != reached + 1:
        following = f"rung {reached + 1}: {RUNGS[reached + 1]}"
        return Answer("refused", f"oomLadderRung is {asked}; the ladder goes in order, and the next is {following}")
    if len(earlier) + 1 >= max(most, len(RUNGS)):
        return Answer(f"{step}_retries_exhausted", "out of memory")
    return GRANTED
