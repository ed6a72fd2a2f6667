"""The HTML report and its drawings, parsed as a browser would."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mlresearch.report.page import page
from mlresearch.report.summary import summary
from report.book import BASE, HOSTILE, PROGRAM, Book, campaign

TAGS = """
html head meta title style body main h1 h2 p span b i code dl div dt dd figure figcaption svg path circle rect
line text table thead tbody tr th td details summary ul li footer
"""
LOADING = {"src", "href", "xlink:href", "srcset", "action", "ping", "background", "data", "poster", "formaction"}
SPACE = "https://huggingface.co/spaces/ada/run-curves"


class Page(HTMLParser):
    """What a browser would see: tags, attributes and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.rows = "", 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def drawings(source: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(drawing) for drawing in re.findall(r"<svg.*?</svg>", source, re.DOTALL)]


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    book = campaign()
    book.experiment("e0005", 0.95, hypothesis=HOSTILE)
    book.plan(HOSTILE, HOSTILE, lever=HOSTILE, at=HOSTILE)
    book.row("stopped", reason=HOSTILE, message=HOSTILE)
    seen = Page(page(book.rows, {"goal": {"metric": HOSTILE, "direction": "maximize"}}))
    assert {tag for tag, _ in seen.tags} <= set(TAGS.split())
    for _, attributes in seen.tags:
        assert not LOADING & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert '<script>alert("x")</script>' in seen.text
    assert "\u202e" not in seen.text


def test_the_only_link_leads_to_the_space_that_the_program_chose() -> None:
    book = campaign()
    book.experiment("e0005", 0.95, hypothesis=HOSTILE)
    chosen = {**PROGRAM, "run": {"backend": "hf", "tracking": "space:ada/run-curves"}}
    seen = Page(page(book.rows, chosen))
    assert {tag for tag, _ in seen.tags} <= {*TAGS.split(), "a"}
    assert seen.named("a") == [{"href": SPACE, "rel": "noopener noreferrer"}]
    for tag, attributes in seen.tags:
        assert tag == "a" or not LOADING & set(attributes)
    assert f"<{SPACE}>" in summary(book.rows, chosen)


@pytest.mark.parametrize(
    ("run", "place"),
    [
        ({"backend": "local", "tracking": "local"}, "TRACKIO_DIR=runs/trackio trackio show"),
        ({"backend": "hf", "tracking": "local"}, "jobs.py logs --job J"),
        ({"backend": "hf", "tracking": f"space:{HOSTILE}"}, "jobs.py logs --job J"),
    ],
    ids=["this machine", "a job's log", "no Space at all"],
)
def test_curves_without_a_space_are_told_and_not_linked(run: dict[str, str], place: str) -> None:
    rows = campaign().rows
    seen = Page(page(rows, {**PROGRAM, "run": run}))
    assert place in seen.text
    assert f"`{place}`" in summary(rows, {**PROGRAM, "run": run})
    assert not seen.named("a")


def test_no_curves_are_promised_before_a_job_has_ended() -> None:
    chosen = {**PROGRAM, "run": {"backend": "hf", "tracking": "space:ada/run-curves"}}
    assert SPACE not in page(Book().rows, chosen) + summary(Book().rows, chosen)


def test_every_experiment_is_in_both_tables_and_in_the_plot() -> None:
    book = campaign()
    source, told = page(book.rows, PROGRAM), summary(book.rows, PROGRAM)
    trajectory = ElementTree.tostring(drawings(source)[0], encoding="unicode")
    for name in ("e0001", "e0002", "e0003", "e0004"):
        assert f'<td class="mono">{name}</td>' in source
        assert f"| {name} |" in told
        assert f"<title>{name} " in trajectory


def test_the_incumbent_line_climbs_in_the_order_of_decisions() -> None:
    book = Book()
    book.baseline(BASE)
    book.plan("e0001", "slow")
    book.experiment("e0002", 0.974, (0.9722, 0.9750, 0.9694))
    book.job("e0001", "screen", 0.95)
    book.decide("e0001", "discard", "below_screen", None, -0.02)
    titles = [title for title in drawings(page(book.rows, PROGRAM))[0].itertext() if title.startswith("e000")]
    assert titles[-1].startswith("e0001")


def test_a_diverged_run_does_not_flatten_the_plot() -> None:
    book = campaign()
    for index in range(5, 15):
        book.experiment(f"e{index:04d}", 0.95 + index / 5000)
    book.experiment("e0099", 0.0001)
    drawing = drawings(page(book.rows, PROGRAM))[0]
    assert any("e0099" in title and "beyond the axis" in title for title in drawing.itertext())
    axis = [float(text) for text in drawing.itertext() if re.fullmatch(r"0\.\d{4}", text)]
    assert len(axis) >= 4
    assert min(axis) > 0.8


def test_many_tested_changes_draw_the_confirmed_ones_only() -> None:
    book = campaign()
    for index in range(100, 170):
        book.experiment(f"e{index:04d}", book.best + 0.01, (book.best, book.best + 0.0002, book.best - 0.0001))
    drawing = drawings(page(book.rows, PROGRAM))[8]
    assert drawing.get("aria-label") == "Gains on fresh seeds with their intervals"
    assert [text for text in drawing.itertext() if re.fullmatch(r"e\d{4}", text)] == ["e0004"]


def test_free_campaigns_draw_a_flat_spend() -> None:
    source = page(campaign().rows, PROGRAM)
    assert "spend: $0.00" in source


def test_a_thousand_experiments_are_all_told() -> None:
    book = Book()
    book.baseline(BASE)
    rng = random.Random(3)
    for index in range(1000):
        value = rng.gauss(book.best, book.sigma)
        book.experiment(f"e{index:04d}", value, [rng.gauss(0.9527, book.sigma) for _ in range(3)])
    source = page(book.rows, PROGRAM)
    assert "Experiments: 1,000" in source
    assert len(re.findall(r'<td class="mono">e\d{4}</td>', source)) >= 1000
    assert len(source) < 2_000_000
    assert drawings(source)


def test_every_drawing_is_well_formed_and_inside_its_frame() -> None:
    found = drawings(page(campaign(price_micro=15_000).rows, PROGRAM))
    large = [drawing for drawing in found if drawing.get("viewBox", "").startswith("0 0 960")]
    assert len(large) == 3
    for drawing in large:
        height = float(drawing.get("viewBox", "").split()[3])
        for mark in drawing.iter("circle"):
            assert 0 <= float(mark.get("cx", "nan")) <= 960
            assert 0 <= float(mark.get("cy", "nan")) <= height
        assert "nan" not in ElementTree.tostring(drawing, encoding="unicode")
