"""OpenAlex over our own transport: search, details, citations both ways.

Tried with pyalex 0.21, which is not used: no call has a time limit, its requests go to a constant host whatever its
`openalex_url` says, and it waits for as long as Retry-After asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlresearch.errors import Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import OPENALEX
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

_SELECT = (
    "id,doi,title,display_name,publication_year,publication_date,authorships,primary_location,locations,ids,"
    "cited_by_count,abstract_inverted_index,referenced_works,open_access"
)
MOST_PER_PAGE = 200


@dataclass(frozen=True)
class Found:
    papers: list[Paper]
    age: str
    total: int | None = None
    # OpenAlex ids of what the one paper of `details` cites
    references: tuple[str, ...] = ()


def search(query: str, limit: int, page: int = 1) -> Found:
    return _list({"search": query, "per-page": limit, "page": page, "select": _SELECT})


def details(paper: PaperId) -> Found:
    """One work; raises NotFound. An arXiv paper is looked up by the DOI that arXiv gives each of its papers."""
    if paper.s2:
        raise Unavailable("OpenAlex knows no Semantic Scholar ids", next_step="papers.py details shows the other ids")
    doi = f"10.48550/arxiv.{paper.arxiv}" if paper.arxiv else paper.doi
    name = f"https://doi.org/{doi}" if doi else paper.openalex or ""
    reply = web.get(OPENALEX, f"/works/{quote(name, safe=':/')}", {"select": _SELECT}, check=_work)
    value = _work(reply)
    works = value.get("referenced_works")
    cited = tuple(_short(each) for each in (works if isinstance(works, list) else []) if isinstance(each, str))
    return Found([_paper(value)], reply.age, references=cited)


def citations(paper: PaperId, limit: int, page: int = 1) -> Found:
    """Papers that cite this one, the most cited first."""
    work = details(paper).papers[0].openalex_id or ""
    return _list(
        {
            "filter": f"cites:{work}",
            "sort": "cited_by_count:desc",
            "per-page": limit,
            "page": page,
            "select": _SELECT,
        }
    )


def references(paper: PaperId, limit: int, start: int = 0) -> Found:
    """Papers that this one cites, in the order of their ids."""
    cited = details(paper).references
    wanted = sorted(cited)[start : start + min(limit, 100)]
    if not wanted:
        return Found([], "", len(cited))
    found = _list({"filter": f"openalex:{'|'.join(wanted)}", "per-page": len(wanted), "select": _SELECT})
    return Found(found.papers, found.age, len(cited))


def _list(params: dict[str, Any]) -> Found:
    reply = web.get(OPENALEX, "/works", {**params, "per-page": min(params["per-page"], MOST_PER_PAGE)}, check=_results)
    value = reply.json()
    rows = _results(reply)
    total = count(_map(value.get("meta")).get("count"))
    return Found([_paper(row) for row in rows if isinstance(row, dict)], reply.age, total)


def _work(reply: Reply) -> dict[str, Any]:
    value = reply.json()
    if isinstance(value, dict) and value.get("id"):
        return value
    raise Unavailable("OpenAlex answered in an unknown form", next_step=LATER)


def _results(reply: Reply) -> list[Any]:
    value = reply.json()
    rows = value.get("results") if isinstance(value, dict) else None
    if isinstance(rows, list):
        return rows
    raise Unavailable("OpenAlex answered in an unknown form", next_step=LATER)


def _paper(value: dict[str, Any]) -> Paper:
    doi = words(value.get("doi"))
    place = _map(value.get("primary_location"))
    return Paper(
        title=words(value.get("title")) or words(value.get("display_name")) or "(no title)",
        sources=("openalex",),
        authors=tuple(_names(value.get("authorships")))[:MOST_AUTHORS],
        year=count(value.get("publication_year")),
        published=words(value.get("publication_date")),
        venue=words(_map(place.get("source")).get("display_name")),
        abstract=words(_abstract(value.get("abstract_inverted_index")), MOST_ABSTRACT),
        arxiv_id=arxiv_id(doi) or _arxiv_of(value),
        doi=doi_of(doi),
        openalex_id=_short(str(value.get("id") or "")) or None,
        citations=count(value.get("cited_by_count")),
        pdf_url=words(place.get("pdf_url")) or words(_map(value.get("open_access")).get("oa_url")),
    )


def _arxiv_of(value: dict[str, Any]) -> str | None:
    """The arXiv id that one of the work's places names: a published paper has its own DOI first."""
    places = value.get("locations")
    pages = [words(_map(place).get("landing_page_url")) for place in (places if isinstance(places, list) else [])]
    return next((found for page in pages if page and "arxiv" in page.lower() and (found := arxiv_id(page))), None)


def _abstract(index: object) -> str | None:
    """OpenAlex keeps an abstract as the places of each word."""
    if not isinstance(index, dict):
        return None
    placed = [
        (place, word)
        for word, places in index.items()
        for place in (places if isinstance(places, list) else [])
        if isinstance(place, int)
    ]
    return " ".join(word for _, word in sorted(placed))


def _names(authorships: object) -> list[str]:
    rows = authorships if isinstance(authorships, list) else []
    return [name for row in rows if (name := words(_map(_map(row).get("author")).get("display_name")))]


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
