"""hf_docs.py against recorded documentation: lists, searches, pages by section, the API reference, every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.hub_repos import HubRepos, library
from fakes.table_server import KINDS, Answer, Fault, TableServer
from mlresearch.cli import hf_docs
from sources.lookups import HF_TOKEN, LIMIT_S, Command, runner, saw_no_token, speaks_no_secret

COMMANDS = {
    "list": ("list",),
    "pages": ("list", "trl"),
    "search": ("search", "data columns"),
    "fetch": ("fetch", "trl/sft_trainer"),
    "api": ("api", "jobs"),
}
CASES = [(name, kind) for name in COMMANDS for kind in KINDS]


@pytest.fixture
def elsewhere() -> Iterator[TableServer]:
    with TableServer(lambda asked: Answer(b"caught")) as server:
        yield server


@pytest.fixture
def server(elsewhere: TableServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TableServer]:
    with TableServer(HubRepos().answer, elsewhere.url + "/trap") as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", HF_TOKEN)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        yield server


@pytest.fixture
def docs(server: TableServer, capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(hf_docs.run, capsys)


def test_the_libraries_are_listed_and_one_documented_elsewhere_is_marked(docs: Command) -> None:
    rows = docs("list").data["libraries"]
    assert [(each["library"], each["category"]) for each in rows] == [
        ("trl", "Training"),
        ("hub", "Hub"),
        (None, "Apps"),
    ]


def test_the_pages_of_a_library_come_from_its_index_without_links_to_other_sites(docs: Command) -> None:
    rows = docs("list", "trl").data["pages"]
    assert [each["page"] for each in rows] == ["trl/v1.7.0/sft_trainer", "trl/v1.7.0/dpo_trainer"]
    assert docs("fetch", rows[0]["page"]).data["contents"][0]["title"] == "SFT Trainer"


def test_an_unknown_library_is_an_error_that_names_the_list(docs: Command) -> None:
    done = docs("list", "nonsense")
    assert (done.code, set(done.data)) == (1, {"error", "fallback"})
    assert "nonsense" in done.data["error"]
    assert "hf_docs.py list" in done.data["fallback"]


def test_a_search_gives_page_section_and_passage(docs: Command, server: TableServer) -> None:
    found = docs("search", "data columns", "--library", "trl").data
    assert found["results"][0]["page"] == "trl/sft_trainer"
    assert found["results"][0]["title"] == "Expected data"
    assert "messages" in found["results"][0]["excerpt"]
    assert server.asked[0].query["product"] == "trl"


def test_a_search_that_finds_nothing_by_meaning_looks_for_the_words(docs: Command) -> None:
    found = docs("search", "loss").data
    assert [(each["page"], each["excerpt"]) for each in found["results"]] == [("trl/dpo_trainer", "The loss of DPO.")]
    assert docs("search", "nothing at all").data == {
        "query": "nothing at all",
        "count": 0,
        "results": [],
        "warnings": [],
        "cached": "",
    }


def test_a_search_that_finds_nothing_in_a_library_says_where_else_to_look(docs: Command) -> None:
    found = docs("search", "nothing at all", "--library", "trl").data
    assert (found["count"], found["warnings"]) == (
        0,
        ["only trl was searched; without --library all documentation is, and hf_docs.py list names the others"],
    )


def test_a_search_without_the_hubs_searches_takes_the_titles_and_says_so(docs: Command, server: TableServer) -> None:
    server.fault = Fault("503", "/api/docs/search")
    found = docs("search", "SFT trainer", "--library", "trl").data
    assert found["results"][0]["page"] == "trl/v1.7.0/sft_trainer"
    assert len(found["warnings"]) == 3
    assert "only the titles" in found["warnings"][-1]


@pytest.mark.parametrize(
    "asked",
    ["trl/sft_trainer", "trl/sft_trainer.md", "/docs/trl/sft_trainer", "https://huggingface.co/docs/trl/sft_trainer#x"],
)
def test_a_page_is_found_by_name_and_by_address(docs: Command, asked: str) -> None:
    found = docs("fetch", asked).data
    assert found["page"] == "trl/sft_trainer"
    assert [each["title"] for each in found["contents"]] == ["SFT Trainer", "Quick start", "Expected data", "SFTConfig"]
    assert "a comment, no heading" in found["text"]


def test_a_section_comes_with_its_subsections(docs: Command) -> None:
    text = docs("fetch", "trl/sft_trainer", "--section", "quick").data["text"]
    assert "trainer = SFTTrainer" in text
    assert "für alle, 你好" in text
    assert "learning_rate" not in text
    done = docs("fetch", "trl/sft_trainer", "--section", "nonsense")
    assert done.code == 1
    assert "Quick start" in done.data["fallback"]


def test_a_long_page_shows_its_contents_until_a_section_is_chosen(docs: Command) -> None:
    found = docs("fetch", "trl/long").data
    assert found["text"] is None
    assert len(found["contents"]) == 13
    assert "--section" in found["note"]
    assert docs("fetch", "trl/long", "--section", "Part 7").data["text"].startswith("## Part 7")


@pytest.mark.parametrize(
    "asked", ["https://example.com/docs/trl/x", "../etc/passwd", "trl/../../x", "", "a b", "http://["]
)
def test_what_is_no_page_is_misuse_and_asks_nobody(docs: Command, server: TableServer, asked: str) -> None:
    done = docs("fetch", asked)
    assert (done.code, set(done.data)) == (2, {"error", "fallback"})
    assert server.asked == []


def test_an_endpoint_is_shown_with_its_parameters_body_and_answers(docs: Command) -> None:
    found = docs("api", "start job").data
    assert (found["matched"], found["endpoints"][0]["method"]) == (1, "POST")
    endpoint = found["endpoints"][0]
    assert endpoint["parameters"][0] == {
        "name": "namespace",
        "in": "path",
        "required": True,
        "type": "string",
        "description": "",
    }
    assert endpoint["body"] == {"flavor*": "string | null", "timeoutSeconds": "#/components/schemas/Nowhere"}
    assert endpoint["answers"] == {"200": "", "402": "No credit"}
    assert "flavor*: string | null" in docs("api", "start job", plain=True).out


def test_endpoints_are_found_by_tag_and_the_tags_are_told(docs: Command) -> None:
    assert docs("api").data["tags"] == {"auth": 1, "jobs": 2}
    found = docs("api", "--tag", "Jobs").data["endpoints"]
    assert {each["method"] for each in found} == {"GET", "POST"}
    assert found[0]["parameters"][-1]["type"] == "list of RUNNING | ERROR"
    assert docs("api", "nothing of the kind").data["endpoints"] == []


def test_an_answer_is_kept_and_its_age_is_told(docs: Command, server: TableServer) -> None:
    docs("fetch", "trl/sft_trainer")
    assert docs("fetch", "trl/sft_trainer").data["cached"].startswith("cached ")
    assert len(server.asked) == 1


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(
    docs: Command, server: TableServer, elsewhere: TableServer
) -> None:
    docs("list")
    assert server.asked[0].token == HF_TOKEN
    server.fault = Fault("redirect")
    docs("fetch", "trl/sft_trainer")
    assert elsewhere.paths() == ["GET /trap"]
    saw_no_token([elsewhere])


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_every_fault_is_an_error_with_a_fallback(
    docs: Command,
    server: TableServer,
    elsewhere: TableServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: str,
) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", LIMIT_S)
    server.fault = Fault(kind, headers={"Retry-After": "120"} if kind == "429" else {})
    done = docs(*COMMANDS[name])
    if name == "fetch" and kind == "redirect":
        assert done.data["text"] == "caught"  # public Markdown may come from anywhere; the token may not
    else:
        assert (done.code, set(done.data)) == (1, {"error", "fallback"})
        assert len(done.err.splitlines()) == 1
        assert done.data["fallback"]
    speaks_no_secret(done)
    saw_no_token([elsewhere])
    assert ("120 s" in done.out) == (kind == "429")


@pytest.mark.parametrize("shape", [[], {}, None, 3, [3], {"paths": 3}, {"paths": {"/x": {"get": {"parameters": 3}}}}])
def test_an_answer_of_another_shape_is_no_traceback(docs: Command, server: TableServer, shape: object) -> None:
    server.answer = lambda asked: Answer(json.dumps(shape).encode())
    for words in COMMANDS.values():
        done = docs(*words)
        assert done.code in (0, 1)
        assert "Traceback" not in done.err


def test_the_recorded_catalog_is_not_empty() -> None:
    assert len(library.CATALOG) >= 3
