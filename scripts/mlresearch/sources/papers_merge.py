"""Makes one list of several: each paper once, the fullest record, the best ranks first. Pure.

Two records are one paper when they share an arXiv id, a DOI or a source's own id; else when their titles agree once
case, accents and punctuation are gone, their years are at most one apart, and no id speaks against it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

from mlresearch.sources.papers_record import Paper

# shorter titles, such as "Introduction", name too many papers
SHORTEST_TITLE = 12
# how quickly a rank loses weight; the usual constant of reciprocal rank fusion (Cormack et al. 2009)
RANK_CONSTANT = 60
_IDS = ("arxiv_id", "doi", "s2_id", "openalex_id")


@dataclass(frozen=True)
class _Ranked:
    paper: Paper
    score: float


_Group = list[_Ranked]


def merged(lists: Iterable[Sequence[Paper]]) -> list[Paper]:
    """Every paper of the lists once, by reciprocal rank fusion; the order within a list is its source's ranking."""
    groups: list[_Group] = []
    for found in lists:
        for rank, paper in enumerate(found):
            _join_by_id(groups, _Ranked(paper, 1 / (RANK_CONSTANT + rank)))
    same: list[_Group] = []
    for group in groups:
        home = next((held for held in same if _same_title(held, group)), None)
        if home is None:
            same.append(group)
        else:
            home.extend(group)
    scored = [(sum(each.score for each in group), as_one([each.paper for each in group])) for group in same]
    return [paper for _, paper in sorted(scored, key=lambda each: -each[0])]


def normal_title(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).casefold()
    return " ".join(re.findall(r"\w+", "".join(letter for letter in plain if not unicodedata.combining(letter))))


def _join_by_id(groups: list[_Group], entry: _Ranked) -> None:
    """Put an entry into every group it belongs to: it may be the link between two that nothing joined before."""
    held = [group for group in groups if any(_shares_id(entry.paper, other.paper) for other in group)]
    whole = [each for group in held for each in group] + [entry]
    for group in held:
        groups.remove(group)
    groups.append(whole)


def _shares_id(one: Paper, other: Paper) -> bool:
    return any(getattr(one, name) and getattr(one, name) == getattr(other, name) for name in _IDS)


def _same_title(group: _Group, other: _Group) -> bool:
    """Whether two groups are one paper by its title, with nothing in any of their records against it."""
    one, two = group[0].paper, other[0].paper
    title = normal_title(one.title)
    if len(title) < SHORTEST_TITLE or title != normal_title(two.title):
        return False
    years = [each.paper.year for each in (*group, *other) if each.paper.year is not None]
    if years and max(years) - min(years) > 1:
        return False
    # a source may hold a preprint and its publication under two ids of its own; an arXiv id and a DOI name one work
    return all(len({getattr(each.paper, name) for each in (*group, *other)} - {None}) <= 1 for name in _IDS[:2])


def as_one(papers: Sequence[Paper]) -> Paper:
    """Records of one paper as one: the first, completed by the others; the largest counts, the longest abstract."""
    first = papers[0]
    changes: dict[str, object] = {}
    for each in fields(Paper):
        values = [getattr(paper, each.name) for paper in papers if getattr(paper, each.name) not in (None, "", ())]
        if values:
            changes[each.name] = _best(each.name, values)
    changes["sources"] = tuple(dict.fromkeys(source for paper in papers for source in paper.sources))
    return replace(first, **changes)  # type: ignore[arg-type]


def _best(name: str, values: list[object]) -> object:
    if name in ("citations", "influential_citations", "upvotes"):
        return max(values, key=lambda value: int(str(value)))
    if name in ("abstract", "authors"):
        return max(values, key=lambda value: len(value) if isinstance(value, (str, tuple)) else 0)
    return values[0]
