"""What papers.py can be asked, over all sources at once: a source's fault is a warning, the fault of all an error.

Owns the order of sources and what stands in for what. It never makes up a record: what no source said is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from mlresearch.errors import NotFound, ResearchError, Unavailable, UsageError
from mlresearch.sources import arxiv_api, hub_papers, openalex_api, papers_text, s2_api, text_sections, web
from mlresearch.sources.hosts import ARXIV_PAGES, HUB, OPENALEX, S2, Source, key_of
from mlresearch.sources.papers_merge import as_one, merged
from mlresearch.sources.papers_record import Paper, PaperId
from mlresearch.sources.reply import LATER, Reply
from mlresearch.sources.text_sections import Section

SOURCES = ("hf", "arxiv", "s2", "openalex")
NAMES = {"hf": "Hugging Face", "arxiv": "arXiv", "s2": "Semantic Scholar", "openalex": "OpenAlex"}
ELSEWHERE = "use WebSearch or WebFetch, and cite only what you fetched"
MOST_EDGE_PAGES = 5

T = TypeVar("T")


class _Found(Protocol):
    @property
    def papers(self) -> list[Paper]: ...

    @property
    def age(self) -> str: ...


@dataclass(frozen=True)
class Papers:
    """`ages` tells per source how old its answer is, where it came from the cache."""

    papers: list[Paper]
    warnings: list[str] = field(default_factory=list)
    ages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    edges: list[dict[str, Any]]
    source: str
    next: int | None
    warnings: list[str]
    age: str


@dataclass(frozen=True)
class Text:
    """`origin` is where the text came from: hub, html or pdf."""

    paper: str
    origin: str
    url: str
    sections: list[Section]
    warnings: list[str]
    age: str


def search(query: str, sources: Sequence[str], limit: int) -> Papers:
    """Each paper that any of the sources finds, once. Raises Unavailable when no source answered."""
    calls: dict[str, Callable[[], _Found]] = {
        "hf": lambda: hub_papers.search(query, limit),
        "arxiv": lambda: arxiv_api.search(query, limit),
        "s2": lambda: s2_api.search(query, limit),
        "openalex": lambda: openalex_api.search(query, limit),
    }
    found, warnings = _each({name: calls[name] for name in sources or SOURCES})
    papers = merged([each.papers for each in found.values()])[:limit]
    return Papers(papers, warnings, _ages(found))


def details(paper: PaperId) -> Papers:
    """One paper from every source that knows ids of its kind, as one record. Raises NotFound or Unavailable."""
    calls: dict[str, Callable[[], _Found]] = {}
    if paper.arxiv:
        arxiv = paper.arxiv
        calls |= {"hf": lambda: hub_papers.details(arxiv), "arxiv": lambda: arxiv_api.details(arxiv)}
    if not paper.openalex:
        calls["s2"] = lambda: s2_api.details(paper)
    if not paper.s2:
        calls["openalex"] = lambda: openalex_api.details(paper)
    found, warnings = _each(calls)
    return Papers([as_one([one for each in found.values() for one in each.papers])], warnings, _ages(found))


def trending(limit: int, date: str | None, week: str | None, month: str | None) -> Papers:
    if len([each for each in (date, week, month) if each]) > 1:
        raise UsageError("--date, --week and --month are given together", "one of them")
    found, _ = _each({"hf": lambda: hub_papers.trending(limit, date, week, month)})
    return Papers(found["hf"].papers, [], _ages(found))


def recommend(like: Sequence[PaperId], unlike: Sequence[PaperId], limit: int) -> Papers:
    found, _ = _each({"s2": lambda: s2_api.recommend(like, unlike, limit)})
    return Papers(found["s2"].papers, [], _ages(found))


def snippets(query: str, limit: int, paper: PaperId | None) -> tuple[list[dict[str, Any]], str]:
    return _only("s2", lambda: s2_api.snippets(query, limit, paper))


def linked(paper: PaperId, limit: int) -> tuple[dict[str, list[dict[str, Any]]], str]:
    return _only("hf", lambda: hub_papers.linked(_arxiv(paper), limit))


def graph(paper: PaperId, kind: str, limit: int, start: int, influential: bool, source: str | None) -> Graph:
    """Papers that cite this one (`citations`) or that it cites (`references`), from Semantic Scholar, else OpenAlex.

    Only Semantic Scholar tells which citations are influential. Raises NotFound or Unavailable.
    """
    warnings: list[str] = []
    if source in (None, "s2"):
        try:
            return _s2_graph(paper, kind, limit, start, influential)
        except Unavailable as fault:
            if source == "s2" or influential:
                raise _all_down([fault]) from None
            warnings.append(f"Semantic Scholar: {fault.wrong}")
    elif influential:
        raise UsageError("OpenAlex does not tell which citations are influential", "--source s2")
    try:
        return _openalex_graph(paper, kind, limit, start, warnings)
    except Unavailable as fault:
        faults = [Unavailable(each) for each in warnings]
        raise _all_down([*faults, fault]) from None


def _s2_graph(paper: PaperId, kind: str, limit: int, start: int, influential: bool) -> Graph:
    """With `influential` pages are read until enough are found, MOST_EDGE_PAGES at most."""
    found: list[s2_api.Edge] = []
    following: int | None = start
    age, pages = "", 0
    while following is not None and len(found) < limit and pages < MOST_EDGE_PAGES:
        size = 500 if influential else limit - len(found)
        page = s2_api.edges(paper, kind, size, following)
        wanted = [each for each in page.edges if each.is_influential or not influential]
        found += wanted
        # a server whose next page does not follow would keep this going
        following = page.next if page.next is not None and page.next > following else None
        age, pages = age or page.age, pages + 1
    return Graph([each.data() for each in found], "s2", following, [], age)


def _openalex_graph(paper: PaperId, kind: str, limit: int, start: int, warnings: list[str]) -> Graph:
    size = min(limit, 100)
    if kind == "references":
        found = openalex_api.references(paper, size, start)
        following = start + size
    else:
        # OpenAlex counts pages, not papers: begin at the page that holds the offset
        found = openalex_api.citations(paper, size, start // size + 1)
        following = (start // size + 1) * size
    is_more = found.total is not None and following < found.total
    held = found.papers if kind == "references" else found.papers[start % size :]
    edges = [each.data() for each in held]
    return Graph(edges, "openalex", following if is_more else None, warnings, found.age)


def read(paper: PaperId) -> Text:
    """A paper's sections: the Hub's Markdown, then arXiv's HTML, then the PDF. Raises Unavailable when none is had."""
    name = _arxiv(paper)
    ways: dict[str, Callable[[], tuple[list[Section], str, str]]] = {
        "hub": lambda: _hub_text(name),
        "html": lambda: _page(f"/html/{name}", "text/html", (b"<article", b"</html>"), papers_text.from_html),
        "pdf": lambda: _page(f"/pdf/{name}", "application/pdf", (b"%PDF-", b"%%EOF"), papers_text.from_pdf),
    }
    faults: list[Unavailable] = []
    for origin, way in ways.items():
        try:
            sections, url, age = way()
            return Text(name, origin, url, sections, [f"{each.wrong}" for each in faults], age)
        except Unavailable as fault:
            faults.append(fault)
    raise _all_down(faults)


def _hub_text(name: str) -> tuple[list[Section], str, str]:
    text, age = hub_papers.markdown(name)
    return text_sections.from_markdown(text), f"{HUB.base}/papers/{name}.md", age


def _page(
    path: str, kind: str, marks: tuple[bytes, ...], cut: Callable[[bytes], list[Section]]
) -> tuple[list[Section], str, str]:
    """A page of arXiv and its sections; `marks` stand in every whole page of its kind, near its begin and end."""

    def check(reply: Reply) -> None:
        if not all(mark in reply.body for mark in marks):
            raise Unavailable(f"arXiv answered {path} with no whole {kind}", next_step=LATER)

    reply = web.get(ARXIV_PAGES, path, accept=kind, check=check)
    return cut(reply.body), reply.url, reply.age


def keys() -> dict[str, bool]:
    """Which optional keys this machine has, by the name of the variable; never a value."""
    sources: tuple[Source, ...] = (HUB, S2, OPENALEX)
    return {source.key.variables[0]: bool(key_of(source)) for source in sources if source.key}


def _arxiv(paper: PaperId) -> str:
    if paper.arxiv:
        return paper.arxiv
    found = details(paper).papers
    if found and found[0].arxiv_id:
        return found[0].arxiv_id
    raise NotFound(f"{paper.text} has no arXiv id, so that no open text is known", next_step=ELSEWHERE)


def _only(name: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except Unavailable as fault:
        raise _all_down([fault]) from None


def _each(calls: Mapping[str, Callable[[], _Found]]) -> tuple[dict[str, _Found], list[str]]:
    """Every call at once; raises when all failed. The other faults come back as warnings that name their source."""
    found: dict[str, _Found] = {}
    faults: dict[str, Unavailable] = {}
    with ThreadPoolExecutor(len(calls)) as pool:
        running = {name: pool.submit(call) for name, call in calls.items()}
        for name, future in running.items():
            try:
                found[name] = future.result()
            except Unavailable as fault:
                faults[name] = fault
    if not found:
        raise _all_down(list(faults.values()))
    return found, [f"{NAMES[name]} is missing here: {fault.wrong}" for name, fault in faults.items()]


def _all_down(faults: list[Unavailable]) -> ResearchError:
    """One error of several; NotFound only when every source answered that there is none."""
    told = "; ".join(dict.fromkeys(fault.wrong for fault in faults))
    steps = list(dict.fromkeys(fault.next_step for fault in faults if fault.next_step))
    kind = NotFound if all(isinstance(fault, NotFound) for fault in faults) else Unavailable
    return kind(told, next_step="; ".join([*steps, ELSEWHERE]))


def _ages(found: Mapping[str, _Found]) -> dict[str, str]:
    return {name: each.age for name, each in found.items() if each.age}
