"""Semantic Scholar over our own transport: search, details, citations both ways, snippets, recommendations.

Tried with semanticscholar 0.12.0, which is not used: it reads 401, 502 and 503 as an empty answer, drops Retry-After,
waits up to ten minutes by itself, and holds a limit on each read but not on the whole call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlresearch.errors import Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import S2
from mlresearch.sources.papers_record import (
    MOST_ABSTRACT,
    MOST_AUTHORS,
    Paper,
    PaperId,
    arxiv_id,
    count,
    doi_of,
    words,
)
from mlresearch.sources.reply import LATER, Reply

_EDGE_FIELDS = (
    "paperId,title,authors,year,venue,publicationDate,abstract,externalIds,citationCount,influentialCitationCount,"
    "openAccessPdf"
)
# only search and details know this one
_FIELDS = _EDGE_FIELDS + ",tldr"
MOST_EDGES = 1000


@dataclass(frozen=True)
class Found:
    papers: list[Paper]
    age: str
    total: int | None = None


@dataclass(frozen=True)
class Edge:
    """One citation: the paper at the other end, whether it matters to the citing one, why, and in which words."""

    paper: Paper
    is_influential: bool
    intents: tuple[str, ...]
    contexts: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        return {
            **self.paper.data(),
            "is_influential": self.is_influential,
            "intents": list(self.intents),
            "contexts": list(self.contexts[:3]),
        }


@dataclass(frozen=True)
class Edges:
    """`next` is the offset that the following page begins at, None after the last one."""

    edges: list[Edge]
    next: int | None
    age: str


def search(query: str, limit: int, start: int = 0) -> Found:
    params = {"query": query, "limit": limit, "offset": start, "fields": _FIELDS}
    reply = web.get(S2, "/graph/v1/paper/search", params, check=_has_rows)
    value = _table(reply)
    return Found([_paper(each) for each in _rows(value)], reply.age, count(value.get("total")))


def details(paper: PaperId) -> Found:
    reply = web.get(S2, f"/graph/v1/paper/{_path(paper)}", {"fields": _FIELDS}, check=_one)
    return Found([_paper(_one(reply))], reply.age)


def edges(paper: PaperId, kind: str, limit: int, start: int = 0) -> Edges:
    """One page of the papers that cite this one (`citations`) or that it cites (`references`)."""
    fields = "contexts,intents,isInfluential," + _EDGE_FIELDS
    reply = web.get(
        S2,
        f"/graph/v1/paper/{_path(paper)}/{kind}",
        {"fields": fields, "limit": min(limit, MOST_EDGES), "offset": start},
        check=_has_rows,
    )
    value = _table(reply)
    end = "citingPaper" if kind == "citations" else "citedPaper"
    # a reference that Semantic Scholar could not match has neither an id nor, at times, a title
    found = [_edge(each, end) for each in _rows(value) if isinstance(each.get(end), dict) and each[end].get("title")]
    return Edges(found, count(value.get("next")), reply.age)


def snippets(query: str, limit: int, paper: PaperId | None = None) -> tuple[list[dict[str, Any]], str]:
    """Passages of full texts that answer the query: text, section, and the paper they stand in."""
    within = _path(paper) if paper else None
    params = {"query": query, "limit": limit, "paperIds": within}
    reply = web.get(S2, "/graph/v1/snippet/search", params, check=_has_rows)
    return [_snippet(each) for each in _rows(_table(reply))], reply.age


def recommend(like: Sequence[PaperId], unlike: Sequence[PaperId], limit: int) -> Found:
    """Papers near those of `like` and away from those of `unlike`."""
    body = {"positivePaperIds": [_name(each) for each in like], "negativePaperIds": [_name(each) for each in unlike]}
    params = {"fields": _EDGE_FIELDS, "limit": limit}
    reply = web.post(S2, "/recommendations/v1/papers", body, params, check=_recommended)
    return Found([_paper(each) for each in _recommended(reply)], reply.age)


def _name(paper: PaperId) -> str:
    """An id as this source writes it."""
    if paper.openalex:
        raise Unavailable("Semantic Scholar knows no OpenAlex ids", next_step="papers.py details shows the other ids")
    return (f"ARXIV:{paper.arxiv}" if paper.arxiv else f"DOI:{paper.doi}" if paper.doi else paper.s2) or ""


def _path(paper: PaperId) -> str:
    return quote(_name(paper), safe=":/")


def _table(reply: Reply) -> dict[str, Any]:
    value = reply.json()
    if isinstance(value, dict):
        return value
    raise Unavailable("Semantic Scholar answered in an unknown form", next_step=LATER)


def _one(reply: Reply) -> dict[str, Any]:
    value = _table(reply)
    if value.get("paperId"):
        return value
    raise Unavailable("Semantic Scholar answered in an unknown form", next_step=LATER)


def _recommended(reply: Reply) -> list[dict[str, Any]]:
    return _rows(_table(reply), "recommendedPapers")


def _has_rows(reply: Reply) -> None:
    _rows(_table(reply))


def _rows(value: dict[str, Any], name: str = "data") -> list[dict[str, Any]]:
    """The answer's rows; an answer without them is broken, not empty."""
    rows = value.get(name)
    if not isinstance(rows, list):
        # a search without a hit is told so, without a list
        if value.get("total") == 0:
            return []
        raise Unavailable("Semantic Scholar answered in an unknown form", next_step=LATER)
    return [row for row in rows if isinstance(row, dict)]


def _paper(value: dict[str, Any]) -> Paper:
    ids = _map(value.get("externalIds"))
    arxiv = arxiv_id(words(ids.get("ArXiv")))
    return Paper(
        title=words(value.get("title")) or "(no title)",
        sources=("s2",),
        authors=tuple(_names(value.get("authors")))[:MOST_AUTHORS],
        year=count(value.get("year")),
        published=words(value.get("publicationDate")),
        venue=words(value.get("venue")),
        abstract=words(value.get("abstract"), MOST_ABSTRACT),
        summary=words(_map(value.get("tldr")).get("text")),
        arxiv_id=arxiv or arxiv_id(words(ids.get("DOI"))),
        doi=doi_of(words(ids.get("DOI"))),
        s2_id=words(value.get("paperId")),
        citations=count(value.get("citationCount")),
        influential_citations=count(value.get("influentialCitationCount")),
        pdf_url=words(_map(value.get("openAccessPdf")).get("url")),
    )


def _edge(value: dict[str, Any], end: str) -> Edge:
    return Edge(
        _paper(value[end]),
        value.get("isInfluential") is True,
        _texts(value.get("intents")),
        _texts(value.get("contexts")),
    )


def _snippet(value: dict[str, Any]) -> dict[str, Any]:
    snippet, paper = _map(value.get("snippet")), _map(value.get("paper"))
    ids = _map(paper.get("externalIds"))
    arxiv = arxiv_id(words(ids.get("ArXiv"))) or arxiv_id(words(paper.get("arxivId")))
    return {
        "text": words(snippet.get("text")) or "",
        "section": words(snippet.get("section")),
        "title": words(paper.get("title")),
        "id": arxiv or (f"CorpusId:{paper['corpusId']}" if paper.get("corpusId") else ""),
        "score": value.get("score") if isinstance(value.get("score"), int | float) else None,
    }


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _names(authors: object) -> list[str]:
    rows = authors if isinstance(authors, list) else []
    return [name for row in rows if (name := words(_map(row).get("name")))]


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
