"""What each service answers about the library, in its documented shape, by path and parameters."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fakes.papers_server import corpus, pdf
from fakes.papers_server.corpus import Work

Params = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    kind: str = "application/json"


def of_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


# Hugging Face ----------------------------------------------------------------------------------------------------


def hub(path: str, params: Params) -> Answer:
    if path == "/api/papers/search":
        return of_json([_hub_row(work) for work in corpus.search(params.get("q", ""), _most(params, 20))])
    if path == "/api/daily_papers":
        ranked = sorted(corpus.WORKS, key=lambda work: -work.upvotes)
        return of_json([_hub_row(work) for work in ranked[: _most(params, 50)]])
    if path.startswith("/api/papers/"):
        work = corpus.find(path.removeprefix("/api/papers/"))
        return of_json(_hub_paper(work)) if work else of_json({"error": "Paper not found"}, 404)
    if path.startswith("/papers/") and path.endswith(".md"):
        work = corpus.find(path[len("/papers/") : -len(".md")])
        if work is None or "md" not in work.forms:
            return of_json({"error": "Paper not found"}, 404)
        return Answer(_markdown(work).encode(), kind="text/markdown; charset=utf-8")
    return _hub_linked(path, params)


def _hub_linked(path: str, params: Params) -> Answer:
    kind = path.removeprefix("/api/")
    work = corpus.find(params.get("filter", "") or params.get("item", "").removeprefix("papers/"))
    if kind == "models":
        return of_json([_hub_model(name) for name in (work.models if work else ())])
    if kind == "datasets":
        return of_json([_hub_dataset(name) for name in (work.datasets if work else ())])
    if kind == "spaces":
        return of_json([])
    if kind == "collections":
        return of_json([_hub_collection(work)] if work else [])
    return of_json({"error": "Sorry, we can't find the page you are looking for."}, 404)


def _hub_paper(work: Work) -> dict[str, Any]:
    people = [{"_id": f"6{place:023}", "name": name, "hidden": False} for place, name in enumerate(work.authors)]
    return {
        "id": work.arxiv,
        "authors": people,
        "publishedAt": f"{work.date}T00:00:00.000Z",
        "title": work.title,
        "summary": work.abstract,
        "upvotes": work.upvotes,
        "discussionId": "6" * 24,
        "ai_keywords": ["fine-tuning"],
        **({"githubRepo": work.code, "githubStars": 100} if work.code else {}),
    }


def _hub_row(work: Work) -> dict[str, Any]:
    return {
        "paper": _hub_paper(work),
        "publishedAt": f"{work.date}T00:00:00.000Z",
        "title": work.title,
        "summary": work.abstract,
        "numComments": 2,
    }


def _hub_model(name: str) -> dict[str, Any]:
    return {
        "_id": "6" * 24,
        "id": name,
        "modelId": name,
        "likes": 12,
        "downloads": 3400,
        "private": False,
        "pipeline_tag": "text-generation",
        "tags": [],
        "createdAt": "2024-01-01T00:00:00.000Z",
    }


def _hub_dataset(name: str) -> dict[str, Any]:
    return {
        "_id": "6" * 24,
        "id": name,
        "author": name.split("/")[0],
        "likes": 30,
        "downloads": 900,
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": [],
        "createdAt": "2024-01-01T00:00:00.000Z",
    }


def _hub_collection(work: Work) -> dict[str, Any]:
    return {
        "slug": f"example-lab/reading-list-{work.s2[:8]}",
        "title": f"Reading list: {work.title}"[:60],
        "owner": {"_id": "6" * 24, "name": "example-lab", "fullname": "Example Lab", "type": "org", "isHf": False},
        "lastUpdated": "2024-06-01T00:00:00.000Z",
        "private": False,
        "theme": "blue",
        "upvotes": 1,
        "items": [],
    }


def _markdown(work: Work) -> str:
    parts = [f"# {work.title}", ", ".join(work.authors), "## Abstract", work.abstract]
    for number, title, text in work.sections:
        parts += [f"{'##' if '.' not in number else '###'} {number} {title}", text]
    return "\n\n".join(parts) + "\n"


# arXiv -----------------------------------------------------------------------------------------------------------


def arxiv(path: str, params: Params) -> Answer:
    start, most = int(params.get("start", "0")), int(params.get("max_results", "10"))
    if params.get("id_list"):
        wanted = [corpus.find(name.split("v")[0]) for name in params["id_list"].split(",")]
        found = [work for work in wanted if work]
    else:
        found = corpus.search(params.get("search_query", "").replace("all:", " ").replace("AND", " "), 100)
    return feed(found[start : start + most], len(found), start)


def feed(works: list[Work], total: int, start: int = 0) -> Answer:
    """An Atom feed; with no works and a total it is the empty page that arXiv sends now and then."""
    entries = "".join(_entry(work) for work in works)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">\n'
        "<title>arXiv Query</title><id>http://arxiv.org/api/x</id><updated>2026-01-01T00:00:00Z</updated>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults>"
        f"<opensearch:startIndex>{start}</opensearch:startIndex>"
        f"<opensearch:itemsPerPage>{len(works)}</opensearch:itemsPerPage>\n{entries}</feed>\n"
    )
    return Answer(text.encode(), kind="application/atom+xml; charset=utf-8")


def _entry(work: Work) -> str:
    people = "".join(f"<author><name>{html.escape(name)}</name></author>" for name in work.authors)
    doi = f"<arxiv:doi>{work.published_doi}</arxiv:doi>" if work.published_doi else ""
    return (
        f"<entry><id>http://arxiv.org/abs/{work.arxiv}v2</id><updated>{work.date}T00:00:00Z</updated>"
        f"<published>{work.date}T00:00:00Z</published><title>{html.escape(work.title)}</title>"
        f"<summary>\n  {html.escape(work.abstract)}\n</summary>{people}{doi}"
        f'<link href="https://arxiv.org/abs/{work.arxiv}v2" rel="alternate" type="text/html"/>'
        f'<link title="pdf" href="https://arxiv.org/pdf/{work.arxiv}v2" rel="related" type="application/pdf"/>'
        '<arxiv:primary_category term="cs.CL"/><category term="cs.CL"/></entry>\n'
    )


def pages(path: str, params: Params) -> Answer:
    form, _, name = path.lstrip("/").partition("/")
    work = corpus.find(name)
    if work is None or form not in work.forms:
        return Answer(b"<html><body><h1>No such page</h1></body></html>", 404, "text/html; charset=utf-8")
    if form == "pdf":
        texts = [(f"{number} {title}", text) for number, title, text in work.sections]
        return Answer(pdf.document(texts), kind="application/pdf")
    return Answer(_html(work).encode(), kind="text/html; charset=utf-8")


def _html(work: Work) -> str:
    parts = [f'<h1 class="ltx_title ltx_title_document">{html.escape(work.title)}</h1>']
    parts.append(f'<div class="ltx_abstract"><h6>Abstract</h6><p class="ltx_p">{html.escape(work.abstract)}</p></div>')
    for number, title, text in work.sections:
        tag = f'<span class="ltx_tag ltx_tag_section">{number} </span>'
        level = "h2" if "." not in number else "h3"
        heading = f'<{level} class="ltx_title">{tag}{html.escape(title)}</{level}>'
        parts.append(
            f'<section id="S{number}" class="ltx_section">{heading}'
            f'<div class="ltx_para"><p class="ltx_p">{html.escape(text)} <math alttext="x^{{2}}"><mi>x</mi></math></p>'
            "</div></section>"
        )
    body = "".join(parts)
    head = "<head><title>t</title><script>var tracking = 1;</script></head>"
    return (
        f'<!DOCTYPE html><html>{head}<body><nav>menu</nav><article class="ltx_document">{body}</article></body></html>'
    )


# Semantic Scholar ------------------------------------------------------------------------------------------------


def s2(path: str, params: Params, body: bytes = b"") -> Answer:
    start, most = int(params.get("offset", "0")), _most(params, 10)
    if path == "/graph/v1/paper/search":
        found = corpus.search(params.get("query", ""), 100)
        return _s2_page([_s2_paper(work) for work in found], start, most, {"total": len(found)})
    if path == "/graph/v1/snippet/search":
        return _s2_snippets(params, most)
    if path == "/recommendations/v1/papers":
        return _s2_recommend(json.loads(body), most)
    name = path.removeprefix("/graph/v1/paper/")
    kind = name.rsplit("/", 1)[-1] if name.endswith(("/citations", "/references")) else ""
    work = corpus.find(name.removesuffix("/" + kind) if kind else name)
    if work is None:
        return of_json({"error": f"Paper with id {name} not found"}, 404)
    if kind:
        return _s2_page(_s2_edges(work, kind), start, most, {})
    return of_json(_s2_paper(work))


def _s2_page(rows: list[dict[str, Any]], start: int, most: int, more: dict[str, Any]) -> Answer:
    following = {"next": start + most} if start + most < len(rows) else {}
    return of_json({**more, "offset": start, **following, "data": rows[start : start + most]})


def _s2_paper(work: Work) -> dict[str, Any]:
    ids = {"ArXiv": work.arxiv, "CorpusId": work.corpus_id, "DOI": work.published_doi or f"10.48550/arXiv.{work.arxiv}"}
    return {
        "paperId": work.s2,
        "externalIds": ids,
        "title": work.title,
        "abstract": work.abstract,
        "venue": work.venue,
        "year": work.year,
        "publicationDate": work.date,
        "authors": [{"authorId": str(place), "name": name} for place, name in enumerate(work.authors)],
        "citationCount": work.citations,
        "influentialCitationCount": work.citations // 20,
        "openAccessPdf": {"url": f"https://arxiv.org/pdf/{work.arxiv}", "status": "GREEN"},
        "tldr": {"model": "tldr@v2.0.0", "text": work.abstract.split(".")[0] + "."},
    }


def _s2_edges(work: Work, kind: str) -> list[dict[str, Any]]:
    if kind == "citations":
        ends = [("citingPaper", other, work.arxiv in other.influential) for other in corpus.citing(work)]
    else:
        ends = [("citedPaper", corpus.BY_ARXIV[name], name in work.influential) for name in work.cites]
    return [
        {
            "contexts": [f"... as in {work.title} ..."],
            "intents": ["methodology"],
            "isInfluential": matters,
            end: _s2_paper(other),
        }
        for end, other, matters in ends
    ]


def _s2_snippets(params: Params, most: int) -> Answer:
    wanted = {work.arxiv for name in params.get("paperIds", "").split(",") if name and (work := corpus.find(name))}
    asked = [word for word in params.get("query", "").lower().split() if len(word) > 2]
    found = []
    for work in corpus.WORKS:
        for _, title, text in work.sections if not wanted or work.arxiv in wanted else ():
            score = sum(word in text.lower() for word in asked)
            if score:
                found.append((score, work, title, text))
    found.sort(key=lambda each: -each[0])
    return of_json({"data": [_s2_snippet(*each) for each in found[:most]], "retrievalVersion": "pa1-v1"})


def _s2_snippet(score: int, work: Work, title: str, text: str) -> dict[str, Any]:
    return {
        "score": score / 10,
        "paper": {
            "corpusId": str(work.corpus_id),
            "title": work.title,
            "authors": list(work.authors),
            "openAccessInfo": {"license": "CCBY", "status": "GREEN", "disclaimer": ""},
        },
        "snippet": {
            "text": text,
            "snippetKind": "body",
            "section": title,
            "snippetOffset": {"start": 0, "end": len(text)},
            "annotations": {"sentences": [], "refMentions": []},
        },
    }


def _s2_recommend(asked: dict[str, Any], most: int) -> Answer:
    like = [work for name in asked["positivePaperIds"] if (work := corpus.find(name))]
    if not like:
        return of_json({"error": "Valid paper ids were not found for the input"}, 404)
    near = [other for work in like for other in (*corpus.citing(work), *(corpus.BY_ARXIV[name] for name in work.cites))]
    unlike = {work for name in asked.get("negativePaperIds", ()) if (work := corpus.find(name))}
    found = [work for work in dict.fromkeys(near) if work not in like and work not in unlike]
    return of_json({"recommendedPapers": [{**_s2_paper(work), "tldr": None} for work in found[:most]]})


# OpenAlex --------------------------------------------------------------------------------------------------------


def openalex(path: str, params: Params) -> Answer:
    if path.startswith("/works/"):
        work = corpus.find(path.removeprefix("/works/"))
        return (
            of_json(_work(work)) if work else Answer(b"<!doctype html><title>404 Not Found</title>", 404, "text/html")
        )
    kind, _, value = params.get("filter", "").partition(":")
    if kind == "cites":
        cited = corpus.find(value)
        found = sorted(corpus.citing(cited) if cited else [], key=lambda work: -work.citations)
    elif kind == "openalex":
        found = [work for name in value.split("|") if (work := corpus.find(name))]
    else:
        found = corpus.search(params.get("search", ""), 100)
    most, page = _most(params, 25, "per-page"), int(params.get("page", "1"))
    meta = {"count": len(found), "db_response_time_ms": 12, "page": page, "per_page": most}
    return of_json({"meta": meta, "results": [_work(work) for work in found[(page - 1) * most : page * most]]})


def _work(work: Work) -> dict[str, Any]:
    """A printed paper stands here under its own DOI alone, so that only its title joins it with the preprint."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(work.abstract.split()):
        places.setdefault(word, []).append(place)
    doi = work.published_doi or f"10.48550/arxiv.{work.arxiv}"
    source = {"display_name": work.venue or "arXiv (Cornell University)"}
    return {
        "id": f"https://openalex.org/{work.openalex}",
        "doi": f"https://doi.org/{doi}",
        "title": work.title,
        "display_name": work.title,
        "publication_year": work.year,
        "publication_date": work.date,
        "ids": {"openalex": f"https://openalex.org/{work.openalex}"},
        "authorships": [{"author": {"display_name": name}, "author_position": "middle"} for name in work.authors],
        "primary_location": {"source": source, "landing_page_url": f"https://doi.org/{doi}", "pdf_url": None},
        "locations": [],
        "cited_by_count": work.citations + 40,
        "abstract_inverted_index": places,
        "referenced_works": [f"https://openalex.org/{corpus.BY_ARXIV[name].openalex}" for name in work.cites],
        "open_access": {"is_oa": True, "oa_url": None},
    }


def _most(params: Params, default: int, name: str = "limit") -> int:
    return min(int(params.get(name, default)), 1000)
