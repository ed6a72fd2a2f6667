"""Whether findings of a literature search hold: every citation is looked up again, every quote in its source's text.

Owns that check and no search. A source that does not answer says nothing about a citation: it is told as unchecked,
apart from what is absent or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote as quoted

from mlresearch.errors import NotFound, ResearchError, Unavailable
from mlresearch.sources import papers, text_sections, web
from mlresearch.sources.hosts import HUB
from mlresearch.sources.papers_record import PaperId, identify
from mlresearch.sources.reply import checked as judged

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass
class Checked:
    """`resolved` counts citations that were found; `faults` are wrong, `unchecked` could not be looked up."""

    resolved: int = 0
    faults: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def check(answer: Mapping[str, Any]) -> Checked:
    """Look up every citation of an answer that its schema accepts."""
    checked = Checked()
    for number, finding in enumerate(answer["findings"]):
        for place, citation in enumerate(finding["citations"]):
            _check(f"findings.{number}.citations.{place}", citation, checked)
    for number, row in enumerate(answer["recipes"]):
        _check_row(f"recipes.{number}", row, answer["findings"], checked)
    return checked


def _check_row(place: str, row: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], checked: Checked) -> None:
    """Every number of a result stands in a paper that its finding cites."""
    if row["finding"] >= len(findings):
        checked.faults.append(f"{place}.finding: there is no finding {row['finding']}")
        return
    texts = [_whole(each["id"]) for each in findings[row["finding"]]["citations"] if each["kind"] == "paper"]
    if None in texts:
        checked.unchecked.append(f"{place}: a source of its numbers did not answer")
        return
    held = {number for text in texts for number in _NUMBER.findall(text or "")}
    missing = [number for number in _NUMBER.findall(row["result"]) if number not in held]
    if missing and texts:
        checked.faults.append(f"{place}.result: {', '.join(missing)} stands in no paper that finding cites")


def _whole(name: str) -> str | None:
    """A paper's abstract and text; None when no source answers. A wrong id is told at its citation."""
    try:
        paper = identify(name)
        return f"{papers.details(paper).papers[0].abstract or ''}\n{_text(paper)}"
    except NotFound:
        return ""
    except Unavailable:
        return None
    except ResearchError:
        return ""


def _check(place: str, citation: Mapping[str, Any], checked: Checked) -> None:
    try:
        fault = _paper(citation) if citation["kind"] == "paper" else _resource(citation)
    except NotFound as error:
        checked.faults.append(f"{place}: {citation['id']} does not exist ({error.wrong})")
    except Unavailable as error:
        checked.unchecked.append(f"{place}: {error.wrong}")
    except ResearchError as error:
        checked.faults.append(f"{place}: {error.wrong}")
    else:
        if fault:
            checked.faults.append(f"{place}: {fault}")
        elif citation["kind"] in ("paper", "model", "dataset"):
            checked.resolved += 1
        else:
            checked.unchecked.append(f"{place}: a page is not looked up here: {citation['url']}")


def _resource(citation: Mapping[str, Any]) -> str:
    """A model or data set is on the Hub; one that is gated or private for others is there too."""
    if citation["kind"] in ("model", "dataset"):
        reply = web.ask(HUB, f"{HUB.base}/api/{citation['kind']}s/{quoted(citation['id'])}")
        if reply.status in (401, 404):
            raise NotFound(f"the Hub has no {citation['kind']} of this name that everybody may see")
        if reply.status != 403:
            judged(reply)
    return ""


def _paper(citation: Mapping[str, Any]) -> str:
    """What is wrong with a paper's citation; empty when title and quote are the paper's own."""
    name = identify(citation["id"])
    found = papers.details(name).papers[0]
    if not _alike(citation["title"], found.title or ""):
        return f"{citation['id']} is {found.title!r}, not {citation['title']!r}"
    quote = citation["quote"]
    if quote is None:
        return "quote: a paper is cited by its own words"
    if citation["section"] is not None:
        return _misplaced(name, citation["section"], quote)
    if _holds(found.abstract or "", quote) or _holds(_text(name), quote):
        return ""
    return f"quote: {quote[:80]!r} does not stand in {citation['id']}"


def _misplaced(name: PaperId, section: str, quote: str) -> str:
    sections = papers.read(name).sections
    try:
        chosen = text_sections.choose(sections, section)
    except NotFound as error:
        return f"section: {error.wrong}"
    if any(_holds(f"{each.title}\n{each.text}", quote) for each in chosen):
        return ""
    return f"quote: {quote[:80]!r} does not stand in section {section!r}"


def _text(name: PaperId) -> str:
    return "\n".join(f"{section.title}\n{section.text}" for section in papers.read(name).sections)


def _alike(given: str, real: str) -> bool:
    """Titles are compared by their words: capitals, stops and a missing subtitle are no difference."""
    one, other = _words(given), _words(real)
    return bool(one) and (one == other or (len(one.split()) >= 3 and (other.startswith(one) or one.startswith(other))))


def _holds(text: str, quote: str) -> bool:
    return _words(quote) in _words(text)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
