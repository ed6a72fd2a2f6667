"""Every verb that the surface names exists, explains itself, and refuses what it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.commands import REPO, Project
from mlresearch.surface import SURFACE

VERBS = [(script, verb) for script, verbs in SURFACE.items() for verb in verbs]
# a script of one verb takes it as said
SEVERAL = [script for script, verbs in SURFACE.items() if len(verbs) > 1]
# these answer {"error", "fallback"} for every failure
LOOKUPS = {"papers.py", "hf_docs.py", "code_search.py", "inspect_dataset.py", "inspect_model.py"}
NAMES = [f"{script} {verb}" for script, verb in VERBS]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("surface"))


def test_the_surface_names_scripts_that_exist() -> None:
    assert len(VERBS) >= 25
    for script in SURFACE:
        assert (REPO / "scripts" / script).is_file()


@pytest.mark.parametrize(("script", "verb"), VERBS, ids=NAMES)
def test_every_verb_explains_itself(project: Project, script: str, verb: str) -> None:
    before = project.files()
    found = project.run(script, verb, "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert SURFACE[script][verb].help in found.stdout
    assert all(option.flag in found.stdout for option in SURFACE[script][verb].options)
    assert project.files() == before


@pytest.mark.parametrize(("script", "verb"), VERBS, ids=NAMES)
def test_every_verb_refuses_an_unknown_option(project: Project, script: str, verb: str) -> None:
    before = project.files()
    found = project.run(script, verb, "--nonsense", "--json")
    assert found.returncode == 2
    answer = json.loads(found.stdout)
    assert set(answer) == ({"error", "fallback"} if script in LOOKUPS else {"error", "allowed", "next"})
    assert "unknown option '--nonsense'" in answer["error"]
    assert "--json" in answer["fallback" if script in LOOKUPS else "allowed"]
    assert project.files() == before


@pytest.mark.parametrize("script", SURFACE)
def test_every_script_has_handlers_for_exactly_its_verbs(script: str) -> None:
    source = (REPO / "scripts/mlresearch/cli" / script).read_text()
    named = {verb for verb in SURFACE[script] if f'"{verb}": ' in source}
    assert named == set(SURFACE[script])


@pytest.mark.parametrize("script", SEVERAL)
def test_an_unknown_verb_is_refused_with_those_that_exist(project: Project, script: str) -> None:
    found = project.run(script, "nonsense", "--json")
    assert found.returncode == 2
    told = json.loads(found.stdout)["fallback" if script in LOOKUPS else "allowed"]
    assert ", ".join(SURFACE[script]) in told
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["help"], 0)])
@pytest.mark.parametrize("script", SEVERAL)
def test_a_script_alone_shows_its_verbs(project: Project, script: str, words: list[str], code: int) -> None:
    found = project.run(script, *words)
    assert found.returncode == code
    assert all(f"  {verb} " in found.stdout for verb in SURFACE[script])


def test_a_command_outside_a_project_says_how_to_begin(project: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path)
    found = elsewhere.run("program.py", "show")
    assert found.returncode == 2
    assert "next: program.py init" in found.stderr
