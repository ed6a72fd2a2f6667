"""The Hub's record of a model or a data set: whether it is there, who may read it, under which licence.

Refuses to tell a missing repository from a hidden one where the Hub does not: without a token it answers both alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlresearch.errors import NotFound, Unavailable, UsageError, shown
from mlresearch.sources import web
from mlresearch.sources.hosts import HUB, key_of
from mlresearch.sources.reply import LATER, checked

_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class Kind:
    """`api` is its place under /api, `pages` what stands before an id in the address of its page.

    Sizes of files are asked for only of a model: a data set may have tens of thousands.
    """

    word: str
    api: str
    pages: str
    query: str


MODEL = Kind("model", "models", "", "?blobs=true")
DATASET = Kind("data set", "datasets", "datasets/", "")


def check_id(kind: Kind, name: str) -> str:
    """The id, when it could be one; raises UsageError."""
    if not _ID.fullmatch(name) or len(name) > 200 or ".." in name or "--" in name:
        raise UsageError(f"{shown(name)} is neither a path nor a {kind.word}'s id", "owner/name, or a path that exists")
    return name


def page(kind: Kind, name: str) -> str:
    return f"{HUB.base}/{kind.pages}{name}"


def record(kind: Kind, name: str, revision: str | None = None) -> dict[str, Any]:
    """sha, gated, private, disabled, siblings; raises NotFound, or Unavailable when it is closed."""
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    reply = web.ask(HUB, f"{HUB.base}/api/{kind.api}/{quote(name)}{at}{kind.query}")
    if reply.headers.get("x-error-code") == "RevisionNotFound":
        raise NotFound(f"{name} has no revision {shown(revision)}", next_step=f"see {page(kind, name)}/commits/main")
    if reply.status in (401, 404):
        raise _absent(kind, name)
    if reply.status == 403:
        raise closed(kind, name)
    found = checked(reply).json()
    if not isinstance(found, dict) or "id" not in found:
        raise Unavailable(f"the Hub's record of the {kind.word} has another form", next_step=LATER)
    return found


def _absent(kind: Kind, name: str) -> NotFound:
    hidden = "" if key_of(HUB) else ", or it is private: no token is set"
    return NotFound(
        f"there is no {kind.word} {name} on the Hub{hidden}",
        next_step=f"check the id; do not take another {kind.word} in its place without asking",
    )


def closed(kind: Kind, name: str) -> Unavailable:
    """It is gated, and this token has no access."""
    token = "the token in use has no access" if key_of(HUB) else "no token is set"
    return Unavailable(
        f"{name} is gated: its files are closed to whoever has not been let in, and {token}",
        next_step=f"a person asks for access at {page(kind, name)}, then sets HF_TOKEN and calls again",
    )


def licence(found: Mapping[str, Any]) -> str | None:
    """As its page states it, by the card or else by a tag; several are joined, one of its own has its name."""
    card, tags = found.get("cardData"), found.get("tags")
    card = card if isinstance(card, Mapping) else {}
    tagged = [str(tag) for tag in tags if str(tag).startswith("license:")] if isinstance(tags, list) else []
    told = card.get("license") or (tagged[0].removeprefix("license:") if tagged else None)
    if told is None:
        return None
    text = ", ".join(map(str, told)) if isinstance(told, list) else str(told)
    return str(card.get("license_name") or text) if text == "other" else text
