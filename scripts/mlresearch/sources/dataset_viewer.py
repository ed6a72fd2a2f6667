"""The dataset viewer's API: configs, splits, sizes, schema, rows of data sets on the Hub.

Owns what its errors mean. It keeps nothing: an answer that is not ready now may be in a minute.
"""

from __future__ import annotations

from typing import Any

from mlresearch.errors import NotFound, Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import HF_KEY, Source
from mlresearch.sources.reply import LATER, Reply, checked

VIEWER = Source("the dataset viewer", "ML_RESEARCH_VIEWER_URL", "https://datasets-server.huggingface.co", key=HF_KEY)
PAGE_ROWS = 100


class NotReady(Unavailable):
    """The viewer is still at work on this data set."""


class Closed(Unavailable):
    """The viewer may not show this data set to this caller: it is private, gated, or not there."""


def ask(path: str, **parameters: object) -> dict[str, Any]:
    """One answer, such as ask("splits", dataset="owner/name"). Raises NotReady, Closed, NotFound or Unavailable."""
    reply = web.ask(VIEWER, f"{VIEWER.base}/{path}", params=parameters)
    if reply.status != 200:
        raise _fault(reply, path)
    found = reply.json()
    if not isinstance(found, dict):
        raise Unavailable(f"the dataset viewer's /{path} has another form", next_step=LATER)
    return found


def _fault(reply: Reply, path: str) -> Unavailable:
    code = reply.headers.get("x-error-code", "")
    if code in ("ResponseNotReadyError", "ResponseAlreadyComputedError"):
        return NotReady(f"the dataset viewer is not ready with /{path}", next_step="call again in a minute")
    if reply.status in (401, 403) or code == "ExternalAuthenticatedError":
        return Closed(f"the dataset viewer may not show this data set ({reply.status})", next_step="set HF_TOKEN")
    if reply.status == 501:
        return Unavailable(f"the dataset viewer does not serve this data set ({code})", next_step="read its files")
    try:
        checked(reply)
    except NotFound as error:
        return NotFound(error.wrong, next_step=error.next_step)
    except Unavailable as error:
        return Unavailable(error.wrong, next_step=error.next_step)
    return Unavailable(f"the dataset viewer answered {reply.status}", next_step=LATER)
