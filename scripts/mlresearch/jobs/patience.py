"""How long a wait puts up with a backend that does not answer: it must not end for one dropped connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mlresearch.errors import ResearchError, Unavailable

# a provider's outage that lasts longer is something that a person should know of
LONGEST_S = 900.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

Tell = Callable[[str], None]


def silent(told: str) -> None:
    """For a caller that tells nobody."""


class Patience:
    """`until` is on the wall clock; `tell` hears each new trouble, and its end, as one line."""

    def __init__(self, until: float, tell: Tell = silent, longest_s: float = LONGEST_S) -> None:
        self._until, self._tell, self._longest_s = until, tell, longest_s
        self._since: float | None = None
        self._pause = FIRST_PAUSE_S
        self._told: set[str] = set()

    def bear(self, troubles: Mapping[str, ResearchError]) -> float:
        """Seconds until it is worth asking again, 0 without trouble.

        Raises what no waiting mends (a BackendError: no credit, no right), and what has lasted too long.
        """
        if not troubles:
            self._end()
            return 0.0
        now = time.time()
        self._since = now if self._since is None else self._since
        lasting = now - self._since > self._longest_s or now >= self._until
        for error in troubles.values():
            if lasting or not isinstance(error, Unavailable):
                raise error
            self._say(error)
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        return pause

    def _say(self, error: ResearchError) -> None:
        if error.wrong not in self._told:
            self._told.add(error.wrong)
            self._tell(f"{error.wrong}; waiting on, for at most {self._longest_s / 60:.0f} minutes of this")

    def _end(self) -> None:
        if self._since is not None:
            self._tell("it answers again")
        self._since, self._pause = None, FIRST_PAUSE_S
        self._told.clear()
