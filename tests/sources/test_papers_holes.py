"""The eight holes of a tool like this one, each closed. And a search over four sources, each paper once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.papers_server import Fault, PapersServer
from fakes.papers_server.corpus import LORA, OLD, QLORA, SELF
from sources.conftest import Papers


def test_hole_1_all_sources_down_is_a_failure_with_a_fallback(papers: Papers, server: PapersServer) -> None:
    for service in ("hf", "arxiv", "s2", "openalex"):
        server.faults[service] = Fault("429")
    done = papers("search", "LoRA")
    assert done.code == 1
    assert set(done.data) == {"error", "fallback"}
    for name in ("Hugging Face", "arXiv", "Semantic Scholar", "OpenAlex"):
        assert name in done.data["error"]
    assert "call again in 120 s" in done.data["fallback"]


MISUSED = [
    ("search",),
    ("search", " "),
    ("search", "x", "--source", "google"),
    ("search", "x", "--limit", "0"),
    ("search", "x", "--limit", "9999999999"),
    ("search", "x", "--limit", "\u0661"),
    ("details",),
    ("details", "no such thing"),
    ("read", "2305.14314", "--sections", "1"),
    ("cites", "2305.14314", "--offset", "-1"),
    ("cites", "2305.14314", "--source", "openalex", "--influential"),
    ("trending", "--date", "yesterday"),
    ("trending", "--date", "2024-01-01", "--month", "2024-01"),
    ("nonsense",),
]


@pytest.mark.parametrize("words", MISUSED, ids=[" ".join(words) for words in MISUSED])
def test_hole_2_a_misused_command_is_told_in_json_with_exit_2(
    papers: Papers, server: PapersServer, words: tuple[str, ...]
) -> None:
    done = papers(*words)
    assert done.code == 2
    assert set(done.data) == {"error", "fallback"}
    assert done.data["error"]
    assert server.seen == []


def test_hole_2_a_variable_that_holds_no_address_is_told_in_json_with_exit_2(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_RESEARCH_S2_URL", "not an address")
    done = papers("snippets", "x")
    assert (done.code, set(done.data)) == (2, {"error", "fallback"})
    assert "ML_RESEARCH_S2_URL" in done.data["error"]


def test_hole_3_broken_xml_from_arxiv_stays_within_the_contract(papers: Papers, server: PapersServer) -> None:
    server.faults["arxiv"] = Fault("broken")
    done = papers("search", "LoRA", "--source", "arxiv")
    assert done.code == 1
    assert done.data["error"] == "arXiv answered with broken XML"


SPELLINGS = [
    "2305.14314",
    "arXiv:2305.14314",
    "arxiv: 2305.14314v2",
    "ARXIV:2305.14314v1",
    "https://arxiv.org/abs/2305.14314v2",
    "http://export.arxiv.org/pdf/2305.14314.pdf",
    "https://arxiv.org/html/2305.14314v1#S2",
    "https://huggingface.co/papers/2305.14314",
    "10.48550/arXiv.2305.14314",
    "https://doi.org/10.48550/ARXIV.2305.14314",
    "doi:10.48550/arxiv.2305.14314",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_hole_4_every_spelling_of_an_arxiv_id_finds_the_paper(papers: Papers, spelling: str) -> None:
    done = papers("details", spelling)
    assert done.code == 0
    assert done.data["paper"]["arxiv_id"] == QLORA
    assert done.data["paper"]["sources"] == ["hf", "arxiv", "s2", "openalex"]


@pytest.mark.parametrize("spelling", [OLD, f"arXiv:{OLD}v3", f"https://arxiv.org/abs/{OLD}", f"10.48550/arXiv.{OLD}"])
def test_hole_5_old_arxiv_ids_find_the_paper(papers: Papers, spelling: str) -> None:
    done = papers("details", spelling)
    assert (done.code, done.data["paper"]["arxiv_id"]) == (0, OLD)
    read = papers("read", spelling)
    assert (read.code, read.data["from"]) == (0, "pdf")


def test_hole_6_a_paper_with_and_without_its_doi_is_one(papers: Papers) -> None:
    """arXiv and the Hub know Self-Instruct by its arXiv id, OpenAlex by the DOI of the printed version alone."""
    done = papers("search", "Self-Instruct aligning self-generated")
    found = [paper for paper in done.data["papers"] if "Self-Instruct" in paper["title"]]
    assert len(found) == 1
    assert (found[0]["arxiv_id"], found[0]["doi"]) == (SELF, "10.18653/v1/2023.acl-long.754")
    assert found[0]["sources"] == ["hf", "arxiv", "s2", "openalex"]


def test_hole_7_a_short_retry_after_is_waited_for(papers: Papers, server: PapersServer) -> None:
    server.faults["s2"] = Fault("429", left=1, retry_after="1")
    done = papers("snippets", "learning rate")
    assert done.code == 0
    first, second = server.asked("s2")
    assert second.at - first.at >= 1.0


def test_hole_7_a_long_retry_after_is_told_and_not_waited_for(papers: Papers, server: PapersServer) -> None:
    server.faults["s2"] = Fault("429", retry_after="3000")
    done = papers("snippets", "learning rate")
    assert done.code == 1
    assert "call again in 3000 s" in done.data["fallback"]
    assert len(server.asked("s2")) == 1


@pytest.mark.parametrize("paper", [LORA, "2109.01652", "2304.12244"], ids=["hub", "html", "pdf"])
def test_hole_8_reading_writes_nothing_into_the_working_folder(papers: Papers, here: Path, paper: str) -> None:
    assert papers("read", paper).code == 0
    assert list(here.iterdir()) == []


def test_a_search_over_four_sources_returns_each_paper_once(papers: Papers) -> None:
    done = papers("search", "instruction tuning", "--limit", "50")
    ids = [paper["arxiv_id"] for paper in done.data["papers"]]
    titles = [paper["title"] for paper in done.data["papers"]]
    assert done.code == 0
    assert len(ids) >= 8
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    assert all(len(paper["sources"]) == 4 for paper in done.data["papers"])
    assert done.data["warnings"] == []


def test_an_empty_first_page_of_arxiv_is_asked_for_once_more(papers: Papers, server: PapersServer) -> None:
    server.faults["arxiv"] = Fault("empty", left=1)
    done = papers("search", "LoRA", "--source", "arxiv")
    assert (done.code, done.data["count"]) == (0, 4)
    assert len(server.asked("arxiv")) == 2


def test_a_search_that_finds_nothing_is_an_empty_list(papers: Papers) -> None:
    done = papers("search", "zebrafish telescopes")
    assert (done.code, done.data["papers"], done.data["warnings"]) == (0, [], [])
