"""What the service answers: its JSON forms, its refusals, its filters and pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fakes.hf_jobs import prices
from fakes.hf_jobs.state import Job

USER_ID = "5e9ecfc04957053f60648a3e"
_LABEL = re.compile(r"[A-Za-z0-9._-]{0,100}")


def account(user: str, organizations: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "user",
        "id": USER_ID,
        "name": user,
        "fullname": user.title(),
        "isPro": True,
        "canPay": True,
        "orgs": [{"type": "org", "id": USER_ID[::-1], "name": name, "canPay": True} for name in organizations],
        "auth": {
            "type": "access_token",
            "accessToken": {"displayName": "emulated", "role": "write", "createdAt": "2026-01-01T00:00:00.000Z"},
        },
    }


def fault_of(body: Any) -> str | None:
    """Why the service would not take a job; None when it would."""
    if not isinstance(body, dict) or not body.get("command"):
        return "no command"
    if body.get("flavor") not in prices.HARDWARE:
        return f"Invalid flavor {body.get('flavor')}"
    if not (body.get("dockerImage") or body.get("spaceId")):
        return "no image"
    if "timeoutSeconds" in body and not body["timeoutSeconds"] > 0:
        return "Invalid timeoutSeconds"
    if not all(_LABEL.fullmatch(text) for pair in (body.get("labels") or {}).items() for text in pair):
        return "Invalid labels"
    return None


def job(one: Job) -> dict[str, Any]:
    """A job as its owner sees it: secrets by name alone."""
    stage, message = one.outcome()
    started, finished = one.started(), one.finished()
    stamp = one.clock.stamp
    shown = {
        "id": one.id,
        "createdAt": stamp(one.created),
        "startedAt": None if started is None else stamp(started),
        "finishedAt": None if finished is None else stamp(finished),
        "dockerImage": one.body.get("dockerImage"),
        "command": one.body["command"],
        "arguments": one.body.get("arguments", []),
        "environment": one.body.get("environment", {}),
        "secrets": {name: "" for name in one.body.get("secrets", {})},
        "flavor": one.body["flavor"],
        "labels": one.labels,
        "retry": one.body.get("attempts", 1) - 1,
        "status": {"stage": stage, "message": message},
        "durations": one.durations(),
        "owner": {"id": USER_ID, "name": one.namespace, "type": "user"},
        "initiator": {"type": "user", "id": USER_ID, "name": one.namespace},
    }
    return {key: value for key, value in shown.items() if value is not None}


def matching(jobs: Sequence[Job], query: Mapping[str, Sequence[str]]) -> list[Job]:
    """Jobs with every label and one of the stages asked for, newest first."""
    wanted = dict(text.split("=", 1) for text in query.get("label", ()))
    stages = query.get("stage", ())
    kept = [one for one in jobs if wanted.items() <= one.labels.items()]
    kept = [one for one in kept if not stages or one.outcome()[0] in stages]
    return sorted(kept, key=lambda one: one.created, reverse=True)


def page(
    found: Sequence[Job], query: Mapping[str, Sequence[str]], size: int, address: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One page, and the Link header to the next."""
    start = int(query.get("cursor", ["0"])[0])
    headers = {}
    if start + size < len(found):
        rest = urlencode({**query, "cursor": [start + size]}, doseq=True)
        headers["Link"] = f'<{address}?{rest}>; rel="next"'
    return [job(one) for one in found[start : start + size]], headers
