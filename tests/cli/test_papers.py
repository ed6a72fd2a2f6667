"""papers.py as it is called: every verb against the recorded services, in JSON and as text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands import REPO
from fakes.papers_server import Fault, PapersServer
from fakes.papers_server.corpus import BY_ARXIV, LIMA, LORA, QLORA, SMOL

Run = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "hf_" + "Secret0Hub" * 4


@pytest.fixture(scope="module")
def server() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("papers")


@pytest.fixture
def run(server: PapersServer, top: Path) -> Run:
    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(top),
            "XDG_DATA_HOME": str(top / "data"),
            "ML_RESEARCH_PACE_S": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            **server.environment,
            **variables,
        }
        command = [sys.executable, str(REPO / "scripts/papers.py"), *words]
        return subprocess.run(
            command, env=environment, cwd=top, capture_output=True, text=True, timeout=120, check=False
        )

    return call


def first(data: dict[str, Any], name: str) -> Any:
    return data[name][0]


ANSWERS: list[tuple[tuple[str, ...], Callable[[dict[str, Any]], Any], Any]] = [
    (("search", "low", "rank", "adaptation"), lambda data: first(data, "papers")["arxiv_id"], LORA),
    (("search", "LoRA", "--source", "s2", "--limit", "2"), lambda data: data["count"], 2),
    (("details", QLORA), lambda data: data["paper"]["code"], BY_ARXIV[QLORA].code),
    (("read", LIMA), lambda data: [each["number"] for each in data["sections"]][-1], "4"),
    (("read", LIMA, "--section", "training"), lambda data: "15 epochs" in first(data, "sections")["text"], True),
    (("cites", LIMA, "--limit", "2", "--offset", "2"), lambda data: (data["count"], data["next_offset"]), (2, 4)),
    (("cites", LIMA, "--influential"), lambda data: all(each["is_influential"] for each in data["citations"]), True),
    (("cites", LIMA, "--source", "openalex", "--limit", "2", "--offset", "3"), lambda data: data["next_offset"], 4),
    (("references", SMOL), lambda data: data["count"], len(BY_ARXIV[SMOL].cites)),
    (("references", SMOL, "--source", "openalex", "--limit", "3"), lambda data: data["next_offset"], 3),
    (("snippets", "rank alpha dropout", "--paper", QLORA), lambda data: first(data, "snippets")["section"], "Recipe"),
    (("recommend", LIMA, "--unlike", SMOL), lambda data: data["count"], 8),
    (("linked", SMOL), lambda data: first(data, "models")["id"], BY_ARXIV[SMOL].models[0]),
    (("trending", "--limit", "1"), lambda data: first(data, "papers")["arxiv_id"], SMOL),
    (("trending", "--week", "2025-W09"), lambda data: data["count"], 10),
    (("keys",), lambda data: data["keys"], {"HF_TOKEN": True, "S2_API_KEY": False, "OPENALEX_API_KEY": False}),
]


@pytest.mark.parametrize(("words", "part", "expected"), ANSWERS, ids=[" ".join(words) for words, _, _ in ANSWERS])
def test_every_verb_answers_in_json_and_as_text(
    run: Run, words: tuple[str, ...], part: Callable[[dict[str, Any]], Any], expected: Any
) -> None:
    done = run(*words, "--json", HF_TOKEN=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert part(json.loads(done.stdout)) == expected
    told = run(*words, HF_TOKEN=SECRET)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.strip()
    assert SECRET not in done.stdout + told.stdout


def test_the_second_answer_tells_that_it_was_kept(run: Run) -> None:
    asked = ("search", "instruction", "tuning", "--json")
    assert json.loads(run(*asked).stdout)["cached"] == {}
    again = json.loads(run(*asked).stdout)
    assert set(again["cached"]) == {"hf", "arxiv", "s2", "openalex"}
    assert all(age.startswith("cached ") for age in again["cached"].values())


def test_every_id_that_an_answer_names_resolves(run: Run) -> None:
    answers = [run("search", "instruct", "model", "--json"), run("cites", LORA, "--json")]
    rows = json.loads(answers[0].stdout)["papers"] + json.loads(answers[1].stdout)["citations"]
    snippets = json.loads(run("snippets", "learning rate epochs", "--json").stdout)["snippets"]
    named = {row["id"] for row in [*rows, *snippets]}
    assert len(named) >= 8
    for name in sorted(named):
        found = run("details", name, "--json")
        assert found.returncode == 0, found.stderr


def test_without_json_a_failure_is_told_in_json_all_the_same(run: Run, server: PapersServer) -> None:
    server.faults["s2"] = Fault("503")
    try:
        done = run("snippets", "no such words")
    finally:
        server.faults.clear()
    assert done.returncode == 1
    assert set(json.loads(done.stdout)) == {"error", "fallback"}
    assert len(done.stderr.splitlines()) == 1


def test_the_services_can_be_started_from_a_shell(run: Run) -> None:
    command = [sys.executable, "-m", "fakes.papers_server", "--port", "0", "--fault", "s2=401"]
    with subprocess.Popen(command, cwd=REPO / "tests", stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        lines = [serving.stdout.readline().removeprefix("export ").strip() for _ in range(5)]
        variables = dict(line.split("=", 1) for line in lines)
        done = run("search", "LoRA", "--json", **variables)
        serving.terminate()
    assert done.returncode == 0
    assert "Semantic Scholar" in json.loads(done.stdout)["warnings"][0]
