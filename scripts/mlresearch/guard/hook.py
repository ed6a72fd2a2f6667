"""The hook's entry: reads the client's JSON, finds what holds, asks `decide`, prints at most one JSON object.

Fails closed where a seal of this folder, project or session exists, and open where none does: with no approved program
the guard must not be able to stand in anybody's way. Sets its own alarm, since a hook that times out lets the call run.
"""

from __future__ import annotations

import os
import sys
import time
from _signal import (  # type: ignore[import-not-found]  # `signal` imports `enum`, which costs 5 ms
    SIGALRM,
    alarm,
    signal,
)

from mlresearch import store
from mlresearch.guard import situations
from mlresearch.guard.calls import ALLOW, ASK, DENY, SILENT, Call, Verdict
from mlresearch.guard.decide import decide
from mlresearch.light_json import loads, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALARM_S = 5  # the client waits 20 s; an honest decision takes 0.02 s
LARGEST_INPUT = 20 * 1024 * 1024
LONGEST_REASON = 2000
_RANK = {SILENT: 0, ALLOW: 1, ASK: 2, DENY: 3}


def main() -> int:
    """Exit status of the hook: 0 with a decision or none, 2 when it failed and a seal is near."""
    session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
    places = [os.environ.get("CLAUDE_PROJECT_DIR", ""), _here()]
    try:
        signal(SIGALRM, _too_long)
        alarm(ALARM_S)
        payload = _payload()
        if isinstance(payload.get("session_id"), str):
            session = payload["session_id"]
        if isinstance(payload.get("cwd"), str):
            places.insert(0, payload["cwd"])
        verdict = _decided(payload, session, places)
        _print(verdict)
        alarm(0)
        return 0
    except BaseException as error:  # whatever it is, a crash must not let a campaign spend
        return _failed(error, places, session)


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return os.environ.get("PWD", "")


def _too_long(_number: int, _frame: object) -> None:
    raise TimeoutError(f"no decision within {ALARM_S} s")


def _payload() -> dict[str, Any]:
    raw = sys.stdin.buffer.read(LARGEST_INPUT + 1)
    if len(raw) > LARGEST_INPUT:
        raise ValueError(f"the call is larger than {LARGEST_INPUT} bytes")
    payload = loads(raw.decode("utf-8"))
    if not isinstance(payload, dict):
        raise ValueError("the call is no JSON object")
    return payload


def _decided(payload: dict[str, Any], session: str, places: list[str]) -> Verdict:
    tool, tool_input, cwd = payload.get("tool_name"), payload.get("tool_input"), payload.get("cwd")
    if not isinstance(tool, str) or not isinstance(tool_input, dict) or not isinstance(cwd, str) or "\0" in cwd:
        raise ValueError("the call has no readable tool_name, tool_input or cwd")
    agent = payload.get("agent_type")
    call = Call(tool, tool_input, cwd, agent if isinstance(agent, str) else "")
    found = situations.find(places, session, time.time())
    verdict, by = decide(call, found), found
    if found.root:
        store.mark_seen(session)
    for other in situations.named(call, found, session):
        second = decide(call, other)
        if _RANK[second.decision] > _RANK[verdict.decision]:
            verdict, by = second, other
    if verdict.terminal and by.outside.is_ours():  # a stranger's mistake does not end the campaign
        situations.mark_denied(by.root, verdict.reason, time.time())
    return verdict


def _print(verdict: Verdict) -> None:
    if verdict.decision == SILENT:
        return
    reason = quoted("ml-research: " + verdict.reason[:LONGEST_REASON])
    sys.stdout.write(
        '{"hookSpecificOutput": {"hookEventName": "PreToolUse", '
        f'"permissionDecision": "{verdict.decision}", "permissionDecisionReason": {reason}}}}}\n'
    )
    sys.stdout.flush()


def _failed(error: BaseException, places: list[str], session: str) -> int:
    try:
        alarm(0)
        near = situations.is_near(places, session)
    except BaseException:
        near = os.path.isdir(store.base())
    if not near:
        return 0
    told = f"{error.__class__.__name__}: {error}"[:300].encode("ascii", "backslashreplace").decode()
    sys.stderr.write(f"ml-research: the guard could not decide ({told}), and a campaign is approved here: refused\n")
    return 2
