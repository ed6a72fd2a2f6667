"""A job's arguments as its script will read them. Pure; it knows no script, so that a word may mean nothing there."""

from __future__ import annotations

from collections.abc import Sequence


def by_name(args: Sequence[str]) -> dict[str, str]:
    """Options by name, `--hub-model-id x` and `--hub_model_id=x` alike; a switch is "true"."""
    found: dict[str, str] = {}
    for place, word in enumerate(args):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            following = args[place + 1 : place + 2]
            spaced = following[0] if following and not following[0].startswith("--") else "true"
            found[name.replace("-", "_")] = value if equals else spaced
    return found
