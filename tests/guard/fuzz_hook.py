"""Coverage-guided fuzzing of the hook's entry, in this process: bytes in, a valid decision or nothing out.

    PYTHONPATH=scripts:tests python tests/guard/fuzz_hook.py SEALED PLAIN SCRATCH SECONDS

SEALED is a project under an approved program, PLAIN one without a program, SCRATCH an empty folder for what the fuzzer
keeps. The first byte of an input says what the rest is: a whole call, the fields of a tool, or a shell command.
Ends with a status other than 0 at the first finding, whose input then lies in SCRATCH.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["mlresearch"]):
    from mlresearch import guard, store
    from mlresearch.guard import hook, situations
    from mlresearch.guard.table import table

    for module in pkgutil.iter_modules(guard.__path__):  # many are imported only by the calls that need them
        importlib.import_module(f"mlresearch.guard.{module.name}")

LONGEST_S = 1.0  # of processor time: other work on the machine does not count
LONGEST_INPUT = 4096
HERE = Path(__file__).parent
TOOLS = ("Write", "Edit", "NotebookEdit", "Read", "Glob", "mcp__hub__run_job", "Agent", "Monitor", "PowerShell")
WHOLE, FIELDS, PLAIN_BASH, SEALED_BASH = 0, 1, 2, 3
UNREADABLE = ("ValueError", "UnicodeDecodeError", "RecursionError")  # of a call that is no call, or too deeply nested
TOKENS = (
    "$(", "`", "<<E\n", "<<-'E'\n", "\nE\n", "&&", "||", "|&", ";;", ">&", "<(", "${x:-", "$((", "[[ ", "case x in ",
    "esac", "for i in ", "; do ", "; done", "if ", "; then ", "; fi", "{ ", "; }", "f() {", "function ", "coproc ",
    "eval ", "bash -c ", "env -S ", "xargs -I{} ", "find . -exec ", "python -c ", "$'\\x", "trap ", "sudo ", "ssh h ",
    "hf jobs run ", "program.md", "runs/ledger.jsonl", "--timeout ", "{a,b}", "\\\n", "a=(", "alias x=", "parallel ",
)  # fmt: skip


class Found(Exception):
    """The hook broke a promise on this input."""


def stdin_of(data: bytes, sealed: str, plain: str) -> bytes:
    """The hook's input that some fuzzed bytes stand for."""
    kind, rest = (data[0] % 8 if data else WHOLE), data[1:]
    if kind == WHOLE:
        return rest
    text = rest.decode("utf-8", "replace")
    tool, given = "Bash", {"command": text}
    if kind == FIELDS:
        tool, given = _fields(text)
    root = plain if kind == PLAIN_BASH else sealed
    return json.dumps({"session_id": "fuzz", "cwd": root, "tool_name": tool, "tool_input": given}).encode()


def _fields(text: str) -> tuple[str, dict[str, Any]]:
    tool = TOOLS[ord(text[:1] or "a") % len(TOOLS)]
    try:
        given = json.loads(text[1:])
    except (ValueError, RecursionError):
        given = None
    return tool, given if isinstance(given, dict) else {"file_path": text[1:], "command": text[1:], "content": "x"}


def check(data: bytes, sealed: str, plain: str) -> None:
    """Run the hook on one input; raises Found when it fails, is slow or says something that is no decision."""
    given = stdin_of(data, sealed, plain)
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(given))
    sys.stdout, sys.stderr = out, told = io.StringIO(), io.StringIO()
    begun = time.process_time()
    try:
        code = hook.main()
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept
    taken = time.process_time() - begun
    if taken > LONGEST_S:
        raise Found(f"{taken:.1f} s for {given[:300]!r}")
    is_call = bool(data) and data[0] % 8 != WHOLE
    if code and (is_call or not any(f"({name}" in told.getvalue() for name in UNREADABLE)):
        raise Found(f"exit {code}, {told.getvalue()!r}")
    _check_decision(out.getvalue(), code)


def _check_decision(text: str, code: int) -> None:
    if not text:
        return
    spoken = json.loads(text)["hookSpecificOutput"]
    if code or text.count("\n") != 1 or spoken["hookEventName"] != "PreToolUse" or len(spoken) != 3:
        raise Found(f"exit {code} with {text!r}")
    if spoken["permissionDecision"] not in ("allow", "ask", "deny") or not spoken["permissionDecisionReason"]:
        raise Found(f"no decision: {text!r}")


def seed(folder: Path) -> None:
    """Write the corpora's calls as the inputs to begin from."""
    shells = table()["tools"]["shell"]
    for path in sorted(HERE.glob("corpus_*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1:3]):
            row = json.loads(line)
            text = row.get("command") or (row.get("input") or {}).get(shells.get(row.get("tool", "Bash"), ""), "")
            is_shell = isinstance(text, str) and bool(text)
            content = text if is_shell else "a" + json.dumps(row.get("input", {}))
            head = bytes([SEALED_BASH if is_shell else FIELDS])
            (folder / f"{path.stem}-{number}").write_bytes(head + content.encode("utf-8", "replace"))


def main() -> None:
    sealed, plain, scratch, seconds = sys.argv[1:5]
    corpus = Path(scratch) / "corpus"
    corpus.mkdir()
    seed(corpus)
    words = Path(scratch) / "words"
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n' for word in TOKENS))
    denied = os.path.join(store.root_dir(sealed), situations.DENIED)

    def once(data: bytes) -> None:
        check(data, sealed, plain)
        if os.path.exists(denied):  # a breach ends the campaign: the next input begins anew
            os.unlink(denied)

    # the fuzzer's own time limit would take the alarm signal that the hook sets
    options = ["-timeout=0", f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-dict={words}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={scratch}/", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
