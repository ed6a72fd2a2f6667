"""What a command answered: its exit status and both its outputs. Owns the form of an answer in files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from mlresearch.errors import BackendError, ResearchError


@dataclass(frozen=True)
class Reply:
    code: int
    stdout: str
    stderr: str

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii")


def refusal(error: ResearchError, as_json: bool) -> Reply:
    """As every command of ours refuses: one line on stderr; with `--json` one object on stdout."""
    told = {"error": error.wrong, "allowed": error.allowed, "next": error.next_step}
    out = json.dumps(told, ensure_ascii=False) + "\n" if as_json else ""
    return Reply(error.exit_code, out, f"error: {error}\n")


def load(raw: bytes) -> Reply:
    """Raises BackendError for bytes that no broker wrote."""
    try:
        found = json.loads(raw)
        reply = Reply(found["code"], found["stdout"], found["stderr"])
        if type(reply.code) is not int or not isinstance(reply.stdout, str) or not isinstance(reply.stderr, str):
            raise ValueError("of other types")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackendError("the broker's answer is damaged", next_step="jobs.py reconcile") from None
    return reply
