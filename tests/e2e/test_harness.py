"""The harness itself: a tool really runs, a fault in a script is raised, a session can not hang a test."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil
import pytest

from e2e.client import Client
from e2e.model_api import Json, Request, ScriptedModel, say, use


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_tool_call_runs_and_its_result_comes_back(client: Client, model: ScriptedModel) -> None:
    def repeat(request: Request) -> Sequence[Json]:
        return [say(f"it said {request.results[-1].text}")]

    model.plays([use("Bash", command="echo from-the-shell > note; cat note")], repeat)
    session = client.ask(model, "go", flags=["--allowedTools", "Bash"])
    assert session.result.startswith("it said from-the-shell")
    assert [r.failed for r in model.results] == [False]
    assert (client.project / "note").read_text() == "from-the-shell\n"


def test_a_fault_in_a_script_fails_the_test(client: Client) -> None:
    def broken(request: Request) -> Sequence[Json]:
        raise LookupError("no such turn")

    with pytest.raises(LookupError, match="no such turn"), ScriptedModel() as model:
        client.ask(model.plays(broken), "go")


def test_a_session_past_its_time_is_ended_with_its_shells(client: Client, model: ScriptedModel) -> None:
    model.plays([use("Bash", command="echo $$ > shell; exec tail -f /dev/null")])
    session = client.ask(model, "go", flags=["--allowedTools", "Bash"], seconds=3)
    assert session.status < 0
    shell = int((client.project / "shell").read_text())
    end = time.monotonic() + 10
    while runs(shell):
        assert time.monotonic() < end


def test_the_persons_own_variables_do_not_reach_the_client(
    client: Client, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "CLAUDE_PLUGIN_ROOT", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "secret-of-the-person")
    client.ask(model.plays([use("Bash", command="env")]), "go", flags=["--allowedTools", "Bash"])
    assert str(client.data) in model.results[0].text
    assert "secret-of-the-person" not in model.text
