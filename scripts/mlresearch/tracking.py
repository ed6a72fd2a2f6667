"""Where a run's curves go, as program.md says under Run.tracking: the words for it, its variables, its address.

`local` keeps them on this machine, or in the log of a job that runs elsewhere. `space:owner/name` is a private Space
(with the bucket that Trackio makes for it), `public-space:owner/name` one that anybody may read. Nothing is ever
public by omission. Asks no network and makes no Space: Trackio does, in the job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LOCAL = "local"
FOLDER = "runs/trackio"  # of the jobs on this machine, so that one dashboard shows the campaign
SECRET = "HF_TOKEN"  # a job needs it to write a Space

_CHOICE = re.compile(r"(space|public-space):([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)", re.ASCII)


def space(run: Mapping[str, Any]) -> str | None:
    """`owner/name` of the chosen Space; None for curves that stay where they arise."""
    found = _CHOICE.fullmatch(str(run.get("tracking", LOCAL)))
    return None if found is None else found[2]


def public_space(run: Mapping[str, Any]) -> str | None:
    """The Space that a person allowed to be public."""
    return space(run) if str(run.get("tracking", LOCAL)).startswith("public-") else None


def url(run: Mapping[str, Any]) -> str | None:
    """The page of the Space; only its members can open it unless it is public."""
    chosen = space(run)
    return None if chosen is None else f"https://huggingface.co/spaces/{chosen}"


def variables(root: str, run: Mapping[str, Any]) -> dict[str, str]:
    """What a job's environment needs. Elsewhere than on this machine there is no folder that outlives a job."""
    chosen = space(run)
    if chosen is not None:
        return {"TRACKIO_SPACE_ID": chosen}
    return {"TRACKIO_DIR": f"{root}/{FOLDER}"} if run["backend"] == "local" else {}


def secrets(run: Mapping[str, Any]) -> tuple[str, ...]:
    """Named only where a Space was chosen: a job that keeps its curves is given no token for them."""
    return () if space(run) is None else (SECRET,)
