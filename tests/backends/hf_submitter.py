"""Submits jobs, one process each, and kills some of them: `python -m backends.hf_submitter ROOT URL SEED COUNT`.

Imports once and forks, so that a submit costs milliseconds. A process dies at a random line of our code, at a random
moment (also while the Hub keeps it waiting), or not at all. Nothing here tells the ledger or the Hub that it died.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from types import FrameType
from typing import Any

import huggingface_hub
import huggingface_hub.hf_api
import huggingface_hub.utils._headers

from backends.hf_harness import FAST
from mlresearch import jobs
from mlresearch.backends.hf import HfBackend
from mlresearch.errors import ResearchError
from mlresearch.jobs import Order

LOADED = (huggingface_hub.HfApi, huggingface_hub.JobInfo)
MOST_LINES = 2700  # a submit that goes well runs through some 2630 lines of ours
PATIENCE_S = 20.0
STUCK = "stuck"


def _die_at(line: int) -> None:
    """Kill this process before the `line`-th line of our package."""
    seen = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        if "/mlresearch/" not in frame.f_code.co_filename:
            return None
        seen += event == "line"
        if seen == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def _submit(root: str, url: str, dice: random.Random) -> str:
    order = Order("hf", root + "/train.py", "cpu-basic", 600, namespace=dice.choice(["ada", "lab", None]))
    try:
        jobs.submit(root, order, HfBackend(url, FAST))
    except ResearchError as error:
        return type(error).__name__
    return "submitted"


def _child(root: str, url: str, dice: random.Random, line: int | None, answer: int) -> None:
    if line is not None:
        _die_at(line)
    told = _submit(root, url, dice)
    sys.settrace(None)
    os.write(answer, told.encode())
    os._exit(0)


def _one(root: str, url: str, dice: random.Random) -> str:
    """One submit in a process of its own; how it ended, in a word."""
    fate = dice.choice(["lives", "lives", "lives", "lives", "line", "moment"])
    line = dice.randint(1, MOST_LINES) if fate == "line" else None
    patience_s = dice.uniform(0.0, 0.25) if fate == "moment" else PATIENCE_S
    told, answer = os.pipe()
    child = os.fork()
    if child == 0:
        _child(root, url, dice, line, answer)
    os.close(answer)
    give_up = time.monotonic() + patience_s
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > give_up:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.002)
    with os.fdopen(told) as words:
        ended = words.read()
    return ended or (STUCK if fate == "lives" else "killed")


def main(root: str, url: str, seed: str, count: str) -> None:
    dice = random.Random(int(seed))
    ends = Counter(_one(root, url, random.Random(dice.random())) for _ in range(int(count)))
    print(dict(ends), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
