"""Serves one trial until it is ended; see the package."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import threading
from pathlib import Path

import template_env
from fakes import github_server
from fakes.papers_server import PapersServer
from fakes.table_server import TableServer
from trials.hub import TrialHub, publish_examples

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]


def made(folder: Path) -> tuple[Path, dict[str, str]]:
    """The model, the talks and the pages, from the templates' environment."""
    python = str(template_env.python())
    held = folder / "made"
    held.mkdir(parents=True, exist_ok=True)
    subprocess.run([python, str(HERE / "make.py"), str(held)], check=True, capture_output=True)
    printed = subprocess.run([python, str(HERE / "docs.py")], check=True, capture_output=True, text=True)
    pages: dict[str, str] = json.loads(printed.stdout)
    return held, pages


def exports(variables: dict[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    held, pages = made(folder)
    publish_examples(next(template_env.python().parents[1].glob("lib/python3*/site-packages")))
    (folder / "project").mkdir(exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with (
        PapersServer() as papers,
        TableServer(github_server.answer) as github,
        TrialHub(folder / "jobs", held, pages) as hub,
    ):
        places = {"XDG_DATA_HOME": str(folder / "data"), "CLAUDE_PLUGIN_ROOT": str(REPO)}
        code = {
            "ML_RESEARCH_GITHUB_URL": github.url,
            "ML_RESEARCH_GITHUB_RAW_URL": f"{github.url}/raw",
            "GITHUB_TOKEN": "of-nobody",
        }
        (folder / "env.sh").write_text(exports(papers.environment | hub.environment | code | places))
        print(f"serving; the variables are in {folder / 'env.sh'}", flush=True)
        ended.wait()
        os.rename(folder / "env.sh", folder / "env.ended")
        spent = {"jobs": len(hub.jobs.jobs), "bill_micro": hub.jobs.bill_micro()}
        print(json.dumps(spent | {"repositories": [name for _, name in hub.repos.repos]}))


if __name__ == "__main__":
    main()
