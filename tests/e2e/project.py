"""A small campaign in the client's project: real jobs of 0.1 s, approved as a person would in their own terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e.client import REPO, Client
from mlresearch import program

TRAIN = """import argparse, math, random
p = argparse.ArgumentParser()
p.add_argument("--out"), p.add_argument("--seed", type=int), p.add_argument("--rate", type=float, default=0.001)
a = p.parse_args()
value = 0.9 - 0.02 * abs(math.log10(a.rate) + 2) + random.Random(a.seed).gauss(0, 0.001)
open(a.out + "/model.txt", "w").write(str(value))
print(f"val_accuracy: {value}")
"""
EVALUATE = """import argparse
p = argparse.ArgumentParser()
p.add_argument("--model"), p.add_argument("--data")
a = p.parse_args()
print("test_accuracy:", float(open(a.model).read()) - float(open(a.data).read()))
"""


def blocks(**limits: Any) -> dict[str, Any]:
    """program.md's blocks; `limits` changes keys of the envelope."""
    found: dict[str, Any] = program.parse((REPO / "program.template.md").read_text()).blocks
    found["Goal"]["final"]["args"] = ["--model", "{run}/model.txt", "--data", "{sealed}/data/test.txt"]
    found["Scope"]["sealed_data"] = ["data/test.txt"]
    found["Run"] |= {"args": ["--out", "{out}"], "timeout": "1m", "memory": "500m"}
    found["Run"]["parameters"] = {"rate": {"flag": "--rate", "kind": "float", "low": 1e-4, "high": 1, "log": True}}
    found["Keep or discard"] |= {"baseline_seeds": 3, "confirm_seeds": 2, "final_seeds": 1}
    found["Budget envelope"] |= {"max_parallel": 3, "max_jobs": 30, "max_timeout": "2m", **limits}
    return found


def make(client: Client, **limits: Any) -> None:
    """Write the project; nothing is approved yet."""
    template = (REPO / "program.template.md").read_text()
    files = {
        "program.md": program.written(template, blocks(**limits)),
        "train.py": TRAIN,
        "evaluate.py": EVALUATE,
        "data/test.txt": "0.003",
    }
    for name, text in files.items():
        path = client.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def terminal(
    client: Client, script: str, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command as the person types it, outside any session."""
    return subprocess.run(
        [sys.executable, str(REPO / "scripts" / script), *words],
        cwd=client.project,
        env=client.environment(None, env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def approve(client: Client, env: Mapping[str, str] | None = None) -> None:
    shown = json.loads(terminal(client, "program.py", "show", "--json", env=env).stdout)
    done = terminal(client, "program.py", "approve", "--digest", shown["digest"], env=env)
    assert done.returncode == 0, done.stderr


def rows(project: Path) -> list[dict[str, Any]]:
    """The ledger's rows, [] when there is no ledger."""
    path = project / "runs" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def jobs(project: Path) -> list[str]:
    """Jobs that really exist, by their folder."""
    return sorted(path.name for path in (project / "runs" / "jobs").glob("j*"))
