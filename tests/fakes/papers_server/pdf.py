"""The smallest PDF that a reader of text understands: one page a section, an outline when titles are given."""

from __future__ import annotations


def document(pages: list[tuple[str, str]], has_outline: bool = True) -> bytes:
    """A PDF of (title, text) pages."""
    count = len(pages)
    first_page, first_mark = 4, 4 + 2 * count
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {'/Outlines 3 0 R' if has_outline else ''} >>",
        f"<< /Type /Pages /Count {count} /Kids [{' '.join(f'{first_page + 2 * n} 0 R' for n in range(count))}] >>",
        f"<< /Type /Outlines /First {first_mark} 0 R /Last {first_mark + count - 1} 0 R /Count {count} >>",
    ]
    for place, (title, text) in enumerate(pages):
        objects += [_page(first_page + 2 * place), _stream(f"{title}. {text}")]
    for place, (title, _) in enumerate(pages if has_outline else []):
        objects.append(_mark(title, place, first_mark, first_page, count))
    return _file(objects)


def _page(own: int) -> str:
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {own + 1} 0 R "
        f"/Resources << /Font << /F1 {font} >> >> >>"
    )


def _stream(text: str) -> str:
    lines = [text[start : start + 80] for start in range(0, len(text), 80)]
    shown = " ".join(f"({_escaped(line)}) Tj 0 -14 Td" for line in lines)
    content = f"BT /F1 11 Tf 40 760 Td {shown} ET"
    return f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"


def _mark(title: str, place: int, first: int, first_page: int, count: int) -> str:
    beside = f"/Prev {first + place - 1} 0 R " if place else ""
    beside += f"/Next {first + place + 1} 0 R " if place < count - 1 else ""
    return f"<< /Title ({_escaped(title)}) /Parent 3 0 R {beside}/Dest [{first_page + 2 * place} 0 R /Fit] >>"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _file(objects: list[str]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1", "replace")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + end.encode() + trailer.encode()
