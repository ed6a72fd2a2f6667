"""Finds what holds for a call: which campaign binds it, in which state, and how to reach its ledger and files.

A campaign is looked for from the call's folder upwards, from the project's folder, and by the recorded session, so that
neither `cd` nor a second program.md below the root leads out of it.
"""

from __future__ import annotations

import os
import stat

from mlresearch import store
from mlresearch.errors import ResearchError
from mlresearch.guard.calls import CHANGED, DRAFT, NONE, SEALED, Call, Outside, Situation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlresearch.envelope import Spent
    from mlresearch.seal import Seal

LARGEST_READ = 300 * 1024
MOST_PATHS = 60
LONGEST_TEXT = 20_000
PRICES_HOLD_S = 6 * 3600
DENIED = "denied.json"
_BREAKS = {ord(letter): " " for letter in "'\"=:;|&<>()`,$@"}


class Machine(Outside):
    """The real outside of one campaign's root."""

    def __init__(self, root: str, approved: Seal | None, session: str, now: float) -> None:
        self.root, self.approved, self.session, self.now = root, approved, session, now

    def state(self) -> str:
        return _state(self.root, self.approved, self.now)

    def read(self, path: str) -> bytes | None:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return None
            with open(path, "rb") as file:
                return file.read(LARGEST_READ)
        except (OSError, ValueError):
            return None

    def totals(self) -> tuple[Spent | None, str]:
        from mlresearch import ledger

        try:
            standing = ledger.standing(self.root)
            denied = store.get(os.path.join(store.root_dir(self.root), DENIED))
        except (ResearchError, OSError) as error:
            return None, f"the ledger can not be trusted: {error}"
        if self.approved is not None and standing.campaign != self.approved.campaign:
            return None, "the ledger belongs to another campaign than the approval"
        stopped = standing.stopped["message"] if standing.stopped else ""
        since = self.approved.approved_at if self.approved is not None else 0.0
        if isinstance(denied, dict) and denied.get("ts", since) >= since:
            stopped = stopped or str(denied.get("reason", "a submit was denied"))
        return standing.spent(), stopped

    def prices(self) -> Mapping[str, Mapping[str, int]]:
        """As last read from the backends; those of another day could show a person too low a cost."""
        try:
            known = store.get(os.path.join(store.base(), "prices.json"))
        except ResearchError:
            return {}
        if not isinstance(known, dict):
            return {}
        read_at = known.get("read_at")
        if not isinstance(read_at, (int, float)) or not abs(self.now - read_at) <= PRICES_HOLD_S:
            return {}
        return {name: flavors for name, flavors in known.items() if isinstance(flavors, dict)}

    def is_ours(self) -> bool:
        """True for a recorded session, and while no session of this campaign is recorded at all."""
        if store.session_root(self.session) == self.root:
            return True
        return not any(store.session_root(name) == self.root for name in _sessions())


def _sessions() -> list[str]:
    try:
        return os.listdir(os.path.join(store.base(), "sessions"))
    except OSError:
        return []


def find(places: Iterable[str], session: str, now: float) -> Situation:
    """The situation of a call made from these places (its folder first), the session's campaign last."""
    wanted = [place for place in places if place and "\0" not in place]
    for place in [*wanted, store.session_root(session) or ""]:
        for root in store.sealed_roots_above(place) if place else ():
            return _sealed(root, session, now)
    for place in wanted:
        drafted = _with_program(place)
        if drafted and _state(drafted, None, now) == DRAFT:
            return _situation(DRAFT, drafted, None, session, now)
    return _situation(NONE, "", None, session, now)


def _with_program(path: str) -> str:
    """The nearest folder from a path upwards with a program.md, "" when there is none."""
    here = os.path.realpath(path)
    while not os.path.isfile(os.path.join(here, "program.md")):
        above = os.path.dirname(here)
        if above == here:
            return ""
        here = above
    return here


def _sealed(root: str, session: str, now: float) -> Situation:
    """The situation under a root's seal; one that can not be read counts as one that holds."""
    from mlresearch import seal

    try:
        approved = seal.load(root)
    except ResearchError as error:
        return _situation(SEALED, root, None, session, now, trouble=str(error))
    if approved is None:
        return _situation(SEALED, root, None, session, now, trouble=f"the seal of {root} leads nowhere")
    return _situation(None, root, approved, session, now)


def _state(root: str, approved: Seal | None, now: float) -> str:
    from mlresearch import seal

    try:
        return seal.state(root, approved, now)
    except ResearchError:
        return CHANGED if approved is not None else DRAFT


def _situation(
    state: str | None, root: str, approved: Seal | None, session: str, now: float, trouble: str = ""
) -> Situation:
    return Situation(
        state,
        root,
        Machine(root, approved, session, now),
        plugin_root=os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))),
        base=store.base(),
        home=os.path.expanduser("~"),
        client=os.environ.get("CLAUDE_CONFIG_DIR", ""),
        seal=approved,
        now=now,
        trouble=trouble,
    )


def named(call: Call, found: Situation, session: str) -> list[Situation]:
    """The other campaigns whose folder the call names by a path; one that is cut off after MOST_PATHS names is none."""
    if not os.path.isdir(os.path.join(store.base(), "roots")):
        return []
    roots: dict[str, Situation] = {}
    for path in _paths(call):
        for root in store.sealed_roots_above(path):
            if root != found.root and root not in roots:
                roots[root] = _sealed(root, session, found.now)
    return list(roots.values())


def _paths(call: Call) -> list[str]:
    """Everything in the call that looks like a path, made absolute."""
    texts = [_ends(value) for value in call.input.values() if isinstance(value, str)]
    words = [word for text in texts for word in text.translate(_BREAKS).split() if "/" in word or word in ("..", "~")]
    full = (os.path.join(call.cwd, os.path.expanduser(word)) for word in words if "\0" not in word)
    return list(dict.fromkeys(full))[:MOST_PATHS]


def _ends(text: str) -> str:
    """A long text without its middle, which is a here-document's."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT // 2] + " " + text[-LONGEST_TEXT // 2 :]


def is_near(places: Iterable[str], session: str) -> bool:
    """Whether a seal binds these places or the session: a file test, so that it works when all else fails."""
    if any(store.sealed_roots_above(place) for place in places if place and "\0" not in place):
        return True
    root = store.session_root(session)
    return bool(root and store.sealed_roots_above(root))


def mark_denied(root: str, reason: str, now: float) -> None:
    """Leave word for the campaign that it has ended: a submit passed the envelope. No token stays in the store."""
    from mlresearch import redact  # no ordinary call needs it

    told = redact.from_environment()(reason)
    store.put(os.path.join(store.root_dir(root), DENIED), {"ts": now, "reason": told[:500]})
