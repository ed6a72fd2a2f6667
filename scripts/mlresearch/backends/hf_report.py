"""What the Hub tells of a job, in our words: stage, exit code, times, and the seconds that are billed.

The Hub has six stages and no field for a cost, an exit code or a timeout. An end whose durations are missing is LOST:
its bill can not be read, so that the whole reservation counts.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING

from mlresearch import envelope
from mlresearch.backends import CANCELED, COMPLETED, FAILED, LOST, OOM, QUEUED, RUNNING, TIMEOUT, JobReport
from mlresearch.backends.hf_spec import TIMEOUT_LABEL

if TYPE_CHECKING:
    from huggingface_hub import JobInfo

START_ALLOWANCE_S = envelope.START_ALLOWANCE_S["hf"]

STAGES = {
    "SCHEDULING": QUEUED,
    "RUNNING": RUNNING,
    "COMPLETED": COMPLETED,
    "CANCELED": CANCELED,
    "ERROR": FAILED,
    "DELETED": CANCELED,
}
OVER = ("COMPLETED", "CANCELED", "ERROR", "DELETED")

_EXIT_CODE = re.compile(r"exit(?:ed)?(?: with)?(?: code)?:? ?(\d{1,3})\b", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"\boom|out of memory|memory limit", re.IGNORECASE)
_TIMED_OUT = re.compile(r"time(?:d )?-?out|deadline", re.IGNORECASE)


def report(info: JobInfo) -> JobReport:
    """The job as of now. A stage that is new to us is no end before the Hub tells when it ended; then it is LOST."""
    message = info.status.message or ""
    stage = _stage(info, message)
    code = _EXIT_CODE.search(message)
    exit_code = 0 if stage == COMPLETED else int(code[1]) if code else None
    return JobReport(
        stage=stage,
        exit_code=exit_code,
        submitted_at=_seconds(info.created_at),
        started_at=_seconds(info.started_at),
        ended_at=_seconds(info.finished_at),
        billed_s=billed_s(info) or 0,
        message=message,
        peak_memory_mb=None,
    )


def is_over(info: JobInfo) -> bool:
    return _told(info) in OVER


def _told(info: JobInfo) -> str:
    """The Hub's word; the client declares an enumeration and gives text."""
    return str(getattr(info.status.stage, "value", info.status.stage))


def billed_s(info: JobInfo) -> int | None:
    """Running time, with the scheduling before it up to START_ALLOWANCE_S; None when the Hub does not tell.

    The Hub's own clock measured both, so that a wrong clock here changes nothing. Its durations are whole seconds,
    cut off; its moments are finer, and a begun second counts.
    """
    told = info.durations
    if told is None or (told.total_secs is None and told.running_secs is None):
        return None
    running = max(told.running_secs or 0, _between(info.started_at, info.finished_at))
    scheduled = told.scheduling_secs or 0
    total = max(told.total_secs or 0, running + scheduled, _between(info.created_at, info.finished_at))
    return running + min(total - running, START_ALLOWANCE_S)


def _between(start: datetime | None, end: datetime | None) -> int:
    return 0 if start is None or end is None else math.ceil((end - start).total_seconds())


def _stage(info: JobInfo, message: str) -> str:
    stage = STAGES.get(_told(info), RUNNING if info.finished_at is None else LOST)
    if is_over(info) and billed_s(info) is None:
        return LOST
    if stage != FAILED:
        return stage
    if _ran_out_of_time(info, message):
        return TIMEOUT
    return OOM if _OUT_OF_MEMORY.search(message) else FAILED


def _ran_out_of_time(info: JobInfo, message: str) -> bool:
    """By its own running time where the job carries its timeout, else by the Hub's words."""
    limit = (info.labels or {}).get(TIMEOUT_LABEL, "")
    running = info.durations.running_secs if info.durations else None
    if limit.isdigit() and running is not None and running >= int(limit):
        return True
    return bool(_TIMED_OUT.search(message))


def _seconds(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()
