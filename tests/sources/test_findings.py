"""A findings file holds when every citation resolves, is called by its own title, and is quoted to the letter."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.papers_server import PapersServer
from fakes.papers_server.corpus import LORA, WORKS
from fakes.papers_server.faults import Fault
from sources.conftest import Papers

WORK = next(work for work in WORKS if work.arxiv == LORA)
CITATION = {
    "kind": "paper",
    "id": LORA,
    "title": WORK.title,
    "url": f"https://huggingface.co/papers/{LORA}",
    "quote": WORK.sections[1][2][:60],
    "section": WORK.sections[1][0],
}
FINDING = {
    "claim": "a low-rank update of the attention weights is enough",
    "recipe": {"r": 8},
    "strength": "strong",
    "agreeing": 1,
    "reported_gain": None,
    "ablation": None,
    "gap": "nothing about models below 1B",
    "citations": [CITATION],
    "applicability": "fits: a small model",
    "how_to_verify": "one run with r=8 and one with r=64",
    "verdict": "test",
}
GOOD: dict[str, Any] = {
    "question": "which rank for LoRA?",
    "findings": [FINDING],
    "recipes": [],
    "not_seen": [],
    "fidelity": "full",
}

Change = Callable[[dict[str, Any]], Any]


def cited(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["findings"][0]["citations"][0]
    return found


def written(folder: Path, change: Change = lambda answer: None) -> str:
    answer = copy.deepcopy(GOOD)
    change(answer)
    (folder / "findings.json").write_text(json.dumps(answer))
    return "findings.json"


def test_findings_that_hold_pass(papers: Papers, here: Path) -> None:
    done = papers("check", written(here))
    assert (done.code, done.data) == (0, {"resolved": 1, "faults": [], "unchecked": []})


def test_an_empty_list_is_a_valid_answer(papers: Papers, here: Path) -> None:
    assert papers("check", written(here, lambda answer: answer.update(findings=[]))).code == 0


ROW = {"result": "no score", "model": "m", "dataset": "d", "method": "sft", "hyperparameters": {}, "finding": 0}
WRONG: dict[str, tuple[Change, str]] = {
    "a paper that does not exist": (lambda a: cited(a).update(id="1999.99999"), "does not exist"),
    "a text that is no id": (lambda a: cited(a).update(id="the LoRA paper"), "LoRA paper"),
    "another paper's title": (lambda a: cited(a).update(title="Attention Is All You Need"), "not 'Attention"),
    "a quote that nobody wrote": (lambda a: cited(a).update(quote="rank 512 beats every other rank"), "does not stand"),
    "a quote of another section": (lambda a: cited(a).update(section="1"), "does not stand in section '1'"),
    "a number that nobody reported": (
        lambda a: a["recipes"].append({**ROW, "result": "a score of 99.97"}),
        "99.97 stands",
    ),
    "no quote": (lambda a: cited(a).update(quote=None), "own words"),
    "a model that does not exist": (lambda a: cited(a).update(kind="model", id="nobody/nothing"), "does not exist"),
    "a row without its finding": (
        lambda a: a["recipes"].append(
            {
                "result": "a score of 1",
                "model": "m",
                "dataset": "d",
                "method": "sft",
                "hyperparameters": {},
                "finding": 4,
            }
        ),
        "there is no finding 4",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_citation_that_does_not_hold_is_named(name: str, papers: Papers, here: Path) -> None:
    change, told = WRONG[name]
    done = papers("check", written(here, change))
    assert done.code == 1
    assert told in " ".join(done.data["faults"])


def test_a_form_that_is_broken_is_misuse(papers: Papers, here: Path) -> None:
    done = papers("check", written(here, lambda answer: answer["findings"][0].pop("gap")))
    assert done.code == 2
    assert "gap" in done.data["error"]
    assert papers("check", "missing.json").code == 2


def test_sources_that_are_down_say_nothing_about_a_citation(papers: Papers, here: Path, server: PapersServer) -> None:
    for service in ("hf", "arxiv", "s2", "openalex"):
        server.faults[service] = Fault("503")
    done = papers("check", written(here))
    assert done.code == 0
    assert done.data["resolved"] == 0
    assert len(done.data["unchecked"]) == 1
