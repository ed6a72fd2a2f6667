"""Papers cut into sections: Markdown, arXiv's HTML, PDF, and files that are none of them."""

from __future__ import annotations

import contextlib

import pytest

from fakes.papers_server import answers, corpus, pdf
from mlresearch.errors import NotFound, Unavailable
from mlresearch.sources.papers_text import from_html, from_pdf
from mlresearch.sources.text_sections import choose, from_markdown

MARKDOWN = """A line before.

# The Title

## 1 Introduction
Why.

## 2. Method

```python
# no heading
```

### 2.1 Data ###
Which data.
### 2.2 Model
Which model.
## A.1 More numbers
t
## **References**
"""


def test_markdown_is_cut_at_headings_outside_code() -> None:
    found = from_markdown(MARKDOWN)
    assert [(each.number, each.title, each.level) for each in found] == [
        ("#0", "(front)", 1),
        ("#1", "The Title", 1),
        ("1", "Introduction", 2),
        ("2", "Method", 2),
        ("2.1", "Data", 3),
        ("2.2", "Model", 3),
        ("A.1", "More numbers", 2),
        ("#7", "References", 2),
    ]
    assert "# no heading" in found[3].text
    assert found[4].text == "Which data."


CHOICES = [
    ("2", ["2", "2.1", "2.2"]),
    ("2.2", ["2.2"]),
    ("Section 2.", ["2", "2.1", "2.2"]),
    ("method", ["2", "2.1", "2.2"]),
    ("DATA", ["2.1"]),
    ("#7", ["#7"]),
    ("refer", ["#7"]),
    ("7", ["#7"]),
]


@pytest.mark.parametrize(("wanted", "numbers"), CHOICES)
def test_a_section_is_chosen_by_number_or_title_with_its_parts(wanted: str, numbers: list[str]) -> None:
    assert [each.number for each in choose(from_markdown(MARKDOWN), wanted)] == numbers


@pytest.mark.parametrize("wanted", ["9", "", " ", "no such title"])
def test_a_section_that_is_not_there_is_told_with_those_that_are(wanted: str) -> None:
    with pytest.raises(NotFound) as caught:
        choose(from_markdown(MARKDOWN), wanted)
    assert "2.1 Data" in caught.value.allowed


def test_headings_all_on_one_level_still_have_parts() -> None:
    found = from_markdown("# 1 A\n# 1.1 B\n# 1.1.1 C\n# 2 D\n# 10 E\n")
    assert [each.number for each in choose(found, "1")] == ["1", "1.1", "1.1.1"]


def test_html_of_arxiv_is_cut_and_formulas_are_tex() -> None:
    found = from_html(answers.pages("/html/2411.15124", {}).body)
    assert [(each.number, each.title) for each in found][2:] == [
        (number, title) for number, title, _ in corpus.BY_ARXIV["2411.15124"].sections
    ]
    (recipe, chosen) = choose(found, "3")
    assert recipe.text.endswith("averaged per batch. x^{2}")
    assert chosen.number == "3.1"
    assert all("tracking" not in each.text and "menu" not in each.text for each in found)


NO_HTML = [b"", b"<html><body>no article</body></html>", b"\x00\x01", b"<article>text without headings</article>"]


@pytest.mark.parametrize("page", NO_HTML)
def test_html_without_sections_is_unavailable(page: bytes) -> None:
    with pytest.raises(Unavailable):
        from_html(page)


def test_a_very_deep_page_is_read_or_refused() -> None:
    deep = b"<article><h2>1 Deep</h2>" + b"<div>" * 20_000 + b"<p>x</p></article>"
    with contextlib.suppress(Unavailable):
        assert from_html(deep)


def test_a_pdf_with_an_outline_is_cut_at_it() -> None:
    found = from_pdf(pdf.document([("1 Introduction", "Why (so)."), ("2 Method", "How.")]))
    assert [(each.number, each.title) for each in found] == [("1", "Introduction"), ("2", "Method")]
    assert "Why (so)." in found[0].text


def test_a_pdf_without_an_outline_is_cut_at_its_pages() -> None:
    found = from_pdf(pdf.document([("1 Introduction", "Why."), ("2 Method", "How.")], has_outline=False))
    assert [each.title for each in found] == ["page 1", "page 2"]
    assert "How." in choose(found, "page 2")[0].text


WHOLE = pdf.document([("1 Introduction", "Why."), ("2 Method", "How.")])
NO_PDF = [b"", b"%PDF-1.4\n%%EOF", WHOLE[:200], b"<html></html>"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("content", NO_PDF, ids=["empty", "head only", "half", "html"])
def test_a_broken_pdf_is_unavailable(content: bytes) -> None:
    with pytest.raises(Unavailable):
        from_pdf(content)
