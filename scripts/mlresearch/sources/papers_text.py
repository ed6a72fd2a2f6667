"""The text of a paper cut into sections: from arXiv's HTML, from a PDF. Pure but for the PDF's clock.

Refuses to guess: a PDF without an outline is cut at its pages, and says so by the titles of its sections.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Iterable
from typing import Any

from mlresearch.errors import Unavailable
from mlresearch.sources.text_sections import Section, numbered

MOST_PAGES = 200
PDF_LIMIT_S = 60.0


def from_html(page: bytes) -> list[Section]:
    """Sections of a page that arXiv made with LaTeXML; formulas are given as their TeX."""
    import lxml.etree
    import lxml.html

    try:
        root = lxml.html.document_fromstring(page, parser=lxml.html.HTMLParser(encoding="utf-8"))
    except (lxml.etree.LxmlError, ValueError):
        raise Unavailable("arXiv's HTML of this paper can not be read") from None
    for formula in root.iter("math"):
        _become_text(formula, formula.get("alttext") or "")
    for dropped in list(root.iter("script", "style", "nav", "footer")):
        dropped.drop_tree()
    marked = root.xpath("//article//*[self::h1 or self::h2 or self::h3 or self::h4 or self::h5 or self::h6]")
    if not marked:
        raise Unavailable("arXiv's HTML of this paper has no sections")
    body = root.xpath("//article")[0]
    return numbered(_html_parts(body))


def _become_text(element: Any, text: str) -> None:
    tail, parent, before = element.tail or "", element.getparent(), element.getprevious()
    if parent is None:
        return
    parent.remove(element)
    if before is not None:
        before.tail = (before.tail or "") + text + tail
    else:
        parent.text = (parent.text or "") + text + tail


def _html_parts(body: Any) -> Iterable[tuple[str, int, str]]:
    """Title, level and text between one heading and the next, in the order of the page."""
    title, level, lines = "(front)", 1, list[str]()
    for element in body.iter():
        tag = element.tag if isinstance(element.tag, str) else ""
        if re.fullmatch("h[1-6]", tag):
            yield title, level, "\n\n".join(lines)
            title, level, lines = _flat(element), int(tag[1]), []
        elif tag in ("p", "td", "th", "li", "figcaption", "pre") and not _inside_paragraph(element):
            lines.append(_flat(element))
    yield title, level, "\n\n".join(line for line in lines if line)


def _inside_paragraph(element: Any) -> bool:
    return any(above.tag in ("p", "li", "figcaption", "pre", "td", "th") for above in element.iterancestors())


def _flat(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def from_pdf(content: bytes) -> list[Section]:
    """Sections by the outline's first page numbers, else one section a page; raises Unavailable for a broken file.

    The library has no time limit, so that it is looked at between pages.
    """
    import pypdf

    # what it finds odd goes to stderr otherwise, where one line stands for one fault
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    deadline = time.monotonic() + PDF_LIMIT_S
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        pages = []
        for page in reader.pages[:MOST_PAGES]:
            if time.monotonic() > deadline:
                raise Unavailable(f"the PDF takes longer than {PDF_LIMIT_S:.0f} s to read")
            pages.append(page.extract_text())
        marks = _marks(reader)
    except Unavailable:
        raise
    except Exception as error:  # a broken PDF raises whatever the part that was hit raises
        raise Unavailable(f"the PDF can not be read ({type(error).__name__})") from None
    if not any(page.strip() for page in pages):
        raise Unavailable("the PDF holds no text, only pictures")
    return numbered(_pdf_parts(pages, marks))


def _marks(reader: Any) -> list[tuple[int, str]]:
    """Page and title of the outline's top entries."""
    marks = [
        (reader.get_destination_page_number(entry), str(entry.title).strip())
        for entry in reader.outline
        if not isinstance(entry, list)
    ]
    return sorted((page, title) for page, title in marks if isinstance(page, int) and page >= 0 and title)


def _pdf_parts(pages: list[str], marks: list[tuple[int, str]]) -> Iterable[tuple[str, int, str]]:
    if not marks:
        yield from ((f"page {place}", 1, text.strip()) for place, text in enumerate(pages, 1))
        return
    yield "(front)", 1, "\n".join(pages[: marks[0][0]]).strip()
    # two sections may begin on one page; each is given its pages whole
    for (start, title), (end, _) in zip(marks, [*marks[1:], (len(pages), "")], strict=True):
        yield title, 1, "\n".join(pages[start : max(end, start + 1)]).strip()
