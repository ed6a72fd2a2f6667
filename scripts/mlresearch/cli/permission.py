"""Asks the guard before each submit of a campaign that runs without a client, so that both judge by the same code."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from mlresearch.errors import EnvelopeBreach
from mlresearch.guard import situations
from mlresearch.guard.calls import ALLOW, ASK, Call
from mlresearch.guard.decide import decide
from mlresearch.jobs import Order, Permission

SCRIPT = Path(__file__).parents[2] / "campaign.py"


def permit(root: str) -> Permission:
    """A check that raises EnvelopeBreach unless a session's shell would be allowed the same submit."""

    def ask(order: Order) -> None:
        verb = "finalize" if order.purpose.startswith("final") else f"submit --experiment {order.experiment}"
        call = Call("Bash", {"command": f"uv run {shlex.quote(str(SCRIPT))} {verb}"}, root)
        session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
        verdict = decide(call, situations.find([root], session, time.time()))
        # without a session id a person typed this in their own terminal, and answers for it
        if verdict.decision not in ((ALLOW,) if session else (ALLOW, ASK)):
            told = verdict.reason or f"the guard does not allow {verb}"
            raise EnvelopeBreach(
                told, "what a session's shell would be allowed", "campaign.py status", verdict.terminal
            )

    return ask
