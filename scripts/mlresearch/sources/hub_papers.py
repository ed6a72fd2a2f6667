"""Papers on the Hugging Face Hub through huggingface_hub, over our own transport.

Tried with huggingface_hub 2.4.0: its own client has no time limit, but takes a factory for one. The factory installed
here sends every GET through `web` and refuses anything else, so that this process can only look things up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from mlresearch.errors import ResearchError, Unavailable
from mlresearch.sources import web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.papers_record import MOST_ABSTRACT, MOST_AUTHORS, Paper, arxiv_id, count, words
from mlresearch.sources.reply import LATER, Reply

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    papers: list[Paper]
    age: str


def search(query: str, limit: int) -> Found:
    return _ask(
        lambda api: [_paper(each) for each in itertools.islice(api.list_papers(query=query, limit=limit), limit)]
    )


def details(paper: str) -> Found:
    """One paper by its arXiv id; raises NotFound when the Hub has no page for it."""
    return _ask(lambda api: [_paper(api.paper_info(paper))])


def trending(limit: int, date: str | None, week: str | None, month: str | None) -> Found:
    """The papers of a day, week or month that people vote for; without one, those of now by trend."""
    sort = None if date or week or month else "trending"

    def ask(api: Any) -> list[Paper]:
        found = api.list_daily_papers(date=date, week=week, month=month, sort=sort, limit=limit)
        return [_paper(each) for each in itertools.islice(found, limit)]

    return _ask(ask)


def markdown(paper: str) -> tuple[str, str]:
    """The paper's text as Markdown and the age of the answer; raises NotFound."""
    transport = _Transport()
    return _bounded(transport, lambda api: api.read_paper(paper)), transport.age


def linked(paper: str, limit: int) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """Models, data sets, collections and spaces that name this paper, the most downloaded or liked first."""
    transport = _Transport()

    def ask(api: Any) -> dict[str, list[dict[str, Any]]]:
        tag, first = f"arxiv:{paper}", itertools.islice
        models = api.list_models(filter=tag, sort="downloads", limit=limit)
        datasets = api.list_datasets(filter=tag, sort="downloads", limit=limit)
        spaces = api.list_spaces(filter=tag, sort="likes", limit=limit)
        collections = api.list_collections(item=f"papers/{paper}", limit=limit)
        return {
            "models": [_repo(each) for each in first(models, limit)],
            "datasets": [_repo(each) for each in first(datasets, limit)],
            "spaces": [_repo(each) for each in first(spaces, limit)],
            "collections": [{"slug": each.slug, "title": each.title} for each in first(collections, limit)],
        }

    return _bounded(transport, ask), transport.age


def _repo(found: Any) -> dict[str, Any]:
    named = {"downloads": getattr(found, "downloads", None), "likes": found.likes, "task": _task(found)}
    return {"id": found.id, **{name: value for name, value in named.items() if value is not None}}


def _task(found: Any) -> str | None:
    return words(getattr(found, "pipeline_tag", None))


def _ask(ask: Callable[[Any], list[Paper]]) -> Found:
    transport = _Transport()
    return Found(_bounded(transport, ask), transport.age)


def _bounded(transport: _Transport, ask: Callable[[Any], T]) -> T:
    """Call the library; whatever it makes of an answer that it does not understand is Unavailable."""
    import huggingface_hub
    from huggingface_hub.utils import _http

    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=transport))
    try:
        return ask(huggingface_hub.HfApi(endpoint=HUB.base, token=False))
    except ResearchError:
        raise
    except Exception as error:  # its readers raise anything from KeyError to StrictDataclassFieldValidationError
        wrong = f"Hugging Face answered what can not be read ({type(error).__name__})"
        raise Unavailable(wrong, next_step=LATER) from None
    finally:  # a backend of the same process talks to its service without `web`
        huggingface_hub.set_client_factory(_http.default_client_factory)


class _Transport(httpx2.BaseTransport):
    """Hands the library's requests to `web`. Keys are added there, so that none travels through the library."""

    def __init__(self) -> None:
        self.age = ""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        place = str(request.url)
        if request.method != "GET" or not place.startswith(HUB.base + "/"):
            raise Unavailable("only reads from the Hub are allowed here")
        path = place[len(HUB.base) :]
        is_text = request.url.path.endswith(".md")
        reply = web.get(HUB, path, accept="text/markdown" if is_text else "application/json", check=_check(is_text))
        self.age = self.age or reply.age
        return httpx2.Response(reply.status, content=reply.body, headers={"content-type": reply.kind})


def _check(is_text: bool) -> Callable[[Reply], object]:
    return _has_text if is_text else _has_rows


def _has_text(reply: Reply) -> None:
    """Raises Unavailable for a page that is no paper's text, so that it is not kept either."""
    text = reply.text.lstrip()
    if not text or text[:200].lower().startswith(("<!doctype", "<html")):
        raise Unavailable("Hugging Face has no text of this paper", next_step=LATER)


def _has_rows(reply: Reply) -> None:
    value = reply.json()
    if not isinstance(value, dict | list) or (isinstance(value, dict) and "error" in value):
        raise Unavailable("Hugging Face answered in an unknown form", next_step=LATER)


def _paper(found: Any) -> Paper:
    return Paper(
        title=words(found.title or getattr(found, "paper", {}).get("title")) or "(no title)",
        sources=("hf",),
        authors=tuple(name for author in _rows(found.authors) if (name := words(author.name)))[:MOST_AUTHORS],
        year=found.published_at.year if found.published_at else None,
        published=found.published_at.date().isoformat() if found.published_at else None,
        abstract=words(found.summary, MOST_ABSTRACT),
        summary=words(found.ai_summary),
        arxiv_id=arxiv_id(words(found.id)),
        upvotes=count(found.upvotes),
        code=words(found.github_repo),
    )


def _rows(value: Iterable[Any] | None) -> list[Any]:
    return list(value or [])
