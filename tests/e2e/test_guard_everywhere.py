"""With a sealed campaign the guard denies a spend by every route the client offers; stand-ins note what really ran."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from e2e import project
from e2e.actor import bash
from e2e.client import Client
from e2e.model_api import Json, ScriptedModel, say, use

SPEND = "hf jobs run --flavor a100-large python:3.12 true"
FORKED = "---\nname: forked\ndescription: d\ncontext: fork\n---\nrun-in-the-fork\n"


@pytest.fixture
def ran(client: Client, tmp_path: Path) -> Path:
    """A sealed project whose `hf` is a stand-in; the file holds a line for everything that really ran."""
    project.make(client)
    project.approve(client)
    log, stubs = tmp_path / "ran.txt", tmp_path / "bin"
    stubs.mkdir()
    (stubs / "hf").write_text(f'#!/bin/sh\necho "hf $*" >> {log}\n')
    (stubs / "hf").chmod(0o755)
    return log


def play(client: Client, model: ScriptedModel, ran: Path, turns: Sequence[Sequence[Json]], *flags: str) -> None:
    """Play the turns with everything permitted that permissions can permit."""
    path = f"{ran.parent / 'bin'}{os.pathsep}{client.environment(None, {})['PATH']}"
    model.plays(*turns, [say("done")])
    more = ("--permission-mode", "bypassPermissions", *flags)
    client.ask(model, "go", flags=more, env={"PATH": path, "IS_SANDBOX": "1"})


def denied(model: ScriptedModel) -> bool:
    return any(result.failed and "sealed campaign" in result.text for result in model.results)


def in_bash(folder: Path) -> list[list[Json]]:
    return [[bash(SPEND)]]


def in_the_background(folder: Path) -> list[list[Json]]:
    return [[use("Bash", command=SPEND, run_in_background=True)]]


def in_a_monitor(folder: Path) -> list[list[Json]]:
    load = use("ToolSearch", query="select:Monitor", max_results=3)
    return [[load], [use("Monitor", command=SPEND, description="d", timeout_ms=5000)]]


def by_write(folder: Path) -> list[list[Json]]:
    return [[use("Write", file_path=str(folder / "runs" / "ledger.jsonl.new"), content="x")]]


def by_edit(folder: Path) -> list[list[Json]]:
    read = use("Read", file_path=str(folder / "program.md"))
    return [
        [read],
        [use("Edit", file_path=str(folder / "program.md"), old_string="max_usd: 0", new_string="max_usd: 9")],
    ]


@pytest.mark.parametrize("route", [in_bash, in_the_background, in_a_monitor, by_write, by_edit])
def test_a_spend_or_an_edit_is_denied_by_every_tool_even_when_permissions_are_bypassed(
    client: Client, model: ScriptedModel, ran: Path, route: Callable[[Path], list[list[Json]]]
) -> None:
    play(client, model, ran, route(client.project))
    assert denied(model), [result.text[:300] for result in model.results]
    assert not ran.exists()
    assert "max_usd: 9" not in (client.project / "program.md").read_text()
    assert not (client.project / "runs" / "ledger.jsonl.new").exists()


def test_an_allowed_stand_in_would_have_left_its_note(client: Client, model: ScriptedModel, ran: Path) -> None:
    """The control: the same call without a campaign runs the stand-in."""
    done = project.terminal(client, "program.py", "revoke")
    assert done.returncode == 0, done.stderr
    (client.project / "program.md").unlink()
    play(client, model, ran, [[bash("true && PATH=$PATH hf version")]])
    assert ran.read_text() == "hf version\n"


def test_a_spend_in_a_subagent_is_denied(client: Client, model: ScriptedModel, ran: Path) -> None:
    call = use(
        "Agent",
        description="d",
        prompt="errand-in-a-subagent",
        subagent_type="general-purpose",
        run_in_background=False,
    )
    model.plays_for("errand-in-a-subagent", [bash(SPEND)], [say("done")])
    play(client, model, ran, [[call]])
    assert denied(model)
    assert not ran.exists()


def test_a_spend_in_a_forked_skill_is_denied(client: Client, model: ScriptedModel, ran: Path) -> None:
    skill = client.project / ".claude" / "skills" / "forked" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(FORKED)
    model.plays_for("run-in-the-fork", [bash(SPEND)], [say("done")])
    play(client, model, ran, [[use("Skill", skill="forked")]])
    assert denied(model)
    assert not ran.exists()


def test_a_spending_mcp_tool_is_denied(client: Client, model: ScriptedModel, ran: Path) -> None:
    server = {"command": sys.executable, "args": [str(Path(__file__).with_name("mcp_server.py")), str(ran)]}
    config = client.home / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"cloud": server}}))
    load = use("ToolSearch", query="select:mcp__cloud__run_job", max_results=3)
    play(client, model, ran, [[load], [use("mcp__cloud__run_job")]], "--mcp-config", str(config))
    assert denied(model), [result.text[:300] for result in model.results]
    assert not ran.exists()
