"""Checks of the JSON and TOML files that the client and package tools read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from repo_checks.inspection import Inspection

# The oldest client supported (2.1.197) drops every hook of a plugin that names an event it does not know.
EVENTS = {"PreToolUse", "SessionStart"}
_PLUGIN_FILE = re.compile(r"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]+)")


def versions_agree(look: Inspection) -> None:
    """plugin.json, marketplace.json, pyproject.toml and the newest entry of CHANGELOG.md."""
    readers = {
        ".claude-plugin/plugin.json": lambda text: json.loads(text)["version"],
        ".claude-plugin/marketplace.json": lambda text: json.loads(text)["plugins"][0]["version"],
        "pyproject.toml": lambda text: tomllib.loads(text)["project"]["version"],
        "CHANGELOG.md": lambda text: re.findall(r"^## (\S+)", text, re.MULTILINE)[0],
    }
    there = {name: path for name in readers if (path := look.root / name).exists()}
    found = {name: readers[name](path.read_text()) for name, path in there.items()}
    for name in found:
        look.expect(len(set(found.values())) == 1, f"{name}: version {found[name]}; the files disagree")
        look.expect(len(found) == len(readers), f"only {', '.join(found)} hold a version")


def descriptions_agree(look: Inspection) -> None:
    """The plugin is described once, in the same words, wherever it is listed."""
    folder = look.root / ".claude-plugin"
    if not folder.exists():
        return
    plugin = json.loads((folder / "plugin.json").read_text())
    market = json.loads((folder / "marketplace.json").read_text())
    for entry in (market, *market["plugins"]):
        look.expect(entry.get("description") == plugin["description"], f"{entry['name']}: another description")
        look.expect(entry["name"] == plugin["name"], f"{entry['name']}: the plugin is {plugin['name']}")


def hooks_load_everywhere(look: Inspection) -> None:
    """hooks.json names only events of the oldest client, handlers it accepts, and files that exist."""
    path = look.root / "hooks" / "hooks.json"
    groups: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())["hooks"] if path.exists() else {}
    for event, matchers in groups.items():
        look.expect(event in EVENTS, f"hooks.json: {event} is not an event of every supported client")
        for handler in (h for matcher in matchers for h in matcher["hooks"]):
            command, timeout = handler.get("command", ""), handler.get("timeout")
            look.expect(handler.get("type") == "command", f"hooks.json: {event}: not a command hook")
            look.expect(isinstance(timeout, int), f"hooks.json: {event}: timeout must be whole seconds")
            named = _PLUGIN_FILE.findall(command)
            look.expect(bool(named), f"hooks.json: {event}: names no file of the plugin: {command}")
            for file in named:
                look.expect((look.root / file).is_file(), f"hooks.json: {event}: {file} does not exist")


def lock_is_complete(look: Inspection) -> None:
    """Direct needs and the headers of entries are locked at their version; every package has hashes."""
    folder = look.root / "tests"
    if not (folder / "requirements.in").exists():
        return
    locked = _pins((folder / "requirements.txt").read_text())
    for name, (version, rest) in locked.items():
        look.expect("--hash=sha256:" in rest, f"requirements.txt: {name}=={version} has no hash")
    wanted = [("requirements.in", (folder / "requirements.in").read_text())]
    wanted += [(look.name(entry), _header(entry)) for entry in sorted((look.root / "scripts").glob("*.py"))]
    for where, text in wanted:
        for name, (version, _) in _pins(text).items():
            there = locked.get(name, ("missing", ""))[0]
            look.expect(version == there, f"{where}: {name}=={version}, requirements.txt: {there}")


def _pins(text: str) -> dict[str, tuple[str, str]]:
    """`name==version` at the start of a line, with what follows up to the next one."""
    found = re.findall(r"^([\w.-]+)==([\w.]+)(.*(?:\n[ #].*)*)", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): (version, rest) for name, version, rest in found}


def _header(entry: Path) -> str:
    """The dependencies of an entry's header, one a line."""
    return "\n".join(re.findall(r'"([\w.-]+==[\w.]+)"', entry.read_text().partition("\n# ///\n")[0]))
