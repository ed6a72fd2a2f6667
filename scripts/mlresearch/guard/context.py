"""What a session is told when it starts, resumes or was compacted: where the campaign or task stands, what comes next.

Runs as a hook, so it keeps the hook's rules: standard library, any Python from 3.9, silent when there is nothing to
say. The same state gives the same text; it holds no clock. Also finds the real interpreter once, because a version
manager's shim costs the guard 70 ms a call.
"""

from __future__ import annotations

import json
import os
import sys
import time

from mlresearch import durations, ledger, money, presence, seal, store
from mlresearch.envelope import left
from mlresearch.errors import ResearchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.seal import Seal
    from mlresearch.standing import Standing

LONGEST = 1200
TAIL = 65536  # bytes of a task's record that are read
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")


def main() -> int:
    """Read the hook's JSON from stdin, print the campaign's state as context; never fails a session's start."""
    try:
        call = json.loads(sys.stdin.buffer.read(1 << 20) or b"{}")
        prepare()
        told = text(str(call.get("cwd") or os.getcwd()), str(call.get("session_id") or ""))
    except ResearchError as error:
        told = f"ml-research: the campaign's state can not be read: {error}"
    except (OSError, ValueError, AttributeError):
        return 0
    if told:
        context = {"hookEventName": "SessionStart", "additionalContext": told[:LONGEST]}
        print(json.dumps({"hookSpecificOutput": context}, ensure_ascii=False))
    return 0


def prepare() -> None:
    """Note the interpreter that really runs, and tell the session's shell where the plugin is."""
    noted = store.base() + "/python"
    try:
        with open(noted, encoding="utf-8") as file:
            known = file.read().strip()
    except OSError:
        known = ""
    if known != sys.executable and os.access(sys.executable, os.X_OK):
        store.put_text(noted, sys.executable + "\n")
    environment, plugin = os.environ.get("CLAUDE_ENV_FILE"), os.environ.get("CLAUDE_PLUGIN_ROOT")
    if environment and plugin and "'" not in plugin:
        with open(environment, "a", encoding="utf-8") as file:
            file.write(f"export CLAUDE_PLUGIN_ROOT='{plugin}'\n")


def text(cwd: str, session_id: str) -> str:
    """The state of the campaign or task that the folder or the session belongs to; empty when there is none."""
    root = seal.open_root(cwd)
    if root is None or seal.load(root) is None:
        root = store.session_root(session_id) or root
    task = open_task(root or cwd)
    if task:
        return _of_task(root or cwd, task)
    return _of_campaign(root) if root is not None else ""


def open_task(root: str) -> str:
    """The task here that was begun last, while nobody has finalized it; empty when there is none."""
    runs = os.path.join(root, "runs")
    try:
        records = [os.path.join(runs, name, "journal.jsonl") for name in os.listdir(runs)]
    except OSError:
        return ""
    newest = max((path for path in records if os.path.isfile(path)), key=os.path.getmtime, default="")
    return os.path.basename(os.path.dirname(newest)) if newest and _goes_on(newest) else ""


def _goes_on(record: str) -> bool:
    """Whether a task's last whole row is not its end; the row of an end is short."""
    with open(record, "rb") as file:
        file.seek(max(0, os.path.getsize(record) - TAIL))
        lines = file.read().split(b"\n")[:-1]
    return bool(lines) and b'"event": "finalized"' not in lines[-1]


def _of_task(root: str, task: str) -> str:
    approved = seal.load(root)
    state = seal.state(root, approved, time.time())
    lines = [f"ml-research: the task {task} is open. Next: run pipeline.py next --task {task}, and do what it says."]
    if approved is not None and state == "sealed":
        standing = ledger.standing(root)
        lines.append(_spending(approved, standing))
        lines.append(_limits(approved))
    lines.append(f"It is in {root}: its record in runs/{task}/, its files in work/{task}/.")
    return "\n".join([*lines, *_credentials(root)])


def _of_campaign(root: str) -> str:
    approved = seal.load(root)
    state = seal.state(root, approved, time.time())
    if approved is None:
        found = "a program.md that nobody approved; nothing can be spent. Next: program.py check, then program.py show."
        return f"ml-research: {root} has {found}" if state == "draft" else ""
    if state != "sealed":
        why = f"the approval in {root} does not hold ({state}); nothing can be spent"
        return f"ml-research: {why}. Next: program.py show, and a person approves."
    return _told(approved, ledger.standing(root))


def _told(approved: Seal, standing: Standing) -> str:
    goal = approved.program["goal"]
    lines = [f"ml-research campaign {standing.campaign} in {approved.root}: {goal['direction']} {goal['metric']}."]
    if standing.baseline and standing.incumbent:
        best = standing.incumbent
        lines.append(
            f"Baseline {standing.baseline['mean']:.6g} (noise {standing.baseline['sigma']:.3g}); "
            f"incumbent {best['experiment']} {best['mean']:.6g} {json.dumps(best['config'])[:200]}."
        )
    counts = ", ".join(f"{count} {state}" for state, count in sorted(standing.counts.items())) or "none decided"
    undecided = ", ".join(f"{name} ({item['stage']})" for name, item in sorted(standing.experiments.items()))
    lines.append(f"Experiments: {counts}; undecided: {undecided[:200] or 'none'}.")
    lines.append(_spending(approved, standing))
    if standing.stopped:
        lines.append(f"Stopped ({standing.stopped['reason']}): {standing.stopped['message'][:200]}")
    lines.append(_limits(approved))
    lines.append("Numbers come from the ledger. Next: run campaign.py next, and do what it says.")
    return "\n".join([*lines, *_credentials(approved.root)])


def _spending(approved: Seal, standing: Standing) -> str:
    still = ", ".join(sorted(standing.open))[:120] or "none"
    return f"Open jobs: {still}. Left: {left(approved.envelope, standing.spent())}."


def _credentials(root: str) -> list[str]:
    """Who holds the token, and where it lies open; the hook runs outside the sandbox and can not see one."""
    exposed, told = _exposed_tokens(), []
    if presence.is_served(root):
        told.append("Broker mode: a process that the person started holds the token and runs the campaign's commands.")
    if exposed:
        told.append(
            f"Note: {exposed} is readable by this session's shell unless its sandbox denies it; "
            "README, Credentials, says how to close that."
        )
    return told


def _limits(approved: Seal) -> str:
    limits = approved.envelope
    return (
        f"Approved: at most {money.show(limits.max_usd_micro)}, {limits.max_jobs} jobs, "
        f"{durations.show(limits.max_walltime_s)} of job time, {limits.max_parallel} at once, on "
        f"{', '.join(limits.backends)}/{', '.join(limits.allowed_flavors)}."
    )


def _exposed_tokens() -> str:
    """Names of places a spending token could be read from; never a value."""
    found = [name for name in TOKENS if os.environ.get(name)]
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    if os.access(os.path.join(home, "token"), os.R_OK):
        found.append(os.path.join(home, "token"))
    return ", ".join(found)
