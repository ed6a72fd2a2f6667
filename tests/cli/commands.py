"""A project and its store in temporary folders, and the real commands run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlresearch import program

REPO = Path(program.__file__).parents[2]
TEMPLATE = (REPO / "program.template.md").read_text()
SMALL = {
    "timeout: 10m\nmemory: 2g": "timeout: 1m\nmemory: 500m",
    'args: ["--data", "{root}/data", "--out", "{out}"]': 'args: ["--out", "{out}"]',
    "baseline_seeds: 5": "baseline_seeds: 3",
    "max_parallel: 2": "max_parallel: 3",
    "max_timeout: 10m": "max_timeout: 2m",
}
TRAIN = "import sys\nprint('val_accuracy: 0.' + sys.argv[-1])\n"


def small_program(**changes: str) -> str:
    """The template for jobs of a moment; `changes` replaces the value of a key wherever it stands."""
    text = TEMPLATE
    for old, new in SMALL.items():
        assert old in text, f"the template has changed: {old!r}"
        text = text.replace(old, new)
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if line.startswith(f"{key}: ")]
        assert lines, f"the template has changed: no line {key!r}"
        text = text.replace(lines[0] + "\n", f"{key}: {value}\n")
    return text


class Project:
    def __init__(self, top: Path) -> None:
        self.root, self.data = top / "project", top / "data"
        self.root.mkdir(parents=True)
        (self.root / "data").mkdir()
        for name, content in (("train.py", TRAIN), ("evaluate.py", "print(1)\n"), ("data/test.npz", "x")):
            (self.root / name).write_text(content)

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "XDG_DATA_HOME": str(self.data), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, script: str, *words: str | bytes) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(REPO / "scripts" / script), *words],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def done(self, script: str, *words: str) -> dict[str, Any]:
        """The answer of a command that must succeed."""
        found = self.run(script, *words, "--json")
        assert found.returncode == 0, found.stderr
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer

    def cancel_open_jobs(self) -> None:
        """So that no job outlives its test."""
        for job in self.done("jobs.py", "list", "--open")["jobs"]:
            self.done("jobs.py", "cancel", "--job", job["job"])

    def approve(self, text: str) -> None:
        (self.root / "program.md").write_text(text)
        self.done("program.py", "approve", "--digest", program.parse(text).digest)

    def files(self) -> dict[str, bytes]:
        """Every file of the project and of its store, the empty lock files aside."""
        places = [path for top in (self.root, self.data) for path in top.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in places if path.suffix != ".lock"}
