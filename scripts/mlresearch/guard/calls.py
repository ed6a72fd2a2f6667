"""The words the decision speaks in: a call, the situation it comes into, what was found in it, the verdict.

Plain data. Whatever the decision needs from outside (clock, files, ledger) stands in the situation.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mlresearch.envelope import Spent
    from mlresearch.seal import Seal

SILENT, ALLOW, ASK, DENY = "silent", "allow", "ask", "deny"
NONE, DRAFT, CHANGED, EXPIRED, SEALED = "none", "draft", "changed", "expired", "sealed"


class Call:
    """One tool call as the client describes it; `agent` is the subagent that makes it, "" for the session itself."""

    __slots__ = ("agent", "cwd", "input", "tool")

    def __init__(self, tool: str, tool_input: Mapping[str, Any], cwd: str, agent: str = "") -> None:
        self.tool, self.input, self.cwd, self.agent = tool, tool_input, cwd, agent


class Outside:
    """What only some calls need, fetched when asked for.

    `state` compares program.md with the seal. `read` gives the bytes of a file that a command would run, or None.
    `totals` is what was spent and why the campaign has stopped ("" when it has not). `prices` is micro-dollars per
    minute by backend and flavor. `is_ours` is false when the campaign is known to be another session's.
    """

    def read(self, path: str) -> bytes | None:
        return None

    def state(self) -> str:
        return NONE

    def totals(self) -> tuple[Spent | None, str]:
        return None, "the ledger was not read"

    def prices(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def is_ours(self) -> bool:
        return True


class Situation:
    """What holds when the call is made. `trouble` says why a seal is there and can not be trusted."""

    __slots__ = ("_state", "base", "client", "home", "now", "outside", "plugin_root", "root", "seal", "trouble")

    def __init__(
        self,
        state: str | None,
        root: str,
        outside: Outside,
        *,
        plugin_root: str = "",
        base: str = "",
        home: str = "",
        client: str = "",
        seal: Seal | None = None,
        now: float = 0.0,
        trouble: str = "",
    ) -> None:
        self._state, self.root, self.outside, self.seal = state, root, outside, seal
        self.plugin_root, self.base, self.home, self.client = plugin_root, base, home, client
        self.now, self.trouble = now, trouble

    @property
    def state(self) -> str:
        """none, draft, changed, expired or sealed."""
        if self._state is None:
            self._state = self.outside.state()
        return self._state

    def known(self) -> dict[str, str]:
        """Variables whose value is certain: the client substitutes the first, the login sets the second."""
        known = {"CLAUDE_PLUGIN_ROOT": self.plugin_root, "HOME": self.home}
        return {key: value for key, value in known.items() if value}


class Finding:
    """One thing in a call that somebody must know of: its kind, the words at fault, and the right way."""

    __slots__ = ("instead", "kind", "what")

    def __init__(self, kind: str, what: str, instead: str = "") -> None:
        self.kind, self.what, self.instead = kind, what, instead

    def __repr__(self) -> str:
        return f"Finding({self.kind}: {self.what})"


class Verdict:
    """The answer. `terminal` marks a breach of the envelope: it ends the campaign."""

    __slots__ = ("decision", "reason", "terminal")

    def __init__(self, decision: str, reason: str = "", terminal: bool = False) -> None:
        self.decision, self.reason, self.terminal = decision, reason, terminal

    def __repr__(self) -> str:
        return f"Verdict({self.decision}: {self.reason})"
