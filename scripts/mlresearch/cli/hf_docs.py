"""hf_docs.py: what the documentation of Hugging Face libraries and of the Hub's REST API says, and how old it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlresearch.cli import Answer, look_up, number, table
from mlresearch.errors import UsageError
from mlresearch.options import Values
from mlresearch.sources import docs, docs_api

LIMIT = 10
MOST = 50
# letters of a page that is shown whole, and of one section
WHOLE = 24_000
MOST_TEXT = 60_000
DETAILED = 4


def list_(values: Values) -> Answer:
    library = values.text("library")
    if library is not None:
        found = docs.pages(library)
        rows = [[each["page"], each["title"]] for each in found.rows]
        data = {"library": library, "count": len(rows), "pages": found.rows, "cached": found.age}
        return Answer(data, table(rows, ["page", "title"]))
    found = docs.libraries()
    rows = [[each["library"] or "-", each["category"], each["url"]] for each in found.rows]
    data = {"count": len(rows), "libraries": found.rows, "cached": found.age}
    return Answer(data, table(rows, ["library", "category", "address"]))


def search(values: Values) -> Answer:
    query = " ".join(" ".join(values.many("query")).split())
    if not query:
        raise UsageError("the query is empty", "at least one word")
    found = docs.search(query, values.text("library"), number(values, "limit", LIMIT, 1, MOST))
    data = {"query": query, "count": len(found.rows), "results": found.rows}
    data |= {"warnings": found.warnings, "cached": found.age}
    told = [f"{each['page'] or each['url']}: {each['title']}\n  {each['excerpt']}".rstrip() for each in found.rows]
    return Answer(data, "\n".join([*(told or ["nothing found"]), *(f"warning: {each}" for each in found.warnings)]))


def fetch(values: Values) -> Answer:
    page, wanted = docs.page(values.need("page")), values.text("section")
    contents = [each.head() for each in page.sections]
    data: dict[str, Any] = {"page": page.name, "url": page.url, "cached": page.age, "contents": contents}
    if wanted is None and len(page.text) > WHOLE:
        told = f"{page.name} has {len(page.text)} letters; choose one with --section"
        rows = table(docs.titles(page.sections), ["section", "letters", "title"])
        return Answer({**data, "text": None, "note": told}, f"{rows}\n{told}")
    chosen = docs.section(page, wanted) if wanted is not None else []
    text = "\n\n".join(f"{'#' * each.level} {each.title}\n\n{each.text}".rstrip() for each in chosen) or page.text
    data |= {"text": text[:MOST_TEXT], "truncated": len(text) > MOST_TEXT}
    cut = [f"… {len(text) - MOST_TEXT} more letters; choose a subsection"] if len(text) > MOST_TEXT else []
    return Answer(data, "\n".join([text[:MOST_TEXT], *cut]))


def api(values: Values) -> Answer:
    query, tag = " ".join(values.many("query")), values.text("tag")
    found = docs_api.endpoints(query, tag, number(values, "limit", LIMIT, 1, MOST))
    if not query.strip() and tag is None:
        rows = [[str(count), name] for name, count in found.tags.items()]
        data: dict[str, Any] = {"tags": found.tags, "endpoints": found.matched, "cached": found.age}
        return Answer(data, table(rows, ["endpoints", "tag"]))
    data = {"count": len(found.rows), "matched": found.matched, "endpoints": found.rows, "cached": found.age}
    if not found.rows:
        return Answer(data, f"no endpoint fits; tags: {', '.join(found.tags)}")
    if len(found.rows) <= DETAILED:
        return Answer(data, "\n\n".join(map(_endpoint, found.rows)))
    lines = table([[each["method"], each["path"], each["summary"][:80]] for each in found.rows], ["", "path", "does"])
    return Answer(data, f"{lines}\n{found.matched} fit; details with a narrower query, or with --json")


def _endpoint(found: Mapping[str, Any]) -> str:
    lines = [f"{found['method']} {found['path']}  ({', '.join(found['tags'])})", f"  {found['summary']}"]
    for each in found["parameters"]:
        need = ", required" if each["required"] else ""
        lines.append(f"  {each['name']} ({each['in']}, {each['type']}{need}) {each['description']}".rstrip())
    lines += [f"  body {name}: {kind}" for name, kind in found["body"].items()]
    return "\n".join(
        [*lines, f"  answers {', '.join(f'{code} {told}'.strip() for code, told in found['answers'].items())}"]
    )


HANDLERS = {
    "list": list_,
    "search": search,
    "fetch": fetch,
    "api": api,
}


def run(argv: list[str] | None = None) -> int:
    return look_up("hf_docs.py", HANDLERS, argv)
