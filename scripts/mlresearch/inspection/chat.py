"""What conversations hold: keys, roles, turns, tools, who speaks last. Knows the two common spellings of a turn."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mlresearch.inspection.spread import spread

# (key of the role, key of the text), and the format's name
OPENAI, SHAREGPT = "role/content", "from/value"
_KEYS = ((OPENAI, "role", "content"), (SHAREGPT, "from", "value"))
MOST_ROLES = 20


def spelling(value: Any) -> str:
    """`role/content`, `from/value`, or empty when the value is no conversation."""
    if not isinstance(value, list) or not value or not all(isinstance(turn, Mapping) for turn in value):
        return ""
    for name, role, text in _KEYS:
        if all(role in turn and isinstance(turn[role], str) for turn in value) and any(text in turn for turn in value):
            return name
    return ""


class ChatSeen:
    """Counts over the conversations of one column, in whichever spelling they are."""

    def __init__(self) -> None:
        self.count = 0
        self.spellings: Counter[str] = Counter()
        self.roles: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self.last: Counter[str] = Counter()
        self.first: Counter[str] = Counter()
        self.turns = array("q")
        self.characters = array("q")
        self.with_system = self.with_tool_calls = self.repeats = self.empty_turns = 0

    def add(self, value: list[Mapping[str, Any]], spelled: str) -> None:
        role_key, text_key = next((role, text) for name, role, text in _KEYS if name == spelled)
        roles = [str(turn[role_key]) for turn in value]
        self.count += 1
        self.spellings[spelled] += 1
        self.roles.update(role[:40] for role in roles)
        self.last[roles[-1][:40]] += 1
        self.first[roles[0][:40]] += 1
        self.turns.append(len(value))
        self.characters.append(sum(len(text_of(turn.get(text_key))) for turn in value))
        self.with_system += "system" in roles or "developer" in roles
        self.repeats += any(one == other and one != "tool" for one, other in pairwise(roles))
        self._turns(value, text_key)

    def _turns(self, value: list[Mapping[str, Any]], text_key: str) -> None:
        calls = False
        for turn in value:
            # a column of structs has every key in every turn; only one that is filled counts
            self.keys.update(key for key, held in turn.items() if held not in (None, [], ""))
            called = bool(turn.get("tool_calls") or turn.get("function_call"))
            calls = calls or called
            self.empty_turns += not called and not text_of(turn.get(text_key)).strip()
        self.with_tool_calls += calls

    def ends_with(self, role: str) -> int:
        """How many conversations end with this role, in either spelling."""
        return sum(count for name, count in self.last.items() if plain_role(name) == role)

    def as_data(self) -> dict[str, Any]:
        share = round(self.with_system / self.count, 4) if self.count else 0.0
        return {
            "conversations": self.count,
            "spelling": dict(self.spellings),
            "roles": dict(self.roles.most_common(MOST_ROLES)),
            "keys": dict(self.keys.most_common(MOST_ROLES)),
            "turns": spread(self.turns),
            "characters": spread(self.characters),
            "system_share": share,
            "with_tool_calls": self.with_tool_calls,
            "tool_turns": self.roles["tool"] + self.roles["function"] + self.roles["ipython"],
            "first_role": dict(self.first.most_common(MOST_ROLES)),
            "last_role": dict(self.last.most_common(MOST_ROLES)),
            "same_role_twice": self.repeats,
            "empty_turns": self.empty_turns,
        }


def plain_role(name: str) -> str:
    """The role as the role/content spelling names it."""
    return {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}.get(
        name.lower(), name.lower()
    )


def text_of(held: Any) -> str:
    """The text of a turn; of a list of parts those that are text."""
    if isinstance(held, str):
        return held
    if isinstance(held, list):
        return "".join(str(part.get("text") or "") for part in held if isinstance(part, Mapping))
    return ""
