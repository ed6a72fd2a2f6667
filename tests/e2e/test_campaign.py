"""The real client runs campaigns: the hook allows our own commands, denies the rest, and the state survives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from e2e import project
from e2e.actor import Campaigner, bash, command
from e2e.client import REPO, Client
from e2e.model_api import Json, ScriptedModel, say, use

EDITS = ("--permission-mode", "acceptEdits")


@pytest.fixture
def sealed(client: Client) -> Client:
    project.make(client)
    project.approve(client)
    return client


def submit(timeout: str = "30s", flavor: str = "cpu") -> str:
    return command(
        "jobs.py",
        "submit",
        f"--backend local --script train.py --flavor {flavor} --timeout {timeout} --arg=--out --arg .",
    )


def test_two_iterations_run_through_hooks_and_scripts_without_a_question(sealed: Client, model: ScriptedModel) -> None:
    actor = Campaigner(sealed.project, [{"rate": 0.01}, {"rate": 0.3}])
    model.plays(*[actor.turn] * 60)
    session = sealed.ask(model, "/ml-research-loop go on", flags=EDITS, seconds=180)
    assert session.status == 0, session.errors
    decided = {row["experiment"]: row["state"] for row in project.rows(sealed.project) if row["event"] == "decided"}
    assert decided == {"e0001": "confirmed", "e0002": "below_screen"}, (
        actor.did,
        [result.text[:300] for result in model.results[-8:]],
    )
    assert project.terminal(sealed, "campaign.py", "verify").returncode == 0
    started = [row["job"] for row in project.rows(sealed.project) if row["event"] == "submitted"]
    assert started == project.jobs(sealed.project)


@pytest.mark.parametrize(
    ("call", "limit"),
    [(submit(timeout="9h"), "max_timeout"), (submit(flavor="a100x8"), "allowed_flavors")],
    ids=["timeout", "flavor"],
)
def test_a_submit_outside_the_envelope_is_denied_and_told_what_is_left(
    sealed: Client, model: ScriptedModel, call: str, limit: str
) -> None:
    model.plays([bash(command("campaign.py", "start"))], [bash(call)], [say("stop")])
    sealed.ask(model, "go", flags=("--allowedTools", "Bash"))
    denied = model.results[1]
    assert denied.failed
    assert limit in denied.text and "30 jobs" in denied.text and "ends the campaign" in denied.text
    assert not project.jobs(sealed.project)


def tampering(folder: Path) -> dict[str, Json]:
    """Ways to touch what a person approved, or what the package recorded."""
    program, ledger = folder / "program.md", folder / "runs" / "ledger.jsonl"
    return {
        "Write program": use("Write", file_path=str(program), content="x"),
        "Edit program": use("Edit", file_path=str(program), old_string="max_jobs: 30", new_string="max_jobs: 300"),
        "Write ledger": use("Write", file_path=str(ledger), content=""),
        "Edit ledger": use("Edit", file_path=str(ledger), old_string="approved", new_string="x"),
        "sed": bash("sed -i s/30/300/ program.md"),
        "sed ledger": bash("sed -i 1d runs/ledger.jsonl"),
        "tee": bash("echo x | tee -a program.md"),
        "tee ledger": bash("echo x | tee runs/ledger.jsonl"),
        "redirect": bash("true > runs/ledger.jsonl"),
        "python": bash("""python3 -c 'open("program.md","a").write("x")'"""),
        "python ledger": bash("""python3 -c 'open("runs/ledger.jsonl","w")'"""),
        "mv": bash("mv program.md old.md"),
        "mv ledger": bash("mv runs runs-old"),
        "checkout": bash("git checkout -- program.md"),
    }


def digests(folder: Path) -> dict[str, str]:
    names = ("program.md", "runs/ledger.jsonl")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_no_route_edits_the_program_or_the_ledger_while_sealed(sealed: Client, model: ScriptedModel) -> None:
    ways = tampering(sealed.project)
    before = digests(sealed.project)
    reads = [use("Read", file_path=str(sealed.project / name)) for name in before]
    model.plays(reads, *[[call] for call in ways.values()], [say("done")])
    sealed.ask(model, "go", flags=("--allowedTools", "Bash,Read,Write,Edit"), seconds=120)
    results = model.results[len(reads) :]
    assert len(results) == len(ways)
    let_through = [way for way, result in zip(ways, results, strict=True) if not result.failed]
    assert not let_through
    assert digests(sealed.project) == before


def test_a_sealed_campaign_can_still_be_read(sealed: Client, model: ScriptedModel) -> None:
    calls = [
        "cat program.md | head -3",
        "tail -1 runs/ledger.jsonl",
        "grep -c max_jobs program.md",
        "ls -la runs",
    ]
    model.plays(*[[bash(call)] for call in calls], [say("done")])
    sealed.ask(model, "go", flags=("--allowedTools", "Bash"))
    assert [result.failed for result in model.results] == [False] * len(calls)


def ordinary(count: int) -> list[str]:
    shapes = (
        "echo n{}",
        "test -d . && echo n{}",
        "printf 'n{}\\n' | cat",
        "for i in 1; do echo n{}; done",
        "echo $(echo n{})",
    )
    return [shapes[number % len(shapes)].format(number) for number in range(count)]


def test_without_a_program_ordinary_calls_are_untouched_and_a_spend_asks(client: Client, model: ScriptedModel) -> None:
    calls = ordinary(200)
    model.plays(
        [bash(call) for call in calls],
        [bash("hf jobs run --flavor a100-large python:3.12 true")],
        [say("done")],
    )
    session = client.ask(model, "go", flags=("--allowedTools", "Bash"), seconds=180)
    results = model.results
    echoed = {result.text.split()[0] for result in results if not result.failed}
    assert echoed == {f"n{number}" for number in range(200)}
    answers = [json.loads(hook["stdout"]) for hook in session.hooks("PreToolUse") if hook.get("stdout", "").strip()]
    assert [answer["hookSpecificOutput"]["permissionDecision"] for answer in answers] == ["ask"]
    assert [result.failed for result in results].count(True) == 1


def test_approve_is_refused_where_nobody_can_answer(client: Client, model: ScriptedModel) -> None:
    project.make(client)
    digest = json.loads(project.terminal(client, "program.py", "show", "--json").stdout)["digest"]
    call = command("program.py", "approve", "--digest", digest)
    model.plays([bash(call)], [say("done")])
    for mode in ("default", "bypassPermissions"):
        client.ask(
            model.plays([bash(call)], [say("done")]),
            "go",
            flags=("--permission-mode", mode, "--allowedTools", "Bash"),
            env={"IS_SANDBOX": "1"},
        )
    assert model.results and all(result.failed for result in model.results)
    assert not project.rows(client.project)


def test_approve_asks_a_person_in_a_terminal(client: Client, model: ScriptedModel) -> None:
    project.make(client)
    digest = json.loads(project.terminal(client, "program.py", "show", "--json").stdout)["digest"]
    model.plays([bash(command("program.py", "approve", "--digest", digest))], [say("done")])
    screen = client.type(model, "go", lambda seen: "only a person" in seen)
    assert "only a person" in screen
    assert not project.rows(client.project)


def test_the_state_is_told_again_after_compaction(sealed: Client, model: ScriptedModel) -> None:
    model.plays([say("read")], [say("summary")], [say("read again")])
    first = sealed.ask(model, "hello")
    told = "ml-research campaign"
    assert told in model.requests[0].text
    session = next(event["session_id"] for event in first.events if event.get("session_id"))
    sealed.ask(model, "/compact", flags=("--resume", session))
    before = len(model.requests)
    sealed.ask(model, "what now?", flags=("--resume", session))
    after = model.requests[before].text
    assert told in after and "campaign.py next" in after


def test_the_client_loads_the_hooks_from_this_checkout(sealed: Client, model: ScriptedModel) -> None:
    session = sealed.ask(model.plays([say("hi")]), "hello")
    assert str(REPO) in [plugin["path"] for plugin in session.init["plugins"]]
    assert not session.init.get("plugin_errors")


def test_a_command_is_found_by_the_plugins_variable(sealed: Client, model: ScriptedModel) -> None:
    model.plays([bash("uv run -q ${CLAUDE_PLUGIN_ROOT}/scripts/campaign.py next")], [say("done")])
    sealed.ask(model, "go")
    assert "campaign.py start" in model.results[0].text and not model.results[0].failed


def test_a_session_whose_hooks_are_off_is_told(sealed: Client, model: ScriptedModel) -> None:
    model.plays([bash(command("campaign.py", "start"))], [say("done")])
    sealed.ask(model, "go", flags=("--allowedTools", "Bash"), settings={"disableAllHooks": True})
    assert "hooks are off" in model.results[0].text


def test_a_session_that_the_guard_sees_is_not_told_so(sealed: Client, model: ScriptedModel) -> None:
    model.plays([bash(command("campaign.py", "start"))], [say("done")])
    sealed.ask(model, "go")
    assert "started" in model.results[0].text and "hooks are off" not in model.results[0].text
