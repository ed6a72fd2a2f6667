"""One paper as every source is read into it, and the ids that name it. Pure: no clock, files or network.

An arXiv id has many spellings (`arXiv:2010.11929v2`, abs and pdf addresses, the DOI 10.48550/arXiv.…, old ids such as
`hep-th/9901001`) and one normal form without version. Refuses to guess an id out of free text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import unquote

from mlresearch.errors import UsageError, shown

MOST_AUTHORS = 8
MOST_ABSTRACT = 2000

_NEW = r"\d{4}\.\d{4,5}"
_OLD = r"[a-z-]+(?:\.[A-Za-z]{2})?/\d{7}"
_ARXIV = re.compile(rf"({_NEW}|{_OLD})(?:v\d+)?(?:\.pdf)?", re.IGNORECASE)
_ARXIV_PLACE = re.compile(r"(?:https?://)?(?:[\w.-]+\.)?arxiv\.org/(?:abs|pdf|html|e-print|src|format)/", re.IGNORECASE)
_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.", re.IGNORECASE)
_HUB_PLACE = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/papers/", re.IGNORECASE)
_DOI_PLACE = re.compile(r"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_S2_PLACE = re.compile(r"(?:https?://)?(?:www\.)?semanticscholar\.org/(?:paper/(?:[^/]*/)?|p/)", re.IGNORECASE)
_S2 = re.compile(r"[0-9a-f]{40}")
_CORPUS = re.compile(r"corpusid:\s*(\d{1,12})", re.IGNORECASE)
_ALEX_PLACE = re.compile(r"(?:https?://)?(?:api\.)?openalex\.org/(?:works/)?", re.IGNORECASE)
_ALEX = re.compile(r"W\d{4,12}", re.IGNORECASE)


@dataclass(frozen=True)
class Paper:
    """None and empty mean that no source said it; counts are the largest that any source told."""

    title: str
    sources: tuple[str, ...]
    authors: tuple[str, ...] = ()
    year: int | None = None
    published: str | None = None
    venue: str | None = None
    abstract: str | None = None
    summary: str | None = None
    arxiv_id: str | None = None
    doi: str | None = None
    s2_id: str | None = None
    openalex_id: str | None = None
    citations: int | None = None
    influential_citations: int | None = None
    upvotes: int | None = None
    code: str | None = None
    pdf_url: str | None = None

    @property
    def key(self) -> str:
        """The best id to ask about this paper with."""
        named = (("", self.arxiv_id), ("doi:", self.doi), ("", self.s2_id), ("", self.openalex_id))
        return next((prefix + value for prefix, value in named if value), "")

    @property
    def url(self) -> str:
        """Where a person reads it; an address that resolves."""
        places = (
            ("https://arxiv.org/abs/", self.arxiv_id),
            ("https://doi.org/", self.doi),
            ("https://www.semanticscholar.org/paper/", self.s2_id),
            ("https://openalex.org/", self.openalex_id),
        )
        return next((place + value for place, value in places if value), "")

    def data(self) -> dict[str, Any]:
        """What an answer shows: without what is not known."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        known = {name: value for name, value in known.items() if value not in (None, "", ())}
        return {"id": self.key, "url": self.url, **known}


@dataclass(frozen=True)
class PaperId:
    """Exactly one of them is set."""

    arxiv: str | None = None
    doi: str | None = None
    s2: str | None = None
    openalex: str | None = None

    @property
    def text(self) -> str:
        return self.arxiv or (f"doi:{self.doi}" if self.doi else "") or self.s2 or self.openalex or ""


def identify(text: str) -> PaperId:
    """The id that a text names; raises UsageError when it names none."""
    given = unquote(text.strip()).rstrip("/")
    given = re.split("[?#]", given)[0] if "://" in given else given
    arxiv = arxiv_id(given)
    doi = None if arxiv else doi_of(given)
    s2, alex = _S2_PLACE.sub("", given, count=1).lower(), _ALEX_PLACE.sub("", given, count=1)
    if arxiv or doi:
        return PaperId(arxiv=arxiv, doi=doi)
    if _S2.fullmatch(s2):
        return PaperId(s2=s2)
    if found := _CORPUS.fullmatch(given):
        return PaperId(s2=f"CorpusId:{found[1]}")
    if _ALEX.fullmatch(alex):
        return PaperId(openalex=alex.upper())
    raise UsageError(
        f"{shown(text)} names no paper",
        "an arXiv id or address, a DOI, a Semantic Scholar id (40 digits, or CorpusId:1), an OpenAlex id such as W2741",
        "papers.py search TITLE",
    )


def arxiv_id(text: str | None) -> str | None:
    """The arXiv id in its normal form, without version; None when the text is none."""
    given = (text or "").strip()
    for place in (_HUB_PLACE, _ARXIV_PLACE, _DOI_PLACE):
        given = place.sub("", given, count=1) if place.match(given) else given
    given = _ARXIV_DOI.sub("", given, count=1) if _ARXIV_DOI.match(given) else given
    given = re.sub(r"^arxiv:\s*", "", given, flags=re.IGNORECASE)
    found = _ARXIV.fullmatch(given.removesuffix(".md"))
    return _without_subject(found[1].lower()) if found else None


def _without_subject(found: str) -> str:
    """`math.GT/0309136` and `math/0309136` are one paper: the archive names it, not the subject."""
    archive, slash, number = found.partition("/")
    return f"{archive.split('.')[0]}/{number}" if slash else found


def doi_of(text: str | None) -> str | None:
    """The DOI in lower case, as DOIs are the same in any case; None for an arXiv one, which is an arXiv id."""
    given = _DOI_PLACE.sub("", (text or "").strip(), count=1).rstrip(".,;").lower()
    return given if _DOI.fullmatch(given) and arxiv_id(given) is None else None


def count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def words(value: object, most: int = 0) -> str | None:
    """A text in one line, cut at `most` letters; None for what is no text or empty."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if most and len(text) > most:
        text = text[: most - 1].rstrip() + "…"
    return text or None
