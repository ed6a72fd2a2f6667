"""arXiv through the `arxiv` library, over our own transport.

Tried with arxiv 4.0.2: its client has no time limit, asks again after any status without looking at Retry-After, spaces
requests within one process only, and takes what is left of broken XML for the whole answer. It is left to build
queries and to read entries; its session is replaced by `web`, which has the limits, the line and a strict reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import arxiv

from mlresearch.errors import NotFound, Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import ARXIV_API
from mlresearch.sources.papers_record import MOST_ABSTRACT, MOST_AUTHORS, Paper, arxiv_id, doi_of, words
from mlresearch.sources.reply import LATER, Reply

_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
# the server is known to answer a good query with an empty first page now and then
TRIES_WHEN_EMPTY = 2


@dataclass(frozen=True)
class Feed:
    papers: list[Paper]
    age: str


def search(query: str, limit: int, start: int = 0) -> Feed:
    """Papers by relevance; the query may use arXiv's own prefixes such as `ti:` and `au:`. Raises Unavailable."""
    return _ask(arxiv.Search(query=_query(query), max_results=start + limit), limit, start)


def details(paper: str) -> Feed:
    """One paper by its arXiv id; raises NotFound."""
    found = _ask(arxiv.Search(id_list=[paper]), 1, 0)
    if not found.papers:
        raise NotFound(f"arXiv has no paper {paper}", next_step="papers.py search TITLE")
    return found


def _query(query: str) -> str:
    """Plain words are joined by AND: arXiv itself joins them by OR and ranks poorly."""
    if any(sign in query for sign in ":()\"'"):
        return query
    return " AND ".join(f"all:{word}" for word in query.split())


def _ask(search: Any, limit: int, start: int) -> Feed:
    pages = _Pages()
    client = arxiv.Client(page_size=limit, delay_seconds=0, num_retries=0)
    client._session = pages
    try:
        papers = [_paper(result) for result in client.results(search, offset=start)]
    except (arxiv.ArxivError, ValueError, TypeError, AttributeError) as error:
        raise Unavailable(f"arXiv answered what can not be read ({type(error).__name__})", next_step=LATER) from None
    return Feed(papers[:limit], pages.age)


class _Pages:
    """What the library takes for its session: asks through `web`, and once more when the first page is empty."""

    def __init__(self) -> None:
        self.age = ""

    def get(self, url: str, headers: object = None) -> _Page:
        place = urlsplit(url)
        path = f"{place.path}?{place.query}"
        for attempt in range(TRIES_WHEN_EMPTY):
            try:
                reply = web.get(ARXIV_API, path, accept="application/atom+xml", check=_has_entries)
                break
            except _Empty as empty:
                reply = empty.reply
                if attempt == TRIES_WHEN_EMPTY - 1 and empty.total > 0:
                    raise
        self.age = reply.age
        return _Page(reply.body)


@dataclass(frozen=True)
class _Page:
    content: bytes
    status_code: int = 200


class _Empty(Unavailable):
    def __init__(self, reply: Reply, total: int) -> None:
        self.reply, self.total = reply, total
        super().__init__(f"arXiv told of {total} papers and sent none", next_step=LATER)


def _has_entries(reply: Reply) -> None:
    """Raises Unavailable for broken XML, a page that is no feed, an error entry, or a page without entries."""
    root = reply.xml()
    entries = root.findall(f"{_ATOM}entry")
    if root.tag != f"{_ATOM}feed":
        raise Unavailable("arXiv answered with no Atom feed", next_step=LATER)
    ids = [entry.findtext(f"{_ATOM}id") or "" for entry in entries]
    if any("/api/errors" in found for found in ids):
        told = words(entries[0].findtext(f"{_ATOM}summary"), 200)
        raise Unavailable(f"arXiv refused the query: {told}", next_step="mend the query")
    if not entries:
        total = (root.findtext(_TOTAL) or "0").strip()
        raise _Empty(reply, int(total) if total.isdigit() and len(total) < 12 else 0)


def _paper(result: Any) -> Paper:
    return Paper(
        title=words(result.title) or "(no title)",
        sources=("arxiv",),
        authors=tuple(author.name for author in result.authors[:MOST_AUTHORS]),
        year=result.published.year,
        published=result.published.date().isoformat(),
        venue=words(result.journal_ref),
        abstract=words(result.summary, MOST_ABSTRACT),
        arxiv_id=arxiv_id(result.entry_id),
        doi=doi_of(result.doi),
        pdf_url=result.pdf_url,
    )
