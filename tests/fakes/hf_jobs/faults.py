"""What goes wrong with which request: set by a test one by one, or drawn at random."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

KINDS = ("status", "drop_before", "drop_after", "hang", "cut_stream", "slow_stream")


@dataclass(frozen=True)
class Fault:
    """`match` is searched in `METHOD /path`; of the requests that match, `skip` pass and the next `times` get it.

    status       answer `status` with `body` and `headers`; do it before when `does` is set
    drop_before  close the connection, and do nothing
    drop_after   do it, then close the connection without an answer
    hang         do it when `does` is set, then stay silent for `seconds`
    cut_stream   send `after` events, then half of one, and close
    slow_stream  wait `seconds` before each event
    """

    match: str
    kind: str = "status"
    status: int = 0
    error: str = ""
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    seconds: float = 60.0
    after: int = 1
    does: bool = False

    @property
    def is_in_stream(self) -> bool:
        """Whether the answer begins as it should."""
        return self.kind in ("cut_stream", "slow_stream")

    @property
    def does_it(self) -> bool:
        """Whether the service does what is asked."""
        return self.does or self.is_in_stream or self.kind == "drop_after"

    def __post_init__(self) -> None:
        if self.kind not in KINDS or (self.kind == "status") != bool(self.status):
            raise ValueError(f"no such fault: {self}")


class _Armed:
    """A fault, and how many requests it has matched."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self._matched = fault, 0

    def hits(self, request: str) -> bool:
        if not re.search(self.fault.match, request):
            return False
        self._matched += 1
        return self.fault.skip < self._matched <= self.fault.skip + self.fault.times


class Faults:
    """Hands a fault to a request, or none; counts what it handed out by kind and status."""

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self._set: list[_Armed] = []
        self._lock = threading.Lock()
        self._random: tuple[random.Random, float, Sequence[Fault]] | None = None

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._set += [_Armed(fault) for fault in faults]

    def at_random(self, seed: int, share: float, choices: Sequence[Fault]) -> None:
        """From now on a `share` of the requests gets one of `choices`, where it matches; ends with `clear`."""
        self._random = (random.Random(seed), share, choices)

    def clear(self) -> None:
        with self._lock:
            self._set.clear()
            self._random = None

    def take(self, request: str) -> Fault | None:
        with self._lock:
            fault = self._next_set(request) or self._next_random(request)
            if fault is not None:
                self.given[str(fault.status or fault.kind)] += 1
            return fault

    def _next_set(self, request: str) -> Fault | None:
        return next((armed.fault for armed in self._set if armed.hits(request)), None)

    def _next_random(self, request: str) -> Fault | None:
        if self._random is None or self._random[0].random() >= self._random[1]:
            return None
        fitting = [fault for fault in self._random[2] if re.search(fault.match, request)]
        return self._random[0].choice(fitting) if fitting else None
