"""Documentation of Hugging Face libraries: the catalog, a library's pages, a search, a page as Markdown.

The Hub names its libraries at /api/docs, each library its pages in llms.txt, and every page is Markdown at its own
address with .md. Refuses an address outside the documentation: only the Hub's host is ever asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mlresearch.errors import NotFound, ResearchError, Unavailable, UsageError, shown
from mlresearch.sources import text_sections, web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.reply import LATER, Reply
from mlresearch.sources.text_sections import Section

DAY_S = 24 * 3600.0
MOST_BYTES = 8 * 1024 * 1024
MOST_EXCERPT = 600
_LINK = re.compile(r"^\s*[-*]\s*\[([^\]]*)\]\((?:https?://[^/)\s]+)?/docs/([^)\s]+?)(?:\.md|\.html)?\)", re.MULTILINE)
_PAGE = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)*")
_ANCHOR = re.compile(r"\[\[[^\]]*\]\]")
_WORD = re.compile(r"\w+")
_HEADINGS = ("heading5", "heading4", "heading3", "heading2", "heading1", "source_page_title")
_LEVELS = ("hierarchy_lvl2", "hierarchy_lvl1", "hierarchy_lvl0")


@dataclass(frozen=True)
class Found:
    """Rows of an answer, which searches did not answer, and how old it is."""

    rows: list[dict[str, Any]]
    warnings: list[str] = field(default_factory=list)
    age: str = ""


@dataclass(frozen=True)
class Page:
    name: str
    url: str
    text: str
    sections: list[Section]
    age: str


def libraries() -> Found:
    """The libraries with documentation; `library` is None for one that is documented on another site."""
    reply = web.get(HUB, "/api/docs", check=_entries, ttl_s=DAY_S)
    rows = [
        {
            "library": _library_of(str(each["url"])),
            "id": str(each["id"]),
            "category": str(each.get("category", "")),
            "url": str(each["url"]),
        }
        for each in _entries(reply)
    ]
    return Found(rows, age=reply.age)


def _entries(reply: Reply) -> list[dict[str, Any]]:
    found = reply.json()
    if not isinstance(found, list) or not all(isinstance(each, dict) and {"id", "url"} <= set(each) for each in found):
        raise _strange("list of libraries")
    return found


def _library_of(url: str) -> str | None:
    try:
        place = urlsplit(url)
        is_here = place.hostname in (None, urlsplit(HUB.base).hostname, urlsplit(HUB.address).hostname)
    except ValueError:
        return None
    named = re.match(r"/docs/([\w.-]+)", place.path)
    return named[1] if is_here and named else None


def pages(library: str) -> Found:
    """The pages of a library in the order of its index; raises NotFound when it has none on the Hub."""
    name = _checked_page(library)
    try:
        reply = web.get(HUB, f"/docs/{name}/llms.txt", accept="text/plain", check=_links, ttl_s=DAY_S)
    except NotFound as error:
        raise NotFound(f"no index of {name}: {error.wrong}", next_step="hf_docs.py list") from None
    rows = [{"page": page, "title": title, "url": f"{HUB.base}/docs/{page}"} for title, page in _links(reply)]
    return Found(rows, age=reply.age)


def _links(reply: Reply) -> list[tuple[str, str]]:
    found = dict.fromkeys((title, page) for title, page in _LINK.findall(_text(reply)) if _PAGE.fullmatch(page))
    if not found:
        raise _strange("index of pages")
    return list(found)


def search(query: str, library: str | None, limit: int) -> Found:
    """By meaning, else by words, else by the titles of one library's pages. Raises what the first said if all fail."""
    name = _checked_page(library) if library else None
    ways: list[tuple[str, Callable[[], Found]]] = [
        ("the Hub's search by meaning", lambda: _by_meaning(query, name, limit)),
        ("the Hub's search by words", lambda: _by_words(query, name, limit)),
    ]
    if name is not None:
        ways.append(("the titles of its pages", lambda: _by_titles(query, name, limit)))
    faults: list[ResearchError] = []
    warnings: list[str] = []
    for told, way in ways:
        try:
            found = way()
        except (Unavailable, NotFound) as error:
            faults.append(error)
            warnings.append(f"{told} failed: {error.wrong}")
            continue
        if found.rows:
            return Found(found.rows, [*warnings, *found.warnings], found.age)
    if len(faults) == len(ways):
        raise faults[0]
    told = f"only {name} was searched; without --library all documentation is, and hf_docs.py list names the others"
    return Found([], [*warnings, told] if name is not None else warnings)


def _by_meaning(query: str, library: str | None, limit: int) -> Found:
    params = {"q": query, "limit": limit, "product": library}
    reply = web.get(HUB, "/api/docs/search", params, check=_hits)
    rows = [
        _hit(each, each.get("source_page_url"), next((each[key] for key in _HEADINGS if each.get(key)), ""), "text")
        for each in _hits(reply)
    ]
    return Found(rows[:limit], age=reply.age)


def _by_words(query: str, library: str | None, limit: int) -> Found:
    params = {"q": query, "limit": limit, "domain": library}
    reply = web.get(HUB, "/api/docs/search/full-text", params, check=_hits)
    rows = [
        _hit(each, each.get("url"), next((each[key] for key in _LEVELS if each.get(key)), ""), "content")
        for each in _hits(reply)
    ]
    return Found(rows[:limit], age=reply.age)


def _hits(reply: Reply) -> list[dict[str, Any]]:
    found = reply.json()
    hits = found.get("hits") if isinstance(found, dict) else found
    if not isinstance(hits, list) or not all(isinstance(each, dict) for each in hits):
        raise _strange("search")
    return hits


def _hit(found: Mapping[str, Any], url: object, title: object, text: str) -> dict[str, Any]:
    address = str(url or "")
    whole = address if address.startswith("http") else f"{HUB.base}/{address.lstrip('/')}"
    place = re.search(r"/docs/([^?#]+)", address)
    excerpt = " ".join(str(found.get(text) or "").split())
    page = re.sub(r"\.(md|html)$", "", place[1]) if place else None
    return {"page": page, "title": str(title), "url": whole, "excerpt": excerpt[:MOST_EXCERPT]}


def _by_titles(query: str, library: str, limit: int) -> Found:
    index = pages(library)
    wanted = set(_WORD.findall(query.casefold()))
    scored = [(len(wanted & _words(f"{each['title']} {each['page']}")), each) for each in index.rows]
    best = sorted((each for each in scored if each[0]), key=lambda each: -each[0])
    rows = [{**each, "excerpt": ""} for _, each in best[:limit]]
    return Found(rows, ["only the titles of the pages were searched"], index.age)


def _words(text: str) -> set[str]:
    return {part for word in _WORD.findall(text.casefold()) for part in (word, *word.split("_"))}


def page(asked: str) -> Page:
    """One page, cut at its headings. Raises NotFound, or UsageError for an address that is no documentation page."""
    name = _checked_page(_page_of(asked))
    try:
        reply = web.get(HUB, f"/docs/{name}.md", accept="text/markdown", check=_text, most_bytes=MOST_BYTES)
    except NotFound as error:
        step = f"hf_docs.py list {name.split('/')[0]} names its pages"
        raise NotFound(f"no page {name}: {error.wrong}", next_step=step) from None
    text = _ANCHOR.sub("", _text(reply)).strip()
    return Page(name, f"{HUB.base}/docs/{name}", text, text_sections.from_markdown(text), reply.age)


def section(found: Page, wanted: str) -> list[Section]:
    """The section that a number or a part of a title names, with its subsections; raises NotFound."""
    try:
        return text_sections.choose(found.sections, wanted)
    except NotFound as error:
        told = f"{found.name} has no section {shown(wanted)}"
        raise NotFound(told, error.allowed, f"hf_docs.py fetch {found.name}") from None


def _page_of(asked: str) -> str:
    """The page's name in an address of the Hub; raises UsageError for another host."""
    if "://" not in asked:
        return asked
    try:
        place = urlsplit(asked)
    except ValueError:
        raise _no_page(asked) from None
    hosts = (urlsplit(HUB.address).hostname, urlsplit(HUB.base).hostname)
    if place.hostname not in hosts or not place.path.startswith("/docs/"):
        raise _no_page(asked)
    return place.path.removeprefix("/docs/")


def _checked_page(asked: str) -> str:
    name = re.sub(r"\.(md|html)$", "", asked.partition("#")[0].strip("/").removeprefix("docs/"))
    if not _PAGE.fullmatch(name) or len(name) > 200 or any(not part.strip(".") for part in name.split("/")):
        raise _no_page(asked)
    return name


def _no_page(asked: str) -> UsageError:
    return UsageError(f"{shown(asked)} is no page of the documentation", "such as trl/sft_trainer", "hf_docs.py list")


def _text(reply: Reply) -> str:
    """The Markdown; raises Unavailable for a page of a browser, which an error or a login gives."""
    text = reply.text
    if not text.strip() or text.lstrip()[:15].casefold().startswith(("<!doctype", "<html")):
        raise _strange("page")
    return text


def _strange(what: str) -> Unavailable:
    return Unavailable(f"Hugging Face's {what} has another form than expected", next_step=LATER)


def titles(sections: Iterable[Section]) -> list[list[str]]:
    return [[each.number, str(len(each.text)), "  " * (each.level - 1) + each.title] for each in sections]
