"""The service's own time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Real time, moved: `advance` lets time pass at once, `skew_s` makes it wrong without letting any pass."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self._passed_s = 0.0

    def now(self) -> float:
        """What durations are counted in."""
        return time.time() + self._passed_s

    def advance(self, seconds: float) -> None:
        self._passed_s += seconds

    def stamp(self, when: float) -> str:
        """A moment as the service writes it."""
        moment = datetime.fromtimestamp(when + self.skew_s, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
