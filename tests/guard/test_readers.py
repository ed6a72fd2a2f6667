"""The agents that only look can do nothing else, in every state of a campaign."""

from __future__ import annotations

from typing import Any

import pytest

from mlresearch.guard.calls import Call
from mlresearch.guard.decide import READERS, decide

PAPERS = "uv run -q @PLUGIN@/scripts/papers.py"
LOOKS = (
    f"{PAPERS} details 2106.09685 --json",
    f"{PAPERS} search 'instruction tuning' --json > work/found.json",
    f"{PAPERS} read 2106.09685 --section 4 | tee work/section.txt",
    "uv run -q @PLUGIN@/scripts/jobs.py logs --job j0001",
)
CHANGES = (
    "ls",
    "cat a.py",
    "touch work/x",
    f"{PAPERS} details 2106.09685 > train.py",
    f"{PAPERS} details 2106.09685 > work/../train.py",
    f"{PAPERS} details 2106.09685; rm a.py",
    f"{PAPERS} details $(cat list.txt)",
    "uv run -q @PLUGIN@/scripts/jobs.py submit --backend local --script a.py --flavor cpu --timeout 5m",
    "uv run -q @PLUGIN@/scripts/jobs.py cancel --job j0001",
    "uv run -q @PLUGIN@/scripts/program.py init",
    "python3 papers.py details 2106.09685",
    "",
    "\ud800",
)
TOOLS = ("Write", "Edit", "NotebookEdit", "Agent", "mcp__files__write", "Workflow", "PowerShell", "Monitor")


def asked(field: Any, tool: str, given: dict[str, Any], agent: str = READERS[0]) -> str:
    return decide(Call(tool, given, str(field.root), agent), field.situation()).decision


@pytest.fixture(params=["sealed", "draft", "none"])
def field(request: pytest.FixtureRequest, fields: dict[str, Any]) -> Any:
    return fields[request.param]


@pytest.mark.parametrize("command", LOOKS)
def test_a_look_up_is_let_through(command: str, field: Any) -> None:
    assert asked(field, "Bash", {"command": field.fill(command)}) in ("allow", "silent")


@pytest.mark.parametrize("command", CHANGES)
def test_any_other_command_is_denied(command: str, field: Any) -> None:
    assert asked(field, "Bash", {"command": field.fill(command)}) == "deny"


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("agent", READERS)
def test_a_tool_that_may_change_something_is_denied(tool: str, agent: str, field: Any) -> None:
    assert asked(field, tool, {"command": "ls", "file_path": "x", "content": ""}, agent) == "deny"


@pytest.mark.parametrize("tool", ["Read", "Grep", "Glob", "WebFetch", "WebSearch"])
def test_tools_that_look_are_judged_as_for_everybody(tool: str, field: Any) -> None:
    given = {
        "file_path": str(field.root / "a.py"),
        "pattern": "x",
        "path": str(field.root),
        "url": "https://example.org",
    }
    assert asked(field, tool, given) == asked(field, tool, given, agent="")


def test_other_agents_are_judged_as_the_session_is(field: Any) -> None:
    for agent in ("", "ml-research:ml-worker", "researcher", "other:critic"):
        assert asked(field, "Bash", {"command": "ls"}, agent) == "silent"
