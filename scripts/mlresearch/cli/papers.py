"""papers.py: find, read and follow papers. Prints what the sources said, how old it is, and which are missing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlresearch import schema
from mlresearch.cli import Answer, look_up, number, table
from mlresearch.errors import UsageError, shown
from mlresearch.options import Values
from mlresearch.sources import findings, papers, text_sections
from mlresearch.sources.papers import Papers
from mlresearch.sources.papers_record import PaperId, identify

LIMIT = 10
FEW = 3  # words that a search may have before their number is the likely reason for no result
_DATES = {"date": r"\d{4}-\d{2}-\d{2}", "week": r"\d{4}-W\d{2}", "month": r"\d{4}-\d{2}"}


def search(values: Values) -> Answer:
    query = _query(values)
    sources = tuple(dict.fromkeys(values.many("source"))) or papers.SOURCES
    found = papers.search(query, sources, number(values, "limit", LIMIT))
    if not found.papers and len(query.split()) > FEW:
        found.warnings.append("no paper holds all these words: search with fewer, or ask `snippets` the whole question")
    return _listed(found, {"query": query})


def details(values: Values) -> Answer:
    found = papers.details(_paper(values))
    paper = found.papers[0].data()
    data = {"paper": paper, "warnings": found.warnings, "cached": found.ages}
    return Answer(data, "\n".join([*_lines(paper), *_notes(found.warnings, found.ages)]))


def read(values: Values) -> Answer:
    text = papers.read(_paper(values))
    data: dict[str, Any] = {"paper": text.paper, "from": text.origin, "url": text.url, "cached": text.age}
    data["warnings"] = text.warnings
    wanted = values.many("section")
    if not wanted:
        data["sections"] = [section.head() for section in text.sections]
        rows = [[each.number, str(len(each.text)), each.title] for each in text.sections]
        return Answer(data, "\n".join([table(rows, ["section", "letters", "title"]), *_notes(text.warnings, {})]))
    chosen = list(dict.fromkeys(each for name in wanted for each in text_sections.choose(text.sections, name)))
    data["sections"] = [{**section.head(), "text": section.text} for section in chosen]
    shown_ = [f"{each.number} {each.title}\n\n{each.text}" for each in chosen]
    return Answer(data, "\n\n".join(shown_))


def cites(values: Values) -> Answer:
    return _graph(values, "citations")


def references(values: Values) -> Answer:
    return _graph(values, "references")


def snippets(values: Values) -> Answer:
    within = values.text("paper")
    paper = identify(within) if within else None
    found, age = papers.snippets(_query(values), number(values, "limit", LIMIT), paper)
    told = [f"{each['title']} ({each['id']}), {each['section']}:\n  {each['text']}" for each in found]
    return Answer({"snippets": found, "count": len(found), "cached": age}, "\n".join(told) or "nothing found")


def recommend(values: Values) -> Answer:
    like = [identify(each) for each in values.many("paper")]
    unlike = [identify(each) for each in values.many("unlike")]
    return _listed(papers.recommend(like, unlike, number(values, "limit", LIMIT)), {})


def linked(values: Values) -> Answer:
    paper = _paper(values)
    found, age = papers.linked(paper, number(values, "limit", LIMIT))
    told = [f"{kind}: {each.get('id') or each.get('slug')}" for kind, rows in found.items() for each in rows]
    return Answer(
        {"paper": paper.text, **found, "cached": age}, "\n".join(told) or "nothing on the Hub names this paper"
    )


def trending(values: Values) -> Answer:
    given = {name: values.text(name) for name in _DATES}
    for name, value in given.items():
        if value and not re.fullmatch(_DATES[name], value):
            raise UsageError(f"--{name} is {shown(value)}", _DATES[name].replace(r"\d", "d"))
    limit = number(values, "limit", LIMIT)
    return _listed(papers.trending(limit, given["date"], given["week"], given["month"]), {})


def check(values: Values) -> Answer:
    """Exit 1 when a citation or the form is at fault; what no source could confirm is told apart."""
    name = values.need("file")
    answer = _json(name)
    faults = schema.faults("findings", answer)
    if faults:
        raise UsageError(f"{name}: " + " | ".join(faults), "the form of findings.schema.json", "mend the file")
    done = findings.check(answer)
    data = {"resolved": done.resolved, "faults": done.faults, "unchecked": done.unchecked}
    told = [
        f"{done.resolved} citations resolve, title and quote compared",
        *done.faults,
        *(f"unchecked: {each}" for each in done.unchecked),
    ]
    return Answer(data, "\n".join(told), 1 if done.faults else 0)


def _json(name: str) -> Any:
    try:
        return json.loads(Path(name).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown(name)} can not be read as JSON: {error}", "a findings file") from None


def keys(values: Values) -> Answer:
    found = papers.keys()
    told = [f"{name}: {'present' if is_there else 'absent'}" for name, is_there in found.items()]
    return Answer({"keys": found}, "\n".join([*told, "all are optional; without one a source answers less often"]))


def _graph(values: Values, kind: str) -> Answer:
    limit, start = number(values, "limit", LIMIT), number(values, "offset", 0, 0, 10_000)
    found = papers.graph(_paper(values), kind, limit, start, values.flag("influential"), values.text("source"))
    data = {
        kind: found.edges,
        "count": len(found.edges),
        "next_offset": found.next,
        "source": found.source,
        "warnings": found.warnings,
        "cached": found.age,
    }
    more = [] if found.next is None else [f"more: --offset {found.next}"]
    return Answer(data, "\n".join([_table(found.edges), *more, *_notes(found.warnings, {})]))


def _listed(found: Papers, more: Mapping[str, Any]) -> Answer:
    rows = [paper.data() for paper in found.papers]
    data = {**more, "count": len(rows), "papers": rows, "warnings": found.warnings, "cached": found.ages}
    return Answer(data, "\n".join([_table(rows), *_notes(found.warnings, found.ages)]))


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing found"
    cells = [[row["id"], str(row.get("year", "")), str(row.get("citations", "")), row["title"]] for row in rows]
    return table(cells, ["id", "year", "cited", "title"])


def _lines(paper: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {', '.join(value) if isinstance(value, tuple) else value}" for name, value in paper.items()]


def _notes(warnings: Sequence[str], ages: Mapping[str, str]) -> list[str]:
    return [*(f"warning: {each}" for each in warnings), *(f"{name}: {age}" for name, age in ages.items())]


def _query(values: Values) -> str:
    query = " ".join(" ".join(values.many("query")).split())
    if not query:
        raise UsageError("the query is empty", "at least one word")
    return query


def _paper(values: Values) -> PaperId:
    return identify(values.need("paper"))


HANDLERS = {
    "search": search,
    "details": details,
    "read": read,
    "cites": cites,
    "references": references,
    "snippets": snippets,
    "recommend": recommend,
    "linked": linked,
    "trending": trending,
    "check": check,
    "keys": keys,
}


def run(argv: list[str] | None = None) -> int:
    return look_up("papers.py", HANDLERS, argv)
