"""The repository keeps its promises about its own files, and each check would notice a broken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repo_checks import imports, manifests, markdown, python_files, words
from repo_checks.inspection import Check, inspect

REPO = Path(__file__).resolve().parent.parent

Files = dict[str, str]

PLUGIN = json.dumps({"name": "p", "version": "1.0.0", "description": "d"})
MARKET = json.dumps(
    {"name": "p", "description": "d", "plugins": [{"name": "p", "version": "1.0.0", "description": "d"}]}
)
VERSIONS: Files = {
    ".claude-plugin/plugin.json": PLUGIN,
    ".claude-plugin/marketplace.json": MARKET,
    "pyproject.toml": '[project]\nversion = "1.0.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## 1.0.0\n\n## 0.9.0\n",
}
LONG_FUNCTION = "def f() -> None:\n" + "    x = 1\n" * 40
BAD_HEADER = "# /// script\n# dependencies = []\n# ///\n"
HEADER = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["pyyaml>=6"]\n# ///\n'

LOCKED: Files = {
    "tests/requirements.in": "a==1\n",
    "tests/requirements.txt": "a==1 \\\n    --hash=sha256:0\n",
}


def skill(text: str, body: str = "Do it.\n") -> Files:
    return {"skills/s/SKILL.md": f"---\n{text}\n---\n{body}"}


def agent(text: str) -> Files:
    return {"agents/a.md": f"---\n{text}\n---\nWork.\n"}


def hooks(event: str, command: str, **more: object) -> Files:
    handler = {"type": "command", "command": command, "timeout": 5} | more
    return {"hooks/hooks.json": json.dumps({"hooks": {event: [{"hooks": [handler]}]}})}


def module(name: str, text: str) -> Files:
    return {f"scripts/mlresearch/{name}.py": f"from __future__ import annotations\n{text}\n"}


# check, files that break its promise, part of the fault it must report
BROKEN: list[tuple[Check, Files, str]] = [
    (manifests.versions_agree, VERSIONS | {"pyproject.toml": '[project]\nversion = "1.0.1"\n'}, "disagree"),
    (manifests.versions_agree, VERSIONS | {"CHANGELOG.md": "## 0.9.0\n"}, "disagree"),
    (manifests.versions_agree, VERSIONS | {".claude-plugin/plugin.json": '{"version": "2.0.0"}'}, "disagree"),
    (
        manifests.versions_agree,
        VERSIONS | {".claude-plugin/marketplace.json": MARKET.replace("1.0", "2.0")},
        "disagree",
    ),
    (manifests.versions_agree, {"CHANGELOG.md": "## 1.0.0\n"}, "only CHANGELOG.md"),
    (
        manifests.descriptions_agree,
        VERSIONS | {".claude-plugin/plugin.json": PLUGIN.replace('"d"', '"e"')},
        "another description",
    ),
    (
        manifests.lock_is_complete,
        {"tests/requirements.in": "a==1\n", "tests/requirements.txt": "a==1\n"},
        "no hash",
    ),
    (
        manifests.lock_is_complete,
        LOCKED | {"tests/requirements.in": "b==1\n"},
        "b==1, requirements.txt: missing",
    ),
    (
        manifests.lock_is_complete,
        LOCKED | {"scripts/x.py": HEADER.replace("pyyaml>=6", "a==2")},
        "scripts/x.py: a==2, requirements.txt: 1",
    ),
    (manifests.hooks_load_everywhere, hooks("DirectoryAdded", "x"), "DirectoryAdded is not an event"),
    (
        manifests.hooks_load_everywhere,
        hooks("PreToolUse", 'sh "${CLAUDE_PLUGIN_ROOT}/gone.sh"'),
        "gone.sh does not exist",
    ),
    (manifests.hooks_load_everywhere, hooks("PreToolUse", "true"), "names no file"),
    (manifests.hooks_load_everywhere, hooks("PreToolUse", "x", timeout="5"), "whole seconds"),
    (manifests.hooks_load_everywhere, hooks("PreToolUse", "x", type="prompt"), "not a command"),
    (markdown.skills_are_well_formed, {"skills/s/notes.md": "x"}, "no frontmatter"),
    (markdown.skills_are_well_formed, skill("name: s\ndescription: a: b"), "no frontmatter"),
    (markdown.skills_are_well_formed, skill("name: s\nname: s"), "no frontmatter"),
    (markdown.skills_are_well_formed, skill("name: t\ndescription: x"), "name is not s"),
    (markdown.skills_are_well_formed, skill("name: s\ndescripton: x"), "unknown keys ['descripton']"),
    (markdown.skills_are_well_formed, skill("name: s\ndescription: Not for y."), "'Use when'"),
    (markdown.skills_are_well_formed, skill("name: s\ndescription: Use when y."), "'Not for'"),
    (markdown.skills_are_well_formed, skill(f"name: s\ndescription: {'y' * 301}"), "301 characters"),
    (markdown.skills_are_well_formed, skill("name: s", "line\n" * 151), "body of 151 lines"),
    (markdown.agents_are_well_formed, agent("name: b\ndescription: x"), "name is not a"),
    (markdown.agents_are_well_formed, agent("name: a"), "no description"),
    (
        markdown.agents_are_well_formed,
        agent("name: a\ndescription: x\nhooks: y"),
        "['hooks'] are not honoured",
    ),
    (markdown.agents_are_well_formed, agent("name: a\ndescription: x\nskills: p:gone"), "no skill gone"),
    (markdown.links_resolve, {"README.md": "[here](gone.md#part)"}, "gone.md#part does not exist"),
    (markdown.commands_exist, {"README.md": "`scripts/gone.py`"}, "scripts/gone.py does not exist"),
    (markdown.commands_exist, {"README.md": "```\nuv run jobs.py explode\n```\n"}, "no verb explode"),
    (markdown.commands_exist, {"README.md": "`jobs.py list|explode`"}, "no verb explode"),
    (markdown.commands_exist, {"README.md": "```\njobs.py list \\\n  --wide\n```\n"}, "no option --wide"),
    (words.words_are_clean, {"a.py": "# TO" + "DO: later"}, "a.py:1: unfinished"),
    (words.words_are_clean, {"a.md": "\nsee pypi" + ".org"}, "a.md:2: a package registry"),
    (words.words_are_clean, {"a.md": "see /work" + "/main/x"}, "a path of one machine"),
    (python_files.sizes_are_small, {"scripts/a.py": LONG_FUNCTION}, "f: 41 lines"),
    (python_files.sizes_are_small, {"scripts/a.py": "x = 1\n" * 301}, "301 lines"),
    (python_files.sizes_are_small, {"tests/a.py": "x = 1\n" * 601}, "601 lines"),
    (python_files.only_cli_prints, module("jobs", "print(1)"), "jobs.py:2: only cli"),
    (python_files.only_cli_prints, module("jobs", "import sys\nsys.stdout.write('')"), "jobs.py:3: only cli"),
    (imports.direction_holds, module("money", "from mlresearch import ledger"), "money may not import"),
    (imports.direction_holds, module("errors", "def f():\n    from . import money"), "errors may not import"),
    (imports.direction_holds, module("backends/x", "from ..cli import main"), "backends may not import"),
    (imports.direction_holds, module("novelty", ""), "novelty has no place"),
    (imports.direction_holds, {"scripts/x.py": "from mlresearch import jobs"}, "an entry may not import"),
    (imports.pure_modules_are_pure, module("envelope", "import time"), "imports time"),
    (imports.pure_modules_are_pure, module("envelope", "x = open('y')"), "uses open"),
    (imports.pure_modules_are_pure, module("stats", ""), "envelope.py is not where"),
    (
        imports.pure_modules_are_pure,
        module("guard/decide", "from mlresearch.store import get") | module("store", "import os\nos.remove('y')"),
        "guard/decide is not pure: scripts/mlresearch/store.py:3: uses os.remove",
    ),
    (imports.hot_path_is_lean, module("store", "import dataclasses"), "dataclasses is slow"),
    (imports.hot_path_is_lean, module("guard/x", "def f():\n    import yaml"), "yaml is not standard"),
    (imports.hot_path_is_lean, module("guard/x", "match 1:\n    case 1: pass"), "newer than Python 3.9"),
    (
        imports.hot_path_is_lean,
        module("store", "from mlresearch import jobs") | module("jobs", ""),
        "loads scripts/mlresearch/jobs.py",
    ),
    (imports.hot_path_is_lean, {"scripts/mlresearch/store.py": "x: int = 1\n"}, "annotations are evaluated"),
    (imports.hot_path_loads_lean, module("store", "import tempfile, inspect"), "loads inspect"),
    (imports.hot_path_loads_lean, module("store", "import nothing_of_this_name"), "does not load"),
    (imports.entries_declare_what_they_need, {"scripts/x.py": "pass\n"}, "no script header"),
    (imports.entries_declare_what_they_need, {"scripts/x.py": BAD_HEADER}, "no script header"),
    (
        imports.entries_declare_what_they_need,
        {"scripts/x.py": HEADER + "from mlresearch.jobs import f\n"}
        | module("jobs", "import yaml\ndef f():\n    from . import text")
        | module("text", "import rich"),
        "x.py: scripts/mlresearch/text.py:2 needs rich",
    ),
    (imports.entries_shadow_nothing, {"scripts/queue.py": HEADER}, "hides the module queue"),
    (imports.entries_shadow_nothing, {"scripts/datasets.py": HEADER}, "hides the module datasets"),
    (imports.entries_shadow_nothing, {"scripts/yaml.py": HEADER}, "hides the module yaml"),
    (imports.hub_client_is_lazy, module("backends/hf", "import huggingface_hub"), "inside a function"),
    (imports.hub_client_is_lazy, module("jobs", "def f():\n    import huggingface_hub"), "only backends"),
]
CHECKS = sorted({check for check, _, _ in BROKEN}, key=lambda check: check.__name__)


def write(root: Path, files: Files) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_repository_keeps_its_promise(check: Check) -> None:
    faults = inspect(check, REPO)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("check", "files", "fault"), BROKEN, ids=[f"{check.__name__}: {fault}" for check, _, fault in BROKEN]
)
def test_a_broken_promise_is_noticed(check: Check, files: Files, fault: str, tmp_path: Path) -> None:
    write(tmp_path, files)
    assert fault in "\n".join(inspect(check, tmp_path))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_that_inspects_nothing_fails(check: Check, tmp_path: Path) -> None:
    assert inspect(check, tmp_path) == [f"{check.__name__} inspected nothing"]


def test_agreeing_versions_are_no_fault(tmp_path: Path) -> None:
    write(tmp_path, VERSIONS)
    assert inspect(manifests.versions_agree, tmp_path) == []


def test_imports_for_type_checkers_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, module("store", "if TYPE_CHECKING:\n    import yaml\nelse:\n    import os"))
    assert inspect(imports.hot_path_is_lean, tmp_path) == []
