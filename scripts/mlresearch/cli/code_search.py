"""code_search.py: code on GitHub. Prints what was found, by which way, and what could not be seen without a token."""

from __future__ import annotations

from typing import Any

from mlresearch.cli import Answer, look_up, number, table
from mlresearch.errors import Unavailable, UsageError
from mlresearch.options import Values
from mlresearch.sources import code_github, code_text

LIMIT = 10
MOST = 50


def find(values: Values) -> Answer:
    query, repo = _words(values), values.text("repo")
    if not query:
        raise UsageError("the query is empty", "at least one word")
    limit = number(values, "limit", LIMIT, 1, MOST)
    found = code_github.find(query, repo, values.text("language"), values.text("path"), limit)
    data = {"query": query, "count": len(found.rows), "total": found.total, "results": found.rows}
    data |= {"note": found.note, "cached": found.age}
    told = []
    for each in found.rows:
        told += [
            f"{each['repo']} {each['path']}",
            *("    " + line for text in each["fragments"] for line in _cut(text)),
        ]
    return Answer(data, "\n".join([*(told or ["nothing found"]), *_note(found.note)]))


def _cut(text: str) -> list[str]:
    return text.splitlines()[:12]


def read(values: Values) -> Answer:
    repo, path, span = values.need("repo"), values.need("path"), code_text.span(values.text("lines"))
    found = code_github.read(repo, path, values.text("ref"))
    data: dict[str, Any] = {"repo": repo, "path": path, "url": found.url, "from": found.way, "cached": found.age}
    if found.entries is not None:
        rows = [[each["type"], str(each["size"] or ""), each["path"]] for each in found.entries]
        return Answer({**data, "entries": found.entries}, table(rows, ["", "bytes", "path"]))
    text = code_text.readable(path, found.body)
    if text is None:
        raise Unavailable(f"{path} is no text ({len(found.body)} bytes)", next_step=f"open {found.url}")
    part = code_text.lines(text, span)
    notebook = ["(a notebook: its cells as text, numbered here)"] if path.casefold().endswith(".ipynb") else []
    return Answer({**data, **part.data()}, "\n".join([*notebook, part.numbered(), f"from {found.way}"]))


def repos(values: Values) -> Answer:
    query, owner = _words(values), values.text("org")
    if not query and owner is None:
        raise UsageError("neither a query nor --org is given", "one of them, or both")
    sort = values.text("sort") or "stars"
    found = code_github.repositories(query, owner, sort, number(values, "limit", LIMIT, 1, MOST))
    data = {"count": len(found.rows), "total": found.total, "repositories": found.rows, "cached": found.age}
    rows = [[each["repo"], str(each["stars"]), each["updated"][:10], each["description"][:80]] for each in found.rows]
    return Answer(data, table(rows, ["repository", "stars", "pushed", "about"]) if rows else "nothing found")


def _words(values: Values) -> str:
    return " ".join(" ".join(values.many("query")).split())


def _note(note: str) -> list[str]:
    return [f"note: {note}"] if note else []


HANDLERS = {
    "find": find,
    "read": read,
    "repos": repos,
}


def run(argv: list[str] | None = None) -> int:
    return look_up("code_search.py", HANDLERS, argv)
