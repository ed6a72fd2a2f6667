"""Takes secrets out of a text: known values first, then what has the shape of a token. Spares ordinary code.

Owns what counts as a secret's name and shape. It reads only the environment, and refuses to guess from a name beside a
short or wordy value: `pad_token = eos_token` and `max_new_tokens=4096` stay as they are. A secret that a program has
encoded or split over two lines is not recognized.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

MARK = "[redacted]"

# A guessed name such as MY_TOKEN may hold a plain word; one that the caller names is a secret whatever its length.
SHORTEST_GUESSED = 8
SHORTEST_NAMED = 4

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|SECRET_KEY|PASSWORD|PASSWD|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|PAT)$",
    re.IGNORECASE,
)

# what comes before a secret is kept (group 1), so that the message still tells what kind it was
_SHAPES = tuple(
    re.compile(shape)
    for shape in (
        r"\b(hf_|api_org_)[A-Za-z0-9]{30,}\b",
        r"\b(hf_(?:oauth|jwt|app)_)[A-Za-z0-9._-]{16,}",
        r"\b(sk-|gh[opsu]_|github_pat_|glpat-|xox[abprs]-|nvapi-)[A-Za-z0-9_-]{20,}",
        r"\b(AKIA)[A-Z0-9]{16}\b",
        r"\b(eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        r"(?i)\b((?:bearer|basic)\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,}",
        r"(://)[^\s/:@]+:[^\s/@]+(?=@)",
        # assigned to a secret's name, long, of letters with three digits at least: no code and no count looks so
        r"(?i)((?:token|secret|password|passwd|api_?key|access_key)[\"']?\s*[=:]\s*[\"']?)"
        r"(?=(?:[^\s\"',;]*\d){3})(?=[^\s\"',;]*[a-z])[A-Za-z0-9+/_=-]{20,}",
    )
)


class Redactor:
    """Redacts texts; `known` are secret values to look for whatever they look like."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        # longest first, so that a secret that contains another one leaves nothing behind
        values = sorted({value for value in known if value.strip()}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def __call__(self, text: str) -> str:
        """The text with every secret replaced; the same object when there is none."""
        if self._known is not None:
            text = self._known.sub(MARK, text)
        for shape in _SHAPES:
            text = shape.sub(rf"\g<1>{MARK}", text)
        return text

    def finds(self, text: str) -> bool:
        return self(text) != text


def from_environment(
    names: Iterable[str] = (), also: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Redactor:
    """Knows the values of the variables `names`, of every variable whose name says that it is secret, and `also`."""
    variables = os.environ if environment is None else environment
    named = [variables[name] for name in names if len(variables.get(name, "")) >= SHORTEST_NAMED]
    guessed = [
        value for name, value in variables.items() if _SECRET_NAME.search(name) and len(value) >= SHORTEST_GUESSED
    ]
    return Redactor([*named, *guessed, *also])
