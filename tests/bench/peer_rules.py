"""The published rules of another plugin's spend guard, described anew: what a guard by text matching answers.

Its rules: only the Bash tool; the line is split into words as by shlex; the first word that ends in `.py` alone
decides whether it is a submit or an upload; options are looked for by their text, the first one wins; jobs and
time-outs are summed from the rows of `runs/ledger.jsonl`; a match inside the limits is answered `allow` for the whole
line, one outside `deny`, and everything else is left to the client. A fault of its own leaves the call to the client.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

RIGHT, WRONG = "right", ("wrong-allow", "wrong-silent", "wrong-deny")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ENVELOPE = re.compile(r"## Budget envelope.*?```yaml\n(.*?)```", re.S)
_DEFAULT_FLAVOR, _DEFAULT_TIMEOUT = "cpu-basic", 1800


def outcome(verdict: str, accepted: Iterable[str]) -> str:
    """How a verdict compares with those that a row accepts; a needless question counts as a refusal."""
    if verdict in accepted:
        return RIGHT
    return "wrong-" + ("deny" if verdict == "ask" else verdict)


def table(rows: dict[str, Counter[tuple[str, str]]]) -> str:
    """Text of the comparison: for each class the number of rows and every outcome of both guards."""
    columns = [(who, kind) for who in ("ours", "peer") for kind in (RIGHT, *WRONG)]
    lines = [f"{'class':16}{'n':>5}" + "".join(f"{who + ' ' + kind:>19}" for who, kind in columns)]
    total = sum(rows.values(), Counter[tuple[str, str]]())
    for name, counted in [*sorted(rows.items()), ("total", total)]:
        number = sum(count for (who, _), count in counted.items() if who == "ours")
        lines.append(f"{name:16}{number:>5}" + "".join(f"{counted[column]:>19}" for column in columns))
    return "\n".join(lines)


def decide(tool: str, given: dict[str, Any], root: Path, jobs: int, seconds: int) -> str:
    """The verdict by those rules; `jobs` and `seconds` are what the campaign used besides the rows in the project."""
    try:
        return _decide(tool, given, root, jobs, seconds)
    except Exception:
        return "silent"  # a hook that ends with a traceback lets the call run


def _decide(tool: str, given: dict[str, Any], root: Path, jobs: int, seconds: int) -> str:
    words = shlex.split(given["command"]) if tool == "Bash" else []
    place = next((index for index, word in enumerate(words) if word.endswith(".py")), len(words))
    script, rest = os.path.basename("".join(words[place : place + 1])), words[place + 1 :]
    if script not in ("jobs.py", "hub.py") or not rest:
        return "silent"
    limits = _limits(root)
    if limits is None:
        return "silent"
    if script == "hub.py":
        return _hub(rest, limits)
    return _submit(rest, limits, *_used(root, jobs, seconds)) if "submit" in rest else "silent"


def _limits(root: Path) -> dict[str, Any] | None:
    program = root / "program.md"
    found = _ENVELOPE.search(program.read_text()) if program.is_file() else None
    return yaml.safe_load(found[1]) if found else None


def _used(root: Path, jobs: int, seconds: int) -> tuple[int, int]:
    ledger = root / "runs" / "ledger.jsonl"
    rows = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.is_file() else []
    times = {row["job_id"]: _seconds(row.get("timeout")) for row in rows if row.get("job_id")}
    return jobs + len(times), seconds + sum(times.values())


def _submit(words: list[str], limits: dict[str, Any], jobs: int, seconds: int) -> str:
    timeout = _seconds(_option(words, "--timeout")) if _option(words, "--timeout") else _DEFAULT_TIMEOUT
    breaks = (
        _is_over(jobs + 1, limits.get("max_jobs")),
        _is_over(seconds + timeout, _seconds(limits.get("max_walltime"))),
        _is_over(timeout, _seconds(limits.get("max_timeout"))),
        bool(limits.get("allowed_flavors"))
        and (_option(words, "--flavor") or _DEFAULT_FLAVOR) not in limits["allowed_flavors"],
    )
    return "deny" if any(breaks) else "allow"


def _hub(words: list[str], limits: dict[str, Any]) -> str:
    if words[0] in ("upload", "delete"):
        is_named = any(fnmatch.fnmatch(_option(words, "--repo-id") or "", one) for one in limits["output_repos"])
        return "allow" if is_named and (words[0] == "upload" or limits.get("allow_deletes")) else "deny"
    return "silent"


def _is_over(asked: int, limit: object) -> bool:
    """A limit that is no whole number, or zero, holds nothing back."""
    return isinstance(limit, int) and limit > 0 and asked > limit


def _option(words: list[str], name: str) -> str | None:
    for place, word in enumerate(words):
        if word == name:
            return "".join(words[place + 1 : place + 2])
        if word.startswith(name + "="):
            return word.partition("=")[2]
    return None


def _seconds(text: object) -> int:
    """The first number with a unit that stands in the text; what holds none counts nothing."""
    found = re.search(r"(\d+)([smhd])", str(text))
    return int(found[1]) * _UNITS[found[2]] if found else 0
