"""Makes a task's folder: scripts, data, program.md. Approves nothing and runs no experiment."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path

from mlresearch import program, seal, store
from mlresearch.backends.launch import find_uv
from mlresearch.errors import ResearchError, UsageError
from mlresearch.tasks.catalog import EVALUATE, PREPARE, TRAIN, Task
from mlresearch.tasks.program_blocks import blocks

PLUGIN = Path(__file__).parents[3]
TEMPLATES = PLUGIN / "skills" / "ml-research-task" / "templates"
MAKES = {"program.md", "runs", "data", "sealed", TRAIN, EVALUATE}


def is_whole(root: str) -> bool:
    """program.md is written last, so that a folder with one is whole."""
    return (Path(root) / seal.PROGRAM).exists()


def make(root: str, task: Task) -> None:
    """Fill the folder; raises UsageError when it holds files that are not ours to overwrite."""
    folder = Path(root)
    strange = sorted(path.name for path in folder.glob("*") if path.name not in MAKES) if folder.exists() else []
    if strange:
        raise UsageError(f"{root} holds other files: {', '.join(strange[:5])}", "a new or empty folder", "--dir PATH")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (TRAIN, EVALUATE):
        shutil.copyfile(TEMPLATES / name, folder / name)
    _prepare(root, task)
    template = (PLUGIN / "program.template.md").read_text(encoding="utf-8")
    store.put_text(str(folder / seal.PROGRAM), program.written(template, blocks(task)))


def _prepare(root: str, task: Task) -> None:
    """Write the task's data, split by a key that nobody keeps."""
    uv = find_uv()
    if uv is None:
        raise ResearchError("uv is not installed, and it prepares the data", next_step="python3 -m pip install uv")
    script = Path(__file__).with_name(PREPARE)
    words = ["--task", task.name, "--out", root, "--key", secrets.token_hex(16)]
    done = subprocess.run(
        [uv, "run", "--quiet", "--no-project", "--script", str(script), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise ResearchError(f"the data could not be prepared: {told[-1] if told else done.returncode}")
