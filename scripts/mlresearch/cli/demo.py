"""demo.py: makes a folder with real data and a program.md, approves it (local, 0 USD, its own folder), runs it."""

from __future__ import annotations

import os
import sys

from mlresearch import money, program, seal
from mlresearch.campaign import approval, derived, loop, state
from mlresearch.cli import Answer, main
from mlresearch.cli.permission import permit
from mlresearch.cli.progress import Progress, note
from mlresearch.errors import UsageError
from mlresearch.options import Values
from mlresearch.tasks import catalog, folder


def demo(values: Values) -> Answer:
    task = catalog.find(values.text("task") or catalog.DEFAULT)
    root = os.path.realpath(values.text("dir") or os.path.join("ml-research-demo", task.name))
    if not folder.is_whole(root):
        note(f"{task.name}: {task.story}")
        folder.make(root, task)
    if state.finished(root) is None:
        if seal.load(root) is None:
            approve(root)
        with Progress(quiet=values.flag("json")) as progress:
            loop.run(root, progress.show, permit(root))
    written = derived.write(root)
    return Answer({**written, "root": root}, f"{written['headline']}\n{written['report.html']}")


def approve(root: str) -> None:
    """The one approval that no person gives: jobs on this machine at no cost, in a folder that was just made."""
    read = program.load(root)
    if read.envelope.backends != ("local",) or read.envelope.max_usd_micro:
        most = money.show(read.envelope.max_usd_micro)
        raise UsageError(f"this program may spend {most}", "local jobs at $0.00", "program.py show")
    approval.approve(root, read.digest)


def run(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    return main("demo.py", {"run": demo}, words if words[:1] in (["run"], ["--help"], ["-h"]) else ["run", *words])
