"""Every source in every fault: the contract holds, no key leaves, and nothing takes longer than its limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from fakes.papers_server import KINDS, Fault, PapersServer
from fakes.papers_server.server import Seen
from sources.conftest import TOKENS, Done, Papers

COMMANDS = {
    "hf-search": ("hf", "search", "LoRA", "--source", "hf"),
    "hf-trending": ("hf", "trending"),
    "hf-linked": ("hf", "linked", "2502.02737"),
    "arxiv-search": ("arxiv", "search", "LoRA", "--source", "arxiv"),
    "arxiv-read": ("pages", "read", "2109.01652"),
    "s2-search": ("s2", "search", "LoRA", "--source", "s2"),
    "s2-cites": ("s2", "cites", "2305.11206", "--source", "s2"),
    "s2-snippets": ("s2", "snippets", "learning rate"),
    "s2-recommend": ("s2", "recommend", "2305.11206"),
    "openalex-search": ("openalex", "search", "LoRA", "--source", "openalex"),
    "openalex-references": ("openalex", "references", "2502.02737", "--source", "openalex"),
}
NAMES = {"hf": "Hugging Face", "arxiv": "arXiv", "s2": "Semantic Scholar", "openalex": "OpenAlex"}
# the fixture's own limit holds where a machine that does other things must not be late
SHORT_S, LONGER_S = "1", "6"
GENEROUS_S = 60.0
CASES = [(name, fault) for name in COMMANDS for fault in KINDS]


Fail = Callable[[str, str, str], None]


@pytest.fixture
def fail(server: PapersServer, here: Path, monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Lets a service fail; the limit is short only where it is what ends the call."""

    def install(service: str, kind: str, limit_s: str) -> None:
        server.faults[service] = Fault(kind)
        if kind == "slow":
            monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", limit_s)

    return install


def no_key_left(server: PapersServer, elsewhere: PapersServer) -> None:
    """Each key was seen by its own service only, and none by the other host."""
    owner = {"hf": "HF_TOKEN", "s2": "S2_API_KEY", "openalex": "OPENALEX_API_KEY"}
    for each in server.seen:
        foreign = [value for name, value in TOKENS.items() if name != owner.get(each.service)]
        assert not _found(each, foreign), f"{each.service} {each.path} was given another service's key"
    for each in elsewhere.seen:
        assert not _found(each, TOKENS.values()), f"{each.path} was given a key"


def _found(seen: Seen, values: Iterable[str]) -> bool:
    whole = repr((seen.path, seen.headers))
    return any(value in whole for value in values)


def speaks_no_secret(done: Done) -> None:
    assert "Traceback" not in done.err
    assert not any(value in done.out + done.err for value in TOKENS.values())


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_the_fault_of_the_only_source_is_an_error_with_a_fallback(
    papers: Papers, server: PapersServer, elsewhere: PapersServer, fail: Fail, name: str, kind: str
) -> None:
    service, *words = COMMANDS[name]
    fail(service, kind, SHORT_S)
    begun = time.monotonic()
    done = papers(*words)
    assert time.monotonic() - begun < GENEROUS_S
    assert done.code == 1
    assert set(done.data) == {"error", "fallback"}
    assert NAMES.get(service, "arXiv") in done.data["error"]
    assert "WebSearch" in done.data["fallback"]
    assert len(done.err.splitlines()) == 1
    speaks_no_secret(done)
    no_key_left(server, elsewhere)
    # what is posted is not sent on
    assert bool(elsewhere.seen) == (kind == "redirect" and name != "s2-recommend")


SOME = [(service, kind) for service in NAMES for kind in KINDS]


@pytest.mark.parametrize(("service", "kind"), SOME, ids=[f"{service}-{kind}" for service, kind in SOME])
def test_the_fault_of_one_source_of_four_is_a_warning_that_names_it(
    papers: Papers, server: PapersServer, elsewhere: PapersServer, fail: Fail, service: str, kind: str
) -> None:
    fail(service, kind, LONGER_S)
    done = papers("search", "LoRA")
    assert done.code == 0
    assert [NAMES[service] in warning for warning in done.data["warnings"]] == [True]
    assert {paper["arxiv_id"] for paper in done.data["papers"]} >= {"2106.09685", "2305.14314"}
    assert all(service not in paper["sources"] for paper in done.data["papers"])
    speaks_no_secret(done)
    no_key_left(server, elsewhere)


def test_a_key_reaches_its_own_service(papers: Papers, server: PapersServer) -> None:
    assert papers("search", "LoRA").code == 0
    assert {each.headers.get("authorization") for each in server.asked("hf")} == {f"Bearer {TOKENS['HF_TOKEN']}"}
    assert {each.headers.get("x-api-key") for each in server.asked("s2")} == {TOKENS["S2_API_KEY"]}
    alex = {each.headers.get("authorization") for each in server.asked("openalex")}
    assert alex == {f"Bearer {TOKENS['OPENALEX_API_KEY']}"}


@pytest.mark.parametrize("kind", ["401", "404", "503", "broken", "half", "slow", "redirect"])
def test_a_bad_answer_is_not_kept_for_the_next_call(
    papers: Papers, server: PapersServer, fail: Fail, kind: str
) -> None:
    fail("s2", kind, LONGER_S)
    assert papers("cites", "2305.11206", "--source", "s2").code == 1
    server.faults.clear()
    good = papers("cites", "2305.11206", "--source", "s2")
    assert (good.code, good.data["count"], good.data["cached"]) == (0, 6, "")


def test_citations_come_from_openalex_when_semantic_scholar_is_down(papers: Papers, server: PapersServer) -> None:
    server.faults["s2"] = Fault("503")
    done = papers("cites", "2305.11206")
    assert (done.code, done.data["source"], done.data["count"]) == (0, "openalex", 6)
    assert "Semantic Scholar" in done.data["warnings"][0]


@pytest.mark.parametrize("kind", ["401", "404", "503", "empty", "half", "slow", "redirect"])
def test_a_text_that_the_hub_does_not_give_comes_from_arxiv(papers: Papers, fail: Fail, kind: str) -> None:
    fail("hf", kind, LONGER_S)
    done = papers("read", "2502.02737", "--section", "3")
    assert (done.code, done.data["from"]) == (0, "html")
    assert "Hugging Face" in done.data["warnings"][0]
    assert "learning rate 3e-4" in done.data["sections"][0]["text"]
