"""What the guard costs a tool call, as ratios to a bare interpreter in the same run. By hand, not a test.

    PYTHONPATH=scripts:tests python tests/bench/bench_guard.py [rounds]

Rows: an ordinary command, a submit that is checked in full against ledgers of 10, 1,000 and 100,000 events, a command
of 1 MB, and an ordinary command as the client spawns it (through the wrapper in hooks/hooks.json).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.long_ledger import grow
from mlresearch import program
from mlresearch.campaign import approval

REPO = Path(__file__).resolve().parents[2]
EVENTS = (10, 1_000, 100_000)


def real_python() -> str:
    """The interpreter itself, not a version manager's shim or an environment's link."""
    return os.path.realpath(sys.executable)


def project(folder: Path, events: int) -> Path:
    """An approved project with a ledger of about that many rows."""
    root = folder / f"project-{events}"
    root.mkdir()
    template = (REPO / "program.template.md").read_text()
    blocks = program.parse(template).blocks
    blocks["Budget envelope"] |= {"max_jobs": 1_000_000, "max_walltime": "365d"}
    (root / "program.md").write_text(program.written(template, blocks))
    approval.approve(str(root), program.load(str(root)).digest)
    grow(str(root), events)
    return root


def call(command: str, cwd: Path) -> bytes:
    payload = {
        "session_id": "bench", "cwd": str(cwd), "hook_event_name": "PreToolUse", "permission_mode": "default",
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": "t",
    }  # fmt: skip
    return json.dumps(payload).encode()


def seconds(run: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def spawned(argv: list[str], stdin: bytes, env: Mapping[str, str], cwd: Path) -> Callable[[], object]:
    return lambda: subprocess.run(argv, input=stdin, env=env, cwd=cwd, capture_output=True, check=False)


def wrapper() -> str:
    hooks = json.loads((REPO / "hooks" / "hooks.json").read_text())["hooks"]["PreToolUse"]
    command: str = hooks[0]["hooks"][0]["command"]
    return command


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_DATA_HOME"] = str(folder / "data")
        env = {**os.environ, "CLAUDE_PLUGIN_ROOT": str(REPO)}
        python, isolated = real_python(), ["-I", "-S"]
        guard = [python, *isolated, str(REPO / "scripts" / "guard.py")]
        (folder / "data" / "ml-research").mkdir(parents=True)
        (folder / "data" / "ml-research" / "python").write_text(python + "\n")
        plain = folder / "plain"
        plain.mkdir()
        submit = (
            f"uv run {REPO}/scripts/jobs.py submit --backend local --script train.py --flavor cpu --timeout 5m --arg x"
        )
        rows: list[tuple[str, Callable[[], object]]] = [
            ("bare python -I -S -c pass", spawned([python, *isolated, "-c", "pass"], b"", env, plain)),
            ("ordinary command, no program", spawned(guard, call("git status && ls -la | head", plain), env, plain)),
            ("same, as the client spawns it", spawned(["sh", "-c", wrapper()], call("git status", plain), env, plain)),
            ("1 MB here-document", spawned(guard, call("cat <<'E'\n" + "x" * 1_000_000 + "\nE", plain), env, plain)),
        ]
        for events in EVENTS:
            root = project(folder, events)
            rows.append((f"ordinary, sealed, {events} events", spawned(guard, call("ls -la", root), env, root)))
            rows.append((f"submit check, {events} events", spawned(guard, call(submit, root), env, root)))
        report(rows, rounds)
    return 0


def report(rows: list[tuple[str, Callable[[], object]]], rounds: int) -> None:
    for _, run in rows:
        run()
    # interleaved by row and repeated: a busy machine slows them alike
    bare = 0.0
    for name, run in rows:
        taken = seconds(run, rounds)
        bare = bare or taken
        print(f"{name:36} {taken * 1000:7.1f} ms   {taken / bare:5.2f} x bare")


if __name__ == "__main__":
    raise SystemExit(main())
