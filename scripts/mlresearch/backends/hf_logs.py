"""A job's log as the Hub streams it: server-sent events, from the first line at each connection.

Owns when a log is whole. The metric of a run is read from it, so that a log cut in the middle must never pass for a
short one: silence without an end, half an event or a broken connection is read again, then raised. (The client's own
reader takes 5 s of silence for the end.)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from mlresearch.backends.hf_hub import Hub
from mlresearch.errors import NotFound, Unavailable

_BANNER = "===== Job started"


def lines(hub: Hub, job: str, is_over: Callable[[], bool], follow: bool) -> Iterator[str]:
    """The log's lines once each, whatever breaks in between; with `follow`, until the job has ended.

    Without `follow`, up to now; of a job that has ended, the whole log. Raises Unavailable when several attempts in
    a row brought nothing new.
    """
    done, failures = 0, 0
    while True:
        count, why = 0, ""
        try:
            over = is_over()  # asked before reading: what has ended before has its last line there
            for text in _until_drained(hub, job, is_over, over, follow):
                count += 1
                if count > done:
                    done, failures = count, 0
                    yield text
            if over or not follow:
                return
        except NotFound:
            raise
        except Unavailable as cut:
            why, failures = cut.wrong, failures + 1
        if failures >= hub.patience.attempts:
            raise Unavailable(f"the log of {job} breaks off: {why}", next_step="read it again")
        time.sleep(hub.patience.pause_s)


def _until_drained(hub: Hub, job: str, is_over: Callable[[], bool], over: bool, follow: bool) -> Iterator[str]:
    """Lines of one connection, as long as more are to come. A sign of life says that all there is has been sent."""
    for line in _events(hub, job, peek=not over and not follow):
        if line is not None:
            yield line
        elif over or not follow or is_over():
            return


def _events(hub: Hub, job: str, peek: bool) -> Iterator[str | None]:
    """Each line of the log, and None for a sign of life. With `peek`, a short silence is an end, else a fault."""
    from huggingface_hub import get_session, hf_raise_for_status

    url = f"{hub.api.endpoint}/api/jobs/{job}/logs"
    silence_s = hub.patience.drained_s if peek else hub.patience.silence_s
    with (
        hub.talking(f"reading the log of {job}", job.partition("/")[0]),
        get_session().stream("GET", url, headers=hub.headers(), timeout=silence_s) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            hf_raise_for_status(answer)
        yield from _parsed(_or_silence(answer.iter_lines(), peek))


def _or_silence(raw: Iterator[str], silence_is_an_end: bool) -> Iterator[str]:
    try:
        yield from raw
    except Exception as error:
        if not (silence_is_an_end and type(error).__name__ == "ReadTimeout"):
            raise


def _parsed(raw: Iterator[str]) -> Iterator[str | None]:
    data = ""
    for line in raw:
        if line.startswith("data:"):
            data += line.removeprefix("data:")
        elif line.startswith(":"):
            yield None
        elif not line and data:
            yield from _text(data)
            data = ""
    if data:
        yield from _text(data)


def _text(data: str) -> Iterator[str]:
    try:
        text = str(json.loads(data)["data"])
    except (ValueError, KeyError, TypeError):
        raise Unavailable("half an event") from None
    if not text.startswith(_BANNER):
        yield text.rstrip("\r\n")
