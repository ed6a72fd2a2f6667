"""broker.py: serve the model's shell from a person's own terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading

from mlresearch import presence
from mlresearch.broker.request import Offer
from mlresearch.broker.serving import Broker
from mlresearch.cli import Answer, main, project_or_here
from mlresearch.errors import Refused
from mlresearch.options import Values


def serve(values: Values) -> Answer:
    """Until interrupted. Refuses inside a session: whoever starts it answers for what it does."""
    if os.environ.get("CLAUDE_CODE_SESSION_ID"):
        raise Refused("a session may not start its own broker", "", "a person runs it in their own terminal")
    root = project_or_here()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    offer = Offer(tuple(values.many("backend")) or Offer.backends, tuple(values.many("secret")))
    _tell(f"serves {root} on {', '.join(offer.backends)}; ^C ends it")
    Broker(root, offer, _tell, _confirm).serve(stop)
    return Answer({"root": root}, "the broker has ended; commands run directly again")


def status(values: Values) -> Answer:
    root = presence.served_root(os.getcwd())
    told = f"a broker serves {root}" if root else "no broker: commands run directly, with what this shell holds"
    return Answer({"broker": root is not None, "root": root, "confined": presence.is_confined()}, told)


def _tell(line: str) -> None:
    print(f"broker: {_plain(line)}", file=sys.stderr, flush=True)


def _confirm(question: str) -> bool:
    """The person's answer; no where nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return False
    print(f"broker: {_plain(question)}\nyes or no? ", end="", file=sys.stderr, flush=True)
    # not through sys.stdin: its lock, held by a thread that waits, would spoil the broker's end
    return os.read(sys.stdin.fileno(), 1000).strip().lower() in (b"y", b"yes")


def _plain(text: str) -> str:
    """Without what could move the cursor or hide a word: the model wrote parts of it."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def run(argv: list[str] | None = None) -> int:
    return main("broker.py", {"run": serve, "status": status}, argv)
