"""One request, read as what an adversary wrote, and held to what the guard would allow of the same call.

Owns the limits of broker mode: which scripts, inside which folder, on which backends, with which secrets. Refuses a
person's acts outright. A file can still be exchanged between this check and its use; what it could bring in is any
file that the asking shell reads anyway, but for the token, which the submit invariant finds in a script.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlresearch import options, seal
from mlresearch.errors import EnvelopeBreach, Refused, UsageError, shown
from mlresearch.guard import situations
from mlresearch.guard.calls import ALLOW, ASK, DENY, DRAFT, SILENT, Call
from mlresearch.guard.decide import decide
from mlresearch.options import Values, Verb
from mlresearch.surface import BROKERED, SURFACE

SCRIPTS = Path(__file__).parents[2]
OLDEST_S = 24 * 3600
_TYPES = {"script": str, "argv": list, "cwd": str, "session": str, "asked_at": float}


@dataclass(frozen=True)
class Offer:
    """What the person who started the broker lets requests reach."""

    backends: tuple[str, ...] = ("hf",)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    script: str
    argv: tuple[str, ...]
    cwd: str
    session: str
    asked_at: float

    @property
    def text(self) -> str:
        """The call as a shell would run it; the guard judges this."""
        return shlex.join(["uv", "run", str(SCRIPTS / self.script), *self.argv])

    @property
    def as_json(self) -> bool:
        return "--json" in self.argv


def read(raw: bytes) -> Request:
    """Raises UsageError for anything that our commands would not write."""
    try:
        found = json.loads(raw)
        if not isinstance(found, dict) or set(found) != set(_TYPES):
            raise ValueError("other keys")
        if any(type(found[key]) is not kind for key, kind in _TYPES.items()):
            raise ValueError("other types")
        if not found["argv"] or not all(isinstance(word, str) and "\0" not in word for word in found["argv"]):
            raise ValueError("words that are no text")
        if "\0" in found["cwd"]:
            raise ValueError("a folder that is no path")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the request can not be read: {error}", "a request of our commands") from None
    return Request(**{**found, "argv": tuple(found["argv"])})


def check(request: Request, root: str, offer: Offer, confirm: Callable[[str], bool]) -> None:
    """Raises unless the request may be executed in `root`; `confirm` asks the person where the guard would."""
    verb = _verb(request)
    values = options.parse(verb, request.argv[1:])
    if not abs(time.time() - request.asked_at) < OLDEST_S:
        raise Refused("the request is older than a day", "a new one", "call the command again")
    if not request.session or not request.session.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"session {shown(request.session)} is none", "a session of the client")
    _inside(request, verb, values, root)
    if verb.access == "spend":
        _reach(request, values, root, offer)
    if values.given("space"):
        _own_space(values.text("space") or "", root)
    _permit(request, verb, root, confirm)


def _verb(request: Request) -> Verb:
    verb = SURFACE.get(request.script, {}).get(request.argv[0])
    if request.script not in BROKERED or verb is None:
        told = f"the broker does not run {shown(request.script)} {shown(request.argv[0])}"
        raise UsageError(told, ", ".join(sorted(BROKERED)))
    if verb.access == "approve":
        raise Refused(f"{request.script} {verb.name} is a person's act", "", "a person runs it in their own terminal")
    return verb


def _inside(request: Request, verb: Verb, values: Values, root: str) -> None:
    """The folder belongs to this project, and each file that the call names lies in it, links followed."""
    here = os.path.realpath(request.cwd)
    if here != request.cwd or not os.path.isdir(here) or (seal.open_root(here) or here) != root:
        raise Refused(f"{shown(request.cwd)} is no folder of {root}", "a folder of the broker's own project")
    for option in verb.options:
        if option.metavar != "PATH" and option.key != "path":
            continue
        for path in [values.text(option.key), *values.many(option.key)]:
            real = os.path.realpath(os.path.join(here, path or "."))
            if real != root and not real.startswith(root + "/"):
                raise Refused(f"{option.flag} {shown(path)} leads out of {root}", "a file of the project")


def _reach(request: Request, values: Values, root: str, offer: Offer) -> None:
    """A job on this machine runs outside the sandbox, and a job with a secret can tell it: both are for the person."""
    if request.script == "jobs.py":
        backend, names = values.need("backend"), values.many("secret")
    else:
        approved = seal.require(root, time.time())
        backend, names = str(approved.program["run"]["backend"]), []
    if backend not in offer.backends:
        told = f"this broker submits to {', '.join(offer.backends)} alone, not to {backend}"
        raise Refused(told, "another backend", f"a person starts it with broker.py run --backend {backend}")
    for name in names:
        if name not in offer.secrets:
            told = f"this broker passes on no secret {shown(name)}"
            raise Refused(told, "a job without it", "a person starts it with broker.py run --secret NAME")


def _own_space(place: str, root: str) -> None:
    """A Space is shown the token, and whoever owns it could keep it; an address would open the person's network."""
    approved = seal.require(root, time.time())
    owners = {pattern.split("/")[0] for pattern in approved.envelope.output_repos}
    if "://" in place or place.split("/")[0] not in owners:
        told = f"--space {shown(place)} is not of an approved owner"
        raise Refused(told, ", ".join(sorted(owners)) or "no --space", "read the log: jobs.py logs")


def _permit(request: Request, verb: Verb, root: str, confirm: Callable[[str], bool]) -> None:
    """Ask the guard about the very call; raises EnvelopeBreach for what it denies and nobody confirms."""
    now = time.time()
    found = situations.find([request.cwd], request.session, now)
    verdict = decide(Call("Bash", {"command": request.text}, request.cwd), found)
    if verdict.decision == DENY and verdict.terminal and found.outside.is_ours():
        situations.mark_denied(root, verdict.reason, now)
    # the guard is silent on bookkeeping, and on a smoke run on this machine under a draft
    is_free = verdict.decision == SILENT and (verb.access in ("read", "book") or found.state == DRAFT)
    is_let = verdict.decision == ALLOW or is_free
    if not is_let and not (verdict.decision == ASK and confirm(f"{verdict.reason}\n  {request.text}")):
        told = verdict.reason or f"{request.script} {verb.name} is not allowed"
        raise EnvelopeBreach(told, "what the approved program allows", "campaign.py status", verdict.terminal)
