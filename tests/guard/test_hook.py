"""The hook as the client runs it: the shell command of hooks.json, its input, its exit status, its one JSON object."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlresearch import store
from mlresearch.guard.hook import LARGEST_INPUT

PLUGIN = Path(__file__).parents[2]
HOOKS = json.loads((PLUGIN / "hooks" / "hooks.json").read_text())["hooks"]
WRAPPER: str = HOOKS["PreToolUse"][0]["hooks"][0]["command"]
CORPORA = sorted(Path(__file__).parent.glob("corpus_*.jsonl"))
ROWS = [json.loads(line) for path in CORPORA for line in path.read_text(encoding="utf-8").split("\n") if line]
SAMPLE = [row for row in ROWS if "stdin_b64" not in row and "stdin_parts" not in row and "files" not in row][::29]
INPUTS = [row for row in ROWS if "stdin_b64" in row or "stdin_parts" in row]
SPEND = {"tool_name": "Bash", "tool_input": {"command": "hf jobs run python:3.12 true"}}


class Answer:
    """What the client makes of one run of the hook."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        self.reason = ""
        self.decision = {0: "silent", 2: "deny"}.get(self.code, "open")
        if self.out:
            (line,) = self.out.splitlines()
            told = json.loads(line)["hookSpecificOutput"]
            assert set(told) == {"hookEventName", "permissionDecision", "permissionDecisionReason"}
            self.decision, self.reason = told["permissionDecision"], told["permissionDecisionReason"]
        assert not (self.out and self.code)


Run = Callable[..., Answer]


@pytest.fixture
def run(fields: dict[str, Any]) -> Run:
    """Runs the wrapper with some bytes on stdin, in a folder, with a changed environment (None removes a variable)."""

    def ran(stdin: bytes, cwd: str | Path, plugin: Path = PLUGIN, **changes: str | None) -> Answer:
        environment = {**os.environ, "CLAUDE_PLUGIN_ROOT": str(plugin), **changes}
        kept = {name: value for name, value in environment.items() if value is not None}
        command = WRAPPER.replace("${CLAUDE_PLUGIN_ROOT}", str(plugin))
        done = subprocess.run(
            ["/bin/sh", "-c", command], input=stdin, cwd=cwd, env=kept, capture_output=True, timeout=60
        )
        return Answer(done)

    return ran


def call(cwd: str | Path, session: str = "session-of-the-tests", **changes: Any) -> bytes:
    return json.dumps({"session_id": session, "cwd": str(cwd), **SPEND, **changes}).encode()


@pytest.fixture
def recorded(fields: dict[str, Any]) -> Any:
    """Records another interpreter, and forgets it afterwards."""
    path = Path(store.base()) / "python"

    def record(text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    yield record
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("row", SAMPLE, ids=[row["id"] for row in SAMPLE])
def test_the_hook_gives_the_verdict_of_the_corpus(row: dict[str, Any], run: Run, fields: dict[str, Any]) -> None:
    if row["state"] in ("expired", "stopped"):
        row = {
            **row,
            "state": "sealed",
            "command": "hf jobs run x",
            "expect": "deny",
        }  # their clock is not the real one
    field = fields[row["state"]]
    made = field.call(row)
    body = {"session_id": "session-of-the-tests", "cwd": made.cwd, "tool_name": made.tool, "tool_input": made.input}
    answer = run(json.dumps(body).encode(), field.root)
    assert answer.decision in row.get("accept", [row.get("expect")]), answer.reason
    if answer.decision in ("ask", "allow"):
        assert answer.code == 0


@pytest.mark.parametrize("row", INPUTS, ids=[row["id"] for row in INPUTS])
def test_odd_input_is_refused_under_a_seal_and_ignored_without_one(
    row: dict[str, Any], run: Run, fields: dict[str, Any]
) -> None:
    parts = row.get("stdin_parts", [])
    raw = base64.b64decode(row["stdin_b64"]) if "stdin_b64" in row else "".join(a * k for a, k in parts).encode()
    sealed, free = fields["sealed"].root, fields["none"].root
    assert run(raw.replace(b"@CWD@", str(sealed).encode()), sealed).decision in row["accept"]
    assert run(raw.replace(b"@CWD@", str(free).encode()), free).decision in ("silent", "ask")


GARBAGE = {
    "empty": b"",
    "not json": b"{not json",
    "a list": b"[1]",
    "a number": b"5",
    "binary": b"\xff\xfe\x00",
    "no tool": b"{}",
    "null tool": b'{"tool_name": null, "tool_input": {}, "cwd": "/"}',
    "two objects": b"{} {}",
    "twin keys": b'{"cwd": "/", "cwd": "/", "tool_name": "Bash", "tool_input": {}}',
    "deep": b"[" * 200000,
    "too large": b" " * (LARGEST_INPUT + 1),
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
def test_unreadable_input_is_refused_only_where_a_seal_is(raw: bytes, run: Run, fields: dict[str, Any]) -> None:
    assert run(raw, fields["sealed"].root).decision == "deny"
    assert run(raw, fields["none"].root).code == 0
    assert run(raw, fields["none"].root).out == ""


BROKEN = {
    "crashes": "#!/bin/sh\nexit 1\n",
    "is killed": "#!/bin/sh\nkill -9 $$\n",
    "can not be run": "#!/no/such/interpreter\n",
    "is no program": "\x00\x01",
    "exits oddly": "#!/bin/sh\nexit 77\n",
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_an_interpreter_that_fails_blocks_only_where_a_seal_is(
    script: str, run: Run, fields: dict[str, Any], recorded: Callable[[str], None], tmp_path: Path
) -> None:
    fake = tmp_path / "python"
    fake.write_text(script)
    fake.chmod(0o755)
    recorded(str(fake))
    assert run(call(fields["sealed"].root), fields["sealed"].root).code == 2
    assert run(call(fields["none"].root), fields["none"].root).code == 0


def test_a_missing_interpreter_blocks_only_where_a_seal_is(run: Run, fields: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    assert run(call(fields["sealed"].root), fields["sealed"].root, PATH=str(tmp_path)).code == 2
    assert run(call(fields["none"].root), fields["none"].root, PATH=str(tmp_path)).code == 0


def test_a_missing_guard_blocks_only_where_a_seal_is(run: Run, fields: dict[str, Any], tmp_path: Path) -> None:
    assert run(call(fields["sealed"].root), fields["sealed"].root, plugin=tmp_path).code == 2
    assert run(call(fields["none"].root), fields["none"].root, plugin=tmp_path).code == 0


def test_a_guard_whose_code_is_damaged_blocks_only_where_a_seal_is(
    run: Run, fields: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "guard.py").write_text("import nothing_of_that_name\n")
    assert run(call(fields["sealed"].root), fields["sealed"].root, plugin=tmp_path).code == 2
    assert run(call(fields["none"].root), fields["none"].root, plugin=tmp_path).code == 0


NEAR = {
    "a folder below the root": lambda sealed, top: (sealed / "work", {}),
    "a link to the root": lambda sealed, top: (_link(top, sealed), {}),
    "the project folder": lambda sealed, top: (top, {"CLAUDE_PROJECT_DIR": str(sealed)}),
    "a link to the project folder": lambda sealed, top: (top, {"CLAUDE_PROJECT_DIR": str(_link(top, sealed))}),
    "the recorded session": lambda sealed, top: (top, {"CLAUDE_CODE_SESSION_ID": "a-recorded-session"}),
    "any recorded session when the client names none": lambda sealed, top: (top, {"CLAUDE_CODE_SESSION_ID": None}),
}


def _link(top: Path, target: Path) -> Path:
    (top / "link").symlink_to(target)
    return top / "link"


@pytest.mark.parametrize("place", NEAR.values(), ids=NEAR.keys())
@pytest.mark.parametrize("is_broken", [True, False], ids=["broken guard", "garbage input"])
def test_a_failure_finds_the_seal_from(
    place: Callable[[Path, Path], tuple[Path, dict[str, str | None]]],
    is_broken: bool,
    run: Run,
    fields: dict[str, Any],
    tmp_path: Path,
) -> None:
    store.record_session("a-recorded-session", str(fields["sealed"].root))
    cwd, changes = place(fields["sealed"].root, tmp_path)
    plugin = tmp_path if is_broken else PLUGIN
    if changes.get("CLAUDE_CODE_SESSION_ID", "x") is None and not is_broken:
        changes = {"CLAUDE_CODE_SESSION_ID": "a-recorded-session"}  # only the wrapper looks at every session
    answer = run(b"{broken", cwd, plugin=plugin, **changes)
    (Path(store.base()) / "sessions" / "a-recorded-session").unlink()
    assert answer.code == 2


UNREADABLE = {
    "garbage": lambda path: path.write_text("{"),
    "empty": lambda path: path.write_text(""),
    "of another form": lambda path: path.write_text("{}"),
    "null": lambda path: path.write_text("null"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("/no/such/file")),
    "of another root": lambda path: path.write_text(path.read_text().replace("/project", "/other")),
}


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_seal_that_can_not_be_read_authorizes_nothing(
    damage: Callable[[Path], object], run: Run, changed: Callable[..., Any]
) -> None:
    field = changed("sealed", {})
    damage(Path(store.seal_path(str(field.root))))
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"
    for command in (submit, "hf jobs run x", "rm -rf runs", "echo x > program.md"):
        assert run(call(field.root, tool_input={"command": command}), field.root).decision == "deny", command


LEDGERS = {
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "missing": lambda path: path.unlink(),
    "edited": lambda path: path.write_text(path.read_text().replace('"approved"', '"approwed"')),
    "not json": lambda path: path.write_text("[1]\n"),
}


@pytest.mark.parametrize("damage", LEDGERS.values(), ids=LEDGERS.keys())
def test_a_ledger_that_can_not_be_trusted_stops_submits_and_nothing_else(
    damage: Callable[[Path], object], run: Run, changed: Callable[..., Any]
) -> None:
    field = changed("sealed", {})
    damage(field.root / "runs" / "ledger.jsonl")
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"
    assert run(call(field.root, tool_input={"command": submit}), field.root).decision == "deny"
    assert run(call(field.root, tool_input={"command": "git status"}), field.root).decision == "silent"


def test_a_breach_leaves_word_for_the_campaign_and_stops_further_submits(run: Run, changed: Callable[..., Any]) -> None:
    field = changed("sealed", {})
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor FLAVOR --timeout 1h"
    good = call(field.root, tool_input={"command": submit.replace("FLAVOR", "t4-small")})
    assert run(good, field.root).decision == "allow"
    breach = run(call(field.root, tool_input={"command": submit.replace("FLAVOR", "a100x8")}), field.root)
    assert breach.decision == "deny"
    assert "allowed_flavors: asked a100x8" in breach.reason
    assert "3 jobs" in breach.reason
    assert store.get(store.root_dir(str(field.root)) + "/denied.json")
    assert run(good, field.root).decision == "deny"


def test_a_refused_form_names_the_allowed_one_and_the_loop_goes_on(run: Run, changed: Callable[..., Any]) -> None:
    field = changed("sealed", {})
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"
    refused = run(call(field.root, tool_input={"command": submit + " && touch x"}), field.root)
    assert refused.decision == "deny"
    assert "alone in its call" in refused.reason
    assert run(call(field.root, tool_input={"command": submit}), field.root).decision == "allow"


def test_another_session_in_a_recorded_campaign_is_asked(run: Run, changed: Callable[..., Any]) -> None:
    field = changed("sealed", {})
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"
    store.record_session("the-campaigns-session", str(field.root))
    mine = call(field.root, session="the-campaigns-session", tool_input={"command": submit})
    other = call(field.root, session="another-session", tool_input={"command": submit})
    assert run(mine, field.root).decision == "allow"
    assert run(other, field.root).decision == "ask"


def test_a_strangers_breach_is_denied_and_does_not_end_the_campaign(run: Run, changed: Callable[..., Any]) -> None:
    field = changed("sealed", {})
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor a100x8 --timeout 1h"
    store.record_session("the-campaigns-session", str(field.root))
    breach = call(field.root, session="another-session", tool_input={"command": submit})
    assert run(breach, field.root).decision == "deny"
    assert store.get(store.root_dir(str(field.root)) + "/denied.json") is None


def test_a_call_elsewhere_that_names_the_campaigns_folder_is_bound(
    run: Run, fields: dict[str, Any], tmp_path: Path
) -> None:
    root = fields["sealed"].root
    assert run(call(tmp_path, tool_input={"command": f"rm -rf {root}/runs"}), tmp_path).decision == "deny"
    assert run(call(tmp_path, tool_input={"command": f"cd {root} && hf jobs run x"}), tmp_path).decision == "deny"
    assert run(call(tmp_path, tool_input={"command": "rm -rf runs"}), tmp_path).decision == "silent"
    written = {"file_path": f"{root}/program.md", "content": "x"}
    assert run(call(tmp_path, tool_name="Write", tool_input=written), tmp_path).decision == "deny"


def test_a_second_program_below_the_root_does_not_replace_the_seal(run: Run, changed: Callable[..., Any]) -> None:
    field = changed("full", {"sub/program.md": "## Budget envelope\n```yaml\nmax_jobs: 999\n```\n"})
    submit = f"uv run {PLUGIN}/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"
    assert run(call(field.root / "sub", tool_input={"command": submit}), field.root / "sub").decision == "deny"


def test_a_call_whose_input_never_ends_is_refused_under_a_seal(fields: dict[str, Any]) -> None:
    command = [sys.executable, "-I", "-S", str(PLUGIN / "scripts" / "guard.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=fields["sealed"].root) as process:
        assert process.wait(timeout=60) == 2


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_guard_decides_alike_on_every_python_found_here(
    version: str, run: Run, fields: dict[str, Any], recorded: Callable[[str], None]
) -> None:
    found = shutil.which(f"python{version}") or ""
    works = found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0
    recorded(found if works else sys.executable)
    assert run(call(fields["sealed"].root), fields["sealed"].root).decision == "deny"
    assert run(call(fields["none"].root), fields["none"].root).decision == "ask"
    quiet = call(fields["sealed"].root, tool_input={"command": "python3 -c 'print(1)'; ls"})
    assert run(quiet, fields["sealed"].root).decision == "silent"


def test_only_two_events_are_hooked_and_nothing_blocks_by_itself() -> None:
    assert set(HOOKS) == {"PreToolUse", "SessionStart"}
    handlers = [handler for event in HOOKS.values() for group in event for handler in group["hooks"]]
    assert [set(handler) for handler in handlers] == [{"type", "command", "timeout"}] * 2
    assert HOOKS["PreToolUse"][0]["matcher"] == "*"


def test_the_session_start_hook_never_fails(run: Run, fields: dict[str, Any], tmp_path: Path) -> None:
    command = HOOKS["SessionStart"][0]["hooks"][0]["command"].replace("${CLAUDE_PLUGIN_ROOT}", str(tmp_path))
    done = subprocess.run(["/bin/sh", "-c", command], input=b"{}", capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
