"""The real client loads the plugin: by folder and installed, with every skill and agent in its place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from e2e.client import REPO, Client
from e2e.model_api import Json, ScriptedModel, say, use

SLASH_SKILLS = ("ml-research", "ml-research-loop")
PLAYBOOK = "ml-research-task"
_NOT_SHIPPED = shutil.ignore_patterns(".git", ".uv", ".venv", ".*_cache", ".hypothesis", "__pycache__", "runs", "work")


def body_of(markdown: Path) -> str:
    """A Markdown file without its frontmatter."""
    return markdown.read_text().split("\n---\n", 1)[1]


def sentence_of(skill: str) -> str:
    """A line of the skill that nothing is substituted in: what the model reads when the skill expands."""
    lines = body_of(REPO / "skills" / skill / "SKILL.md").splitlines()
    return next(line.strip() for line in lines if len(line.strip()) > 40 and not re.search(r"[$`]", line))


def agents_with(skill: str) -> list[str]:
    files = sorted((REPO / "agents").glob("*.md"))
    return [f.stem for f in files if skill in f.read_text().split("\n---\n", 1)[0]]


def provided(client: Client) -> Json:
    """What the client's validation says the plugin provides: lists by kind."""
    done = client.command("plugin", "validate", "--json", REPO / ".claude-plugin" / "plugin.json")
    found: Json = json.loads(done.stdout)["provides"]
    return found


@pytest.mark.parametrize("manifest", ["plugin.json", "marketplace.json"])
def test_the_strict_validation_passes(client: Client, manifest: str) -> None:
    done = client.command("plugin", "validate", "--strict", REPO / ".claude-plugin" / manifest)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_skill_and_agent_file_is_provided(client: Client) -> None:
    found = provided(client)
    skills = {f"ml-research:{path.parent.name}" for path in (REPO / "skills").glob("*/SKILL.md")}
    agents = {f"ml-research:{path.stem}" for path in (REPO / "agents").glob("*.md")}
    assert skills and agents
    assert (set(found["skills"]), set(found["agents"])) == (skills, agents)


def test_the_guard_and_the_context_are_provided_as_hooks(client: Client) -> None:
    events = {hook["event"] for hook in provided(client)["hooks"]}
    assert events == {"PreToolUse", "SessionStart"}


@pytest.mark.parametrize("skill", SLASH_SKILLS)
@pytest.mark.parametrize("form", ["/{}", "/ml-research:{}"], ids=["bare", "namespaced"])
def test_a_typed_skill_expands(client: Client, model: ScriptedModel, skill: str, form: str) -> None:
    session = client.ask(model.plays([say("read")]), f"{form.format(skill)} train-a-tiny-model")
    assert session.status == 0, session.errors
    assert not session.init.get("plugin_errors")
    assert sentence_of(skill) in model.text
    assert "train-a-tiny-model" in model.text


def test_the_plugin_root_is_substituted(client: Client, model: ScriptedModel) -> None:
    assert "${CLAUDE_PLUGIN_ROOT}" in body_of(REPO / "skills" / "ml-research-loop" / "SKILL.md")
    client.ask(model.plays([say("read")]), "/ml-research-loop x")
    assert f"{REPO}/" in model.text
    assert "CLAUDE_PLUGIN_ROOT" not in model.text


def test_a_bare_skill_expands_in_a_terminal(client: Client, model: ScriptedModel) -> None:
    screen = client.type(
        model.plays([say("the-skill-was-read")]), "/ml-research x", lambda seen: "the-skill-was-read" in seen
    )
    assert "the-skill-was-read" in screen
    assert sentence_of("ml-research") in model.text


def test_agents_begin_with_the_playbook(client: Client, model: ScriptedModel) -> None:
    agents = agents_with(PLAYBOOK)
    assert agents
    calls = [
        use(
            "Agent",
            description="d",
            prompt=f"errand-for-{agent}.",
            subagent_type=f"ml-research:{agent}",
            run_in_background=False,
        )
        for agent in agents
    ]
    model.plays(calls, [say("done")])
    for agent in agents:
        model.plays_for(f"errand-for-{agent}.", [say("done")])
    client.ask(model, "start them", flags=["--allowedTools", "Agent"])
    for agent in agents:
        begun = next(r for r in model.requests if f"errand-for-{agent}." in r.opening)
        assert sentence_of(PLAYBOOK) in begun.text, agent
        assert "CLAUDE_PLUGIN_ROOT" not in begun.system, agent


def test_a_skill_expands_from_the_installed_plugin(program: Path, model: ScriptedModel, tmp_path: Path) -> None:
    shop = tmp_path / "checkout"
    shutil.copytree(REPO, shop, ignore=_NOT_SHIPPED)
    client = Client(program, tmp_path / "person", plugin=None)
    for step in (("marketplace", "add", shop), ("install", "ml-research@ml-research")):
        done = client.command("plugin", *step)
        assert done.returncode == 0, done.stdout + done.stderr
    session = client.ask(model.plays([say("read")]), "/ml-research train-a-tiny-model")
    assert "ml-research" in [plugin["name"] for plugin in session.init["plugins"]]
    assert not session.init.get("plugin_errors")
    assert sentence_of("ml-research") in model.text
    assert str(REPO) not in model.text
