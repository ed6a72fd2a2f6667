"""Plays a whole task in one process, from where it stands, and dies right after the N-th act that others could see.

    play_task.py N

With N = 0 nothing dies. What counts as an act stands in die_at.py. The number of acts goes to stdout at the end.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from chaos.die_at import Deaths, wrap
from fakes.local_task import TEXT, Agent
from mlresearch.cli import jobs, pipeline, program
from mlresearch.pipeline import journal

COMMANDS = {"pipeline.py": pipeline.run, "jobs.py": jobs.run, "program.py": program.run}


def run(script: str, *words: str) -> dict[str, Any]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = COMMANDS[script]([*words, "--json"])
    if code:
        raise SystemExit(f"{script} {' '.join(words)}: {said.getvalue()}")
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def main(at: int) -> int:
    root = os.path.realpath(os.getcwd())
    deaths = Deaths(at)
    wrap(deaths)
    if not journal.tasks(root):
        run("pipeline.py", "start", TEXT)
    ended = Agent(Path(root), run).play()
    sys.stdout.write(f"{json.dumps(ended)}\n{deaths.seen}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
