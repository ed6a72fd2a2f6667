"""Runs templates in forks of one process that has the libraries loaded: 6 s of imports once, not at every run.

It is started with the interpreter of the templates (`template_env`), and reads one JSON object a line:
{"argv", "env", "log", "address_space"} starts a script and answers {"pid"}; {"wait": pid} answers {"code"}.
What runs is what `python script.py` would run: the whole file, as `__main__`, in a process of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import runpy
import signal
import sys
from typing import Any

# trackio, and trl's GRPOTrainer that imports it, are left out: it reads its folder from the environment when imported
PRELOADED = ("torch", "datasets", "pandas", "transformers.trainer", "trl", "peft", "sentence_transformers", "PIL.Image")
TRAINERS = ("SFTTrainer", "DPOTrainer", "RewardTrainer")


def preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    for name in TRAINERS:  # trl imports them when they are asked for
        getattr(sys.modules["trl"], name)


def confine(extra: int) -> None:
    """Let this process map so many bytes more than it does now."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, now + extra))


def become(order: dict[str, Any]) -> None:
    """In the child: the script's own streams, environment and limits, then the script."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.update(order["env"])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if extra := order.get("address_space"):
        confine(extra)
    sys.argv = list(order["argv"])
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    preload()
    print(json.dumps({"ready": True}), flush=True)
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "wait" in order:
            print(json.dumps({"code": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            return become(order)
        print(json.dumps({"pid": pid}), flush=True)
    return None


if __name__ == "__main__":
    main()
