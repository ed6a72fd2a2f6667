"""Tells a person of an event: a command of theirs with the event on its stdin, or a web address it is posted to.

The target comes from the watcher's own environment (ML_RESEARCH_NOTIFY), never from a file of the project: whoever
writes the project must not choose what runs. A notice that fails is told to the caller, and stops nothing.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.request
from collections.abc import Mapping
from typing import Any

VARIABLE = "ML_RESEARCH_NOTIFY"
# the end of a campaign or task, a denial, a need for a person
NOTIFIED = ("finalized", "closed", "stopped", "trouble", "alert", "nan", "diverged", "stalled", "idle")
PATIENCE_S = 30.0


def wanted(event: Mapping[str, Any]) -> bool:
    return event["event"] in NOTIFIED


def send(target: str, event: Mapping[str, Any]) -> str:
    """Deliver one event; returns what went wrong, empty when nothing did. Takes at most about 30 s."""
    content = (json.dumps(event) + "\n").encode("ascii")
    try:
        if target.startswith(("http://", "https://")):
            _post(target, content)
            return ""
        done = subprocess.run(
            shlex.split(target),
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        # not the error's text: a target may hold a password
        return f"the notice was not delivered ({error.__class__.__name__})"
    said = done.stderr.decode("utf-8", "replace").strip()[-200:]
    return f"the notice's command ended with {done.returncode}: {said}" if done.returncode else ""


def _post(address: str, content: bytes) -> None:
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        answer.read(1)
