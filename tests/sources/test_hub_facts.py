"""Whether something that a text cites is there: by its id or address, and never by asking a host that is not known."""

from __future__ import annotations

import pytest

from fakes.papers_server import PapersServer
from fakes.papers_server.corpus import BY_ARXIV
from mlresearch.errors import Unavailable
from mlresearch.sources import hub_facts

pytestmark = pytest.mark.usefixtures("here")


def test_a_paper_is_there_when_a_source_knows_it() -> None:
    known = next(name for name in BY_ARXIV if name)
    assert hub_facts.exists("paper", known)
    assert hub_facts.exists("paper", f"arXiv:{known}v1")
    assert hub_facts.exists("web", f"https://arxiv.org/abs/{known}")
    assert not hub_facts.exists("paper", "2399.99999")


@pytest.mark.parametrize("name", ["not an id at all", "https://huggingface.co/papers/nothing-like-an-id"])
def test_what_names_no_paper_is_none(name: str) -> None:
    assert not hub_facts.exists("paper", name)


@pytest.mark.parametrize("name", ["trl/sft_trainer", "docs/trl/sft_trainer#expected-data"])
def test_a_page_of_the_documentation_is_asked_for_by_its_name(name: str, server: PapersServer) -> None:
    before = len(server.asked("hf"))
    assert not hub_facts.exists("docs", name)  # this server has papers alone
    assert [each.path for each in server.asked("hf")[before:]] == ["/hf/docs/trl/sft_trainer"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("web", "https://example.org/page"),
        ("web", "https://127.0.0.1/page"),
        ("web", "https://huggingface.co/jobs/me/1"),
        ("code", "just a name"),
    ],
)
def test_what_nobody_here_can_say_is_unknown(kind: str, name: str) -> None:
    with pytest.raises(Unavailable, match="not looked up here"):
        hub_facts.exists(kind, name)


@pytest.mark.parametrize("url", ["https://[", "https://huggingface.co/docs/\ud800", "https://hf.co/"])
def test_what_can_be_no_address_is_none(url: str) -> None:
    assert not hub_facts.exists("web", url)


@pytest.mark.parametrize("name", ["../../etc", "a/b/c", "me/no name"])
def test_a_strange_name_of_a_repository_is_none(name: str) -> None:
    assert not hub_facts.exists("model", name)
    assert not hub_facts.holds(name)
