"""Real projects for the guard's tests: a folder with code, a program.md, and the package's own approval of it."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlresearch import ledger, store
from mlresearch.campaign import approval
from mlresearch.guard import situations
from mlresearch.guard.calls import Call, Situation, Verdict
from mlresearch.guard.decide import decide
from mlresearch.program import parse

PLUGIN = Path(__file__).parents[2]
NOW = time.time()
SESSION = "session-of-the-tests"

PROGRAM = """# A campaign

## Goal
```yaml
metric: accuracy
direction: maximize
target: null
metric_pattern: '^accuracy: (\\S+)$'
min_effect: 0.001
final: null
```
## Scope
```yaml
models: []
datasets: []
editable_files: [train.py, launch.py, notes.md, go.sh, a.py, b.py, "src/*.py", "exps/*.py", out, model_repo]
sealed_files: [eval.py, tests]
sealed_data: [data/test.npz, data/hidden]
protected: {}
```
## Run
```yaml
script: train.py
args: []
seed_flag: --seed
dependencies: []
backend: hf
flavor: t4-small
timeout: 1h
memory: null
tracking: local
parameters: {}
```
## Keep or discard
```yaml
baseline_seeds: 3
screen: 0.5
confirm_seeds: 3
final_seeds: 3
stop_after_no_gain: 10
max_experiments: 10
prefer_simpler: true
```
## Budget envelope
```yaml
backends: [hf, local]
max_usd: 10
max_jobs: 3
max_walltime: 6h
max_parallel: 3
allowed_flavors: [t4-small, a10g-large, cpu]
max_timeout: 2h
output_repos: ['me/sweep-*']
allow_deletes: false
reserve_final: 0
expires: 7d
programs: [mytool]
```
"""

FILES = {
    "train.py": "import argparse\nprint('accuracy: 0.9')\n",
    "push.py": "from transformers import Trainer\nTrainer().push_to_hub('me/x')\n",
    "eval.py": "print(1)\n",
    "launch.py": "from huggingface_hub import run_job\nrun_job(image='x', command=['true'], flavor='a10g-large')\n",
    "driver.py": "import launch\n",
    "comment.py": "# run_job(flavor='a100x8') is how a job would start\nprint('ok')\n",
    "exps/__init__.py": "",
    "exps/launch.py": "from huggingface_hub import HfApi\nHfApi().run_uv_job('train.py', flavor='a100-large')\n",
    "starts.py": "import subprocess\nsubprocess.run(['hf', 'jobs', 'run', 'python:3.12', 'true'])\n",
    "sweep.sh": "#!/bin/bash\nfor lr in 1e-4 3e-4; do hf jobs run --flavor a10g-large img true --lr $lr; done\n",
    "fine.sh": "#!/bin/bash\nset -e\nfor s in 1 2; do python train.py --seed $s; done\n",
    "Makefile": "F ?= a100x8\nall: lint\nlint:\n\truff check .\nsubmit:\n\thf jobs run --flavor $(F) img true\n",
    "package.json": json.dumps({"scripts": {"test": "jest", "deploy": "hf jobs run python:3.12 true"}}),
    "book.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["!hf jobs run python:3.12 true\n"]}]}),
    "calm.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["%matplotlib inline\n", "print(1)\n"]}]}),
    "tests/test_live_submit.py": "from huggingface_hub import run_job\ndef test_live(): run_job(image='x')\n",
    "tests/test_train.py": "def test_a(): pass\n",
    "scripts/old.py": "print('an old script')\n",
    "src/model.py": "x = 1\n",
    "train.sbatch": "#!/bin/bash\n#SBATCH --gres=gpu:1\npython train.py\n",
    "notes.md": "# notes\n",
    "job.json": "{}\n",
    "raise-budget.patch": "--- a/program.md\n+++ b/program.md\n@@ -10,1 +10,1 @@\n-max_jobs: 3\n+max_jobs: 300\n",
    "train.patch": "--- a/train.py\n+++ b/train.py\n@@ -1,1 +1,1 @@\n-import argparse\n+import json\n",
    "train_modal.py": "import modal\n",
    "out/model.safetensors": "x",
    "a.py": "print(1)\n",
    "b.py": "print(1)\n",
    "work/plan.json": "{}\n",
    "work/ok.py": "print(1)\n",
    "data/test.npz": "sealed",
    "list.txt": "a.py\nb.py\n",
    "timeout.txt": "9h\n",
}  # fmt: skip


class Field:
    """A project on disk in one state, and the verdicts of the guard in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home

    def fill(self, text: str) -> str:
        words = {"@ROOT@": str(self.root), "@PLUGIN@": str(PLUGIN), "@STORE@": store.base(), "@HOME@": str(self.home)}
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def situation(self, cwd: str | None = None, now: float = NOW, session: str = SESSION) -> Situation:
        return situations.find([cwd or str(self.root)], session, now)

    def call(self, row: dict[str, Any]) -> Call:
        given = row["input"] if "input" in row else {"command": row["command"]}
        filled = json.loads(self.fill(json.dumps(given)))
        return Call(row.get("tool", "Bash"), filled, self.fill(row.get("cwd", "@ROOT@")))

    def decide(self, row: dict[str, Any]) -> Verdict:
        call = self.call(row)
        return decide(call, self.situation(call.cwd, NOW + (8 * 86400 if row["state"] == "expired" else 0)))

    def bash(self, command: str) -> Verdict:
        return decide(Call("Bash", {"command": self.fill(command)}, str(self.root)), self.situation())


def build(root: Path, state: str) -> None:
    """Make a project in a state: none, draft, sealed, full (no job left), stopped, changed, expired."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    if state == "none":
        return
    (root / "program.md").write_text(PROGRAM)
    if state == "draft":
        return
    approval.approve(str(root), parse(PROGRAM).digest, NOW)
    _seal_states(root, state)


def _seal_states(root: Path, state: str) -> None:
    prices = {"t4-small": 6667, "a10g-large": 25000, "a100x8": 333334}
    store.put(store.base() + "/prices.json", {"hf": prices, "read_at": NOW})
    if state == "full":
        for job in range(1, 4):
            reserve(root, f"j000{job}")
    if state == "stopped":
        situations.mark_denied(str(root), "flavor a100x8", NOW + 1)
    if state == "changed":
        (root / "program.md").write_text(PROGRAM.replace("max_jobs: 3", "max_jobs: 300"))


def reserve(root: Path, job: str) -> None:
    ledger.append(
        str(root), "reserved", job=job, label=job, backend="hf", flavor="t4-small", timeout_s=60, reserved_s=60,
        ceiling_micro=6667, purpose="free", seed=None, seed_index=None, experiment=None, train_job=None,
    )  # fmt: skip


@pytest.fixture(scope="session")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Field]]:
    """One project for each state, all under one store and one home."""
    top = Path(os.path.realpath(tmp_path_factory.mktemp("guard")))
    home = top / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_DATA_HOME", str(top / "data"))
        patch.delenv("CLAUDE_PROJECT_DIR", raising=False)
        made = {}
        for state in ("none", "draft", "sealed", "full", "stopped", "changed", "expired"):
            root = top / "projects" / state
            root.mkdir(parents=True)
            build(root, state)
            made[state] = Field(root, home)
        yield made


@pytest.fixture
def changed(fields: dict[str, Field], tmp_path: Path) -> Callable[[str, dict[str, Any]], Field]:
    """Makes a project of its own with some files replaced: by text, by bytes ({"b64": ...}), or by a folder (None)."""

    def make(state: str, files: dict[str, Any]) -> Field:
        root = Path(os.path.realpath(tmp_path)) / "project"
        root.mkdir()
        build(root, state)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
                path.mkdir()
            else:
                path.write_bytes(base64.b64decode(content["b64"]) if isinstance(content, dict) else content.encode())
        return Field(root, fields["none"].home)

    return make


@pytest.fixture
def sealed(fields: dict[str, Field]) -> Field:
    return fields["sealed"]
