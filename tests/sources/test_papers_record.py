"""Ids in every spelling, and lists of records made one: pure functions."""

from __future__ import annotations

import itertools

import pytest

from mlresearch.errors import UsageError
from mlresearch.sources.papers_merge import merged, normal_title
from mlresearch.sources.papers_record import Paper, PaperId, arxiv_id, doi_of, identify, words

S2_ID = "268d347e8a55b5eb82fb5e7d2f800e33c75ab18a"

IDS = [
    ("2010.11929", PaperId(arxiv="2010.11929")),
    ("  arXiv:2010.11929v2 ", PaperId(arxiv="2010.11929")),
    ("https://www.arxiv.org/abs/2010.11929?context=cs", PaperId(arxiv="2010.11929")),
    ("arxiv.org/pdf/2010.11929v2.pdf", PaperId(arxiv="2010.11929")),
    ("https://huggingface.co/papers/2010.11929.md", PaperId(arxiv="2010.11929")),
    ("https%3A%2F%2Farxiv.org%2Fabs%2F2010.11929", PaperId(arxiv="2010.11929")),
    ("DOI: 10.48550/ARXIV.2010.11929", PaperId(arxiv="2010.11929")),
    ("0704.0001", PaperId(arxiv="0704.0001")),
    ("hep-th/9901001v1", PaperId(arxiv="hep-th/9901001")),
    ("math.GT/0309136", PaperId(arxiv="math/0309136")),
    ("https://arxiv.org/abs/math.GT/0309136v2", PaperId(arxiv="math/0309136")),
    ("10.18653/v1/2023.ACL-long.754", PaperId(doi="10.18653/v1/2023.acl-long.754")),
    ("https://dx.doi.org/10.1145/3292500.3330701", PaperId(doi="10.1145/3292500.3330701")),
    ("10.1002/(SICI)1097#1", PaperId(doi="10.1002/(sici)1097#1")),
    (S2_ID, PaperId(s2=S2_ID)),
    (f"https://www.semanticscholar.org/paper/An-Image-is/{S2_ID.upper()}", PaperId(s2=S2_ID)),
    (f"https://www.semanticscholar.org/paper/{S2_ID}", PaperId(s2=S2_ID)),
    ("CorpusID: 225039882", PaperId(s2="CorpusId:225039882")),
    ("https://openalex.org/works/w2741809807", PaperId(openalex="W2741809807")),
]


@pytest.mark.parametrize(("text", "expected"), IDS, ids=[text.strip() for text, _ in IDS])
def test_an_id_is_read_in_every_spelling(text: str, expected: PaperId) -> None:
    assert identify(text) == expected
    assert identify(expected.text) == expected


NO_IDS = [
    "",
    "attention is all you need",
    "2010",
    "2010.123",
    "20101.11929",
    "arXiv:",
    "10.5/x",
    "W12",
    "x/1",
]


@pytest.mark.parametrize("text", [*NO_IDS, "see 2010.11929 there", "../2010.11929", "hep-th/99010011"])
def test_what_names_no_paper_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        identify(text)


def test_a_doi_of_arxiv_is_an_arxiv_id_and_no_doi() -> None:
    assert doi_of("10.48550/arXiv.2010.11929") is None
    assert arxiv_id("10.48550/arXiv.2010.11929") == "2010.11929"
    assert (doi_of(None), arxiv_id(None), doi_of("n/a")) == (None, None, None)


def test_words_are_one_line_and_cut() -> None:
    assert words("  a\n b  ") == "a b"
    assert words("abcdef", 4) == "abc…"
    assert (words(""), words(None), words(3)) == (None, None, None)


def paper(title: str = "A study of very small models", source: str = "s2", **known: object) -> Paper:
    return Paper(title=title, sources=(source,), **known)  # type: ignore[arg-type]


SAME = [
    (paper(arxiv_id="1"), paper("Another title", "hf", arxiv_id="1")),
    (paper(doi="d"), paper("Another title", "hf", doi="d")),
    (paper(doi="d"), paper(source="hf")),
    (paper(doi="d"), paper(source="hf", arxiv_id="1")),
    (paper(doi="d", year=2020), paper("A Study of Very-Small  Models", "hf", arxiv_id="1", year=2021)),
    (paper(s2_id="x"), paper(source="openalex", openalex_id="y")),
    (paper("Étude sur les modèles"), paper("etude sur les modeles", "hf")),
]
DIFFERENT = [
    (paper(arxiv_id="1"), paper(source="hf", arxiv_id="2")),
    (paper(doi="d"), paper(source="hf", doi="e")),
    (paper(year=2015), paper(source="hf", year=2020)),
    (paper("Introduction"[:11]), paper("Introduction"[:11], "hf")),
    (paper("A study of small models"), paper(source="hf")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_records_of_one_paper_are_one(one: Paper, other: Paper) -> None:
    for pair in ([one, other], [other, one]):
        assert [len(each.sources) for each in merged([[each] for each in pair])] == [2]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_papers_stay_two(one: Paper, other: Paper) -> None:
    assert len(merged([[one], [other]])) == 2


def test_a_record_that_links_two_others_makes_all_three_one_in_any_order() -> None:
    three = (paper("One title of it", "a", doi="d"), paper("Other", "b", arxiv_id="1"), paper("Third", "c"))
    link = Paper(title="Third", sources=("c",), doi="d", arxiv_id="1")
    for order in itertools.permutations((three[0], three[1], link)):
        assert len(merged([[each] for each in order])) == 1


def test_a_title_does_not_join_two_papers_with_ids_of_their_own() -> None:
    for order in itertools.permutations((paper(arxiv_id="1"), paper(source="x"), paper(source="y", arxiv_id="2"))):
        assert len(merged([[each] for each in order])) == 2


def test_the_one_record_has_what_any_source_knew() -> None:
    first = paper(doi="d", citations=5, abstract="short", authors=("A",))
    second = paper(source="hf", arxiv_id="1", citations=9, abstract="longer text", authors=("A", "B"), upvotes=0)
    (one,) = merged([[first], [second]])
    assert (one.doi, one.arxiv_id, one.citations, one.upvotes) == ("d", "1", 9, 0)
    assert (one.abstract, one.authors, one.sources) == ("longer text", ("A", "B"), ("s2", "hf"))
    assert one.url == "https://arxiv.org/abs/1"
    assert "venue" not in one.data()


def test_a_paper_that_several_sources_rank_high_comes_first() -> None:
    alone, both = paper("Only one source finds this"), paper("Both of the sources find this")
    found = merged([[alone, both], [paper("Another one of its own", "hf"), both]])
    assert found[0].title == both.title


def test_titles_are_compared_without_case_accents_and_signs() -> None:
    assert normal_title("  LoRA: Low-Rank  Adaptation! ") == "lora low rank adaptation"
    assert normal_title("ﬁne-tuning") == "fine tuning"
