"""Keeps a source's rate limit across processes: one lock and one time stamp per source in the store.

The lock is held from the turn until the answer has come, and the interval counts from then: measured at the server,
two requests are never closer, whatever the network does in between. Both clocks of the machine are kept: the one that
counts from boot does not see a clock set back, the wall clock is shared by machines that share a home folder. A stamp
from the future, of either, costs one whole interval and no more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlresearch import store
from mlresearch.errors import LedgerError, SealError, Unavailable
from mlresearch.sources.hosts import Source, is_loopback

# how long one call waits for its turn behind other processes
WAIT_S = 120.0
# shortens the interval, for a server on this machine only
VARIABLE = "ML_RESEARCH_PACE_S"


@contextmanager
def turn(source: Source, wait_s: float = WAIT_S) -> Iterator[None]:
    """Wait for this source's turn and hold it; raises Unavailable when others keep it longer than `wait_s`."""
    interval_s = interval_of(source)
    if interval_s <= 0:
        yield
        return
    path = f"{store.base()}/cache/pace/{_file_name(source)}"
    lock = _take_lock(source, path, wait_s)
    try:
        time.sleep(_left(_stamp(path), interval_s))
        _write(source, path)
        try:
            yield
        finally:
            _write(source, path)
    finally:
        lock.__exit__()


def _take_lock(source: Source, path: str, wait_s: float) -> store.Lock:
    try:
        return store.Lock(path + ".lock", wait_s).__enter__()
    except LedgerError:
        raise Unavailable(
            f"{source.name} allows one request every {source.interval_s:g} s and others wait in line",
            next_step="call again in a minute, with fewer processes at once",
        ) from None
    except OSError as error:
        raise _no_line(source, error) from None


def interval_of(source: Source) -> float:
    """The source's own interval in seconds; a shorter one holds only for a server on this machine."""
    given = os.environ.get(VARIABLE, "")
    if given and is_loopback(source.base):
        try:
            return min(source.interval_s, max(0.0, float(given)))
        except ValueError:
            return source.interval_s
    return source.interval_s


def _file_name(source: Source) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in source.name.lower())


def _clocks() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _left(stamp: tuple[float, float] | None, interval_s: float) -> float:
    """Seconds to wait so that both clocks agree that the interval is over."""
    if stamp is None:
        return 0.0
    waits = [0.0]
    for then, now in zip(stamp, _clocks(), strict=True):
        waits.append(interval_s if now < then else max(0.0, interval_s - (now - then)))
    return max(waits)


def _stamp(path: str) -> tuple[float, float] | None:
    """The last request's time by both clocks, None when there was none; a damaged one counts as a moment ago."""
    try:
        value = store.get(path)
    except SealError:
        return _clocks()
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, float) for part in value):
        return value[0], value[1]
    return _clocks()


def _write(source: Source, path: str) -> None:
    try:
        store.put(path, list(_clocks()), is_synced=False)
    except OSError as error:
        raise _no_line(source, error) from None


def _no_line(source: Source, error: OSError) -> Unavailable:
    """Without a stamp other processes would ask too soon, so that this one does not ask at all."""
    wrong = f"the rate limit of {source.name} can not be kept: {error.strerror}: {error.filename}"
    return Unavailable(wrong, next_step="mend that, then call again")
