"""Reads a command's words, calls one handler, prints one answer. The only code of the package that prints.

Exit 0 done, 1 failed, 2 refused or misused. With `--json` exactly one JSON object goes to stdout, refusals included;
diagnostics go to stderr as one line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlresearch import options, seal, store
from mlresearch.broker.asking import ask
from mlresearch.broker.reply import Reply, refusal
from mlresearch.errors import ResearchError, UsageError, shown
from mlresearch.options import Values
from mlresearch.surface import SURFACE

# the hook runs right before its command; a cold package cache can take minutes in between
SEEN_WITHIN_S = 600


@dataclass(frozen=True)
class Answer:
    """`data` is what --json prints, `text` what a person reads; `code` is the exit status.

    `printed` is called once the reader has it.
    """

    data: dict[str, Any]
    text: str = ""
    code: int = field(default=0)
    printed: Callable[[], None] | None = None


Handler = Callable[[Values], Answer]


def main(script: str, handlers: Mapping[str, Handler], argv: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return _call(script, handlers, argv, _refuse)


def look_up(script: str, handlers: Mapping[str, Handler], argv: list[str] | None = None) -> int:
    """Run one command that looks something up: whatever fails, stdout holds `{"error", "fallback"}` for the caller."""
    return _call(script, handlers, argv, _fall_back)


def _call(
    script: str, handlers: Mapping[str, Handler], argv: list[str] | None, refuse: Callable[[ResearchError, bool], int]
) -> int:
    words = sys.argv[1:] if argv is None else argv
    verbs = SURFACE[script]
    if not words or words[0] in ("-h", "--help", "help"):
        print(options.help_text(script, verbs.values()))
        return 0 if words else 2
    as_json = "--json" in words
    try:
        reply = ask(script, words)
        return _pass_on(reply) if reply is not None else _print(_run(script, handlers, words), as_json)
    except ResearchError as error:
        return refuse(error, as_json)
    except KeyboardInterrupt:
        print(f"{script}: interrupted; nothing is lost, call it again", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return refuse(
            ResearchError(f"{error.strerror}: {error.filename}", next_step="mend that, then call again"),
            as_json,
        )


def _run(script: str, handlers: Mapping[str, Handler], words: list[str]) -> Answer:
    verbs = SURFACE[script]
    if words[0] not in verbs:
        raise UsageError(f"{script} has no verb {words[0]!r}", ", ".join(verbs), f"{script} --help")
    if words[1:2] in (["--help"], ["-h"]):
        return Answer({}, options.help_text(script, [verbs[words[0]]]))
    return handlers[words[0]](options.parse(verbs[words[0]], words[1:]))


def _pass_on(reply: Reply) -> int:
    """What the broker ran answers as if it had run here."""
    sys.stdout.write(reply.stdout)
    sys.stderr.write(reply.stderr)
    return reply.code


def _print(answer: Answer, as_json: bool) -> int:
    if as_json:
        print(json.dumps(answer.data, ensure_ascii=False, sort_keys=True))
    elif answer.text:
        print(answer.text)
    if answer.printed is not None:
        sys.stdout.flush()
        answer.printed()
    return answer.code


def _refuse(error: ResearchError, as_json: bool) -> int:
    return _pass_on(refusal(error, as_json))


def _fall_back(error: ResearchError, as_json: bool) -> int:
    """The fallback tells a caller without this source what to do instead."""
    told = "; ".join(filter(None, (error.allowed and f"allowed: {error.allowed}", error.next_step)))
    print(json.dumps({"error": error.wrong, "fallback": told}, ensure_ascii=False))
    print(f"error: {error}", file=sys.stderr)
    return 2 if error.exit_code == 2 else 1


def project() -> str:
    """The project the command was called in; raises UsageError when no program.md or seal is found upwards."""
    found = seal.open_root(os.getcwd())
    if found is None:
        raise UsageError(f"no program.md in {os.getcwd()} or above", "a folder of a campaign", "program.py init")
    return found


def project_or_here() -> str:
    return seal.open_root(os.getcwd()) or os.path.realpath(os.getcwd())


def record_session(root: str) -> None:
    """Bind this session, which approved, started or was let spend, to the campaign wherever it goes."""
    session = os.environ.get("CLAUDE_CODE_SESSION_ID")
    if session:
        store.record_session(session, root)


def bind_session(root: str) -> None:
    """Record the session, and say so when the guard did not see this very command: its hooks are off in the client."""
    record_session(root)
    session = os.environ.get("CLAUDE_CODE_SESSION_ID")
    if session and time.time() - store.seen_at(session) > SEEN_WITHIN_S:
        told = "the guard's hook did not see this command, so hooks are off in this client"
        print(f"note: {told}; only the commands' own checks hold (README, What the hook does)", file=sys.stderr)


def number(values: Values, name: str, default: int, least: int = 1, most: int = 100) -> int:
    """A whole number that an option gives; raises UsageError outside `least` to `most`."""
    given = values.text(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 7 and least <= int(given) <= most):
        raise UsageError(f"--{name} is {shown(given)}", f"a whole number from {least} to {most}")
    return int(given)


def table(rows: list[list[str]], head: list[str]) -> str:
    """Columns as wide as their widest cell; the last one runs free."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )
