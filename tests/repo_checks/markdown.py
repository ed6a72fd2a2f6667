"""Checks of skills, agents and every other Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mlresearch.surface import SURFACE
from repo_checks.inspection import Inspection

SKILL_KEYS = {
    "name",
    "description",
    "argument-hint",
    "arguments",
    "allowed-tools",
    "disable-model-invocation",
    "user-invocable",
    "license",
    "metadata",
}
# The others are ignored in a plugin's agents, so that a person would believe in a limit that is not there.
AGENT_KEYS = {
    "name",
    "description",
    "tools",
    "disallowedTools",
    "model",
    "effort",
    "maxTurns",
    "skills",
    "color",
}
LONGEST_DESCRIPTION = 300
LONGEST_BODY = 150

_FRONTMATTER = re.compile(r"---\n(.*?\n)---\n(.*)", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|#|\$")
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(scripts/)?\b([a-z_]+\.py)(?:[ \t]+([a-z][a-z_|-]*)([^\n;`]*))?")
_FLAG = re.compile(r"(?<![\w=\"'-])--[a-z][a-z-]*")


class _Strict(yaml.SafeLoader):
    """YAML in which a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.YAMLError(f"a key is given twice: {sorted(map(str, keys))}")
        return super().construct_mapping(node, deep)


def skills_are_well_formed(look: Inspection) -> None:
    """Each skill folder: frontmatter that parses, its own name, a description to choose by, a short body."""
    for folder in sorted(p for p in (look.root / "skills").glob("*") if p.is_dir()):
        path = folder / "SKILL.md"
        where = look.name(path)
        meta, body = _read(path)
        description = str(meta.get("description", ""))
        look.expect(bool(meta), f"{where}: no frontmatter that parses")
        look.expect(meta.get("name") == folder.name, f"{where}: name is not {folder.name}")
        look.expect(set(meta) <= SKILL_KEYS, f"{where}: unknown keys {sorted(set(meta) - SKILL_KEYS)}")
        look.expect(len(description) <= LONGEST_DESCRIPTION, f"{where}: description of {len(description)} characters")
        for phrase in ("Use when", "Not for"):
            look.expect(phrase in description, f"{where}: the description does not say '{phrase}'")
        length = len(body.strip().splitlines())
        look.expect(0 < length <= LONGEST_BODY, f"{where}: body of {length} lines")


def agents_are_well_formed(look: Inspection) -> None:
    """Each agent: its own name, a description, only keys that the client honours, skills that exist."""
    for path in look.files("agents", suffix=".md"):
        where = look.name(path)
        meta, body = _read(path)
        look.expect(meta.get("name") == path.stem, f"{where}: name is not {path.stem}")
        look.expect(bool(meta.get("description")) and bool(body.strip()), f"{where}: no description, or no text")
        look.expect(set(meta) <= AGENT_KEYS, f"{where}: keys {sorted(set(meta) - AGENT_KEYS)} are not honoured")
        for skill in _names(meta.get("skills")):
            look.expect((look.root / "skills" / skill).is_dir(), f"{where}: there is no skill {skill}")


def links_resolve(look: Inspection) -> None:
    """Every relative link in a Markdown file points to something that is there."""
    for path in look.files(suffix=".md"):
        for target in _LINK.findall(path.read_text()):
            if not _OUTSIDE.match(target):
                there = (path.parent / target.partition("#")[0]).exists()
                look.expect(there, f"{look.name(path)}: {target} does not exist")


def commands_exist(look: Inspection) -> None:
    """Every command in code in a Markdown file names a script, a verb and options that exist."""
    for path in look.files(suffix=".md"):
        for code in _CODE.findall(path.read_text()):
            for folder, script, verbs, rest in _COMMAND.findall(code.replace("\\\n", " ")):
                for fault in _faults(look.root, script, bool(folder), verbs, rest):
                    look.expect(not fault, f"{look.name(path)}: {fault}")


def _faults(root: Path, script: str, ours: bool, verbs: str, rest: str) -> Iterator[str]:
    if ours:
        yield "" if (root / "scripts" / script).is_file() else f"scripts/{script} does not exist"
    known = SURFACE.get(script, {})
    for name in filter(None, verbs.split("|") if known else ()):
        verb = known.get(name)
        yield "" if verb else f"{script} has no verb {name}"
        flags = {option.flag for option in verb.options} if verb else set()
        for flag in _FLAG.findall(rest.partition(" | ")[0]) if verb else ():
            yield "" if flag in flags else f"{script} {name} has no option {flag}"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    found = _FRONTMATTER.fullmatch(path.read_text()) if path.exists() else None
    if not found:
        return {}, ""
    try:
        meta = yaml.load(found[1], _Strict)
    except yaml.YAMLError:
        return {}, found[2]
    return (meta if isinstance(meta, dict) else {}), found[2]


def _names(value: object) -> list[str]:
    """`skills:` as a YAML list or as comma-separated text; a plugin prefix is dropped."""
    items = value if isinstance(value, list) else str(value or "").split(",")
    return [str(item).strip().rpartition(":")[2] for item in items if str(item).strip()]
