"""Draws a story as inline SVG: trajectory, spend over time, gains with their intervals.

Knows coordinates and classes only; colours belong to the page's style sheet, so that light and dark need one
drawing. Every mark carries its numbers in a `<title>`, and no state is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mlresearch import durations, money
from mlresearch.report import wording
from mlresearch.report.story import Baseline, Experiment, Spend, Story
from mlresearch.report.wording import escaped, number, signed, span

WIDTH = 960
LEFT, RIGHT = 72, 20
# a diverged run must not flatten the rest: more quartile ranges off on the worse side, points sit on the edge
FAR = 3.0
# two screens of lines; past that only confirmed changes are drawn, the table has them all
MOST_GAINS = 60
CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)


@dataclass(frozen=True)
class Axes:
    """Maps data to pixels inside one panel."""

    x: tuple[float, float]
    y: tuple[float, float]
    top: float
    bottom: float

    def px(self, x: float) -> float:
        low, high = self.x
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - low) / (high - low)

    def py(self, y: float) -> float:
        low, high = self.y
        inside = min(max(y, low), high)
        return self.bottom - (self.bottom - self.top) * (inside - low) / (high - low)

    def holds(self, y: float) -> bool:
        return self.y[0] <= y <= self.y[1]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values inside a range, about `count` of them."""
    raw = 0.8 * (high - low) / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def clock_ticks(seconds: float, count: int) -> list[float]:
    """Round times from zero, in steps a clock has; whole days past the last of these."""
    step = next((step for step in CLOCK if step * count >= seconds), 0) or 86400 * math.ceil(seconds / 86400 / count)
    return [float(index * step) for index in range(int(seconds // step) + 1)]


def trajectory(story: Story) -> str:
    """Every experiment in the order of decision, the incumbent as a step line, the baseline and its noise."""
    told = story.in_order()
    if story.baseline is None:
        return ""
    axes = Axes((-0.8, max(len(told), 1) + 0.8), _scores(story, told), 16, 316)
    digits = wording.decimals(story)
    parts = [
        *_grid(axes, lambda y: number(y, digits), ticks(*axes.y)),
        *_numbered(axes, len(told)),
        *_band(axes, story.baseline),
        *_target(axes, story, digits),
        _steps(axes, story.baseline, told),
        *_seeds(axes, story.baseline, digits),
        *(_mark(axes, index, one, digits) for index, one in enumerate(told, start=1)),
        _label(WIDTH / 2, 352, "experiments in the order of their decision", "middle"),
        _label(LEFT, 10, story.metric, "start"),
    ]
    return _svg(360, "Score of every experiment, incumbent and baseline noise", parts)


def _scores(story: Story, told: Sequence[Experiment]) -> tuple[float, float]:
    """The score axis: all of the better side, and of the worse side what is not far off."""
    assert story.baseline is not None
    base = story.baseline
    core = [base.mean - 2 * base.sigma, base.mean + 2 * base.sigma, *base.values]
    core += [one.best for one in told if one.best is not None]
    shown = sorted(one.shown for one in told if one.shown is not None)
    if shown:
        low, high = shown[len(shown) // 4], shown[(3 * len(shown)) // 4]
        reach = FAR * max(high - low, base.sigma)
        near = (low - reach, math.inf) if story.direction == "maximize" else (-math.inf, high + reach)
        core += [value for value in shown if near[0] <= value <= near[1]]
    room = 0.06 * (max(core) - min(core)) or abs(core[0]) * 0.01 or 1.0
    return min(core) - room, max(core) + room


def _grid(axes: Axes, text: Callable[[float], str], places: Iterable[float]) -> Iterable[str]:
    for y in places:
        at = axes.py(y)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield _label(LEFT - 8, at + 4, text(y), "end")


def _numbered(axes: Axes, count: int) -> Iterable[str]:
    for x in [tick for tick in ticks(0, max(count, 1), 12) if tick >= 1 and float(tick).is_integer()]:
        yield _label(axes.px(x), axes.bottom + 16, f"{x:.0f}", "middle")
    yield _label(axes.px(0), axes.bottom + 16, "base", "middle")


def _band(axes: Axes, base: Baseline) -> Iterable[str]:
    top, low = axes.py(base.mean + base.sigma), axes.py(base.mean - base.sigma)
    wide = WIDTH - LEFT - RIGHT
    yield f'<rect class="band" x="{LEFT}" y="{top:.1f}" width="{wide}" height="{low - top:.1f}"/>'
    at = axes.py(base.mean)
    yield f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'


def _target(axes: Axes, story: Story, digits: int) -> Iterable[str]:
    if story.target is None or not axes.holds(story.target):
        return
    at = axes.py(story.target)
    yield f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
    yield _label(WIDTH - RIGHT, at - 5, f"target {number(story.target, digits)}", "end")


def _steps(axes: Axes, base: Baseline, told: Sequence[Experiment]) -> str:
    path, score = [f"M{axes.px(0):.1f} {axes.py(base.mean):.1f}"], base.mean
    for index, one in enumerate(told, start=1):
        if one.decided is not None and one.best is not None and one.best != score:
            score = one.best
            path.append(f"H{axes.px(index):.1f} V{axes.py(score):.1f}")
    path.append(f"H{axes.px(max(len(told), 1) + 0.5):.1f}")
    return f'<path class="incumbent" d="{" ".join(path)}"/>'


def _seeds(axes: Axes, base: Baseline, digits: int) -> Iterable[str]:
    for value, seed in zip(base.values, base.seeds, strict=False):
        told = f"baseline, seed {wording.DASH if seed is None else seed}: {number(value, digits)}"
        yield _dot(axes.px(0), axes.py(value), 3.5, "seed", told)


def _mark(axes: Axes, index: int, one: Experiment, digits: int) -> str:
    x, state = axes.px(index), wording.STATES.get(one.state, "open")
    told = f"{one.name} {state}: {number(one.shown, digits)}, {wording.change(one)}"
    kind = one.state.replace("_", "-") if one.state in wording.STATES else "open"
    if one.shown is None:
        return _cross(x, axes.bottom - 7, kind, told)
    if not axes.holds(one.shown):
        return _beyond(x, axes, one.shown, kind, told + " (beyond the axis)")
    y = axes.py(one.shown)
    runs = [_dot(x, axes.py(value), 1.6, kind, told) for value in one.values("confirm")]
    if one.state == "confirmed":
        return "".join(runs) + _shape(f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", kind, told)
    return "".join(runs) + _dot(x, y, 4.0 if one.state == "refuted" else 3.2, kind, told)


def _cross(x: float, y: float, kind: str, told: str) -> str:
    return _shape(f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8", kind + " cross", told)


def _beyond(x: float, axes: Axes, value: float, kind: str, told: str) -> str:
    low = value < axes.y[0]
    y, tip = (axes.bottom - 9, 7) if low else (axes.top + 9, -7)
    return _shape(f"M{x - 5:.1f} {y:.1f}h10l-5 {tip}z", kind, told)


def _shape(path: str, kind: str, told: str) -> str:
    return f'<path class="{kind}" d="{path}"><title>{escaped(told)}</title></path>'


def _dot(x: float, y: float, radius: float, kind: str, told: str) -> str:
    title = f"<title>{escaped(told)}</title>"
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{title}</circle>'


def spend(story: Story) -> str:
    """Job time and dollars billed so far, over the time since the first row: one panel each."""
    if story.began is None or not story.spend:
        return ""
    began = story.began
    whole = max((story.ended or began) - began, 1.0)
    points = [Spend(began, 0, 0), *story.spend]
    seconds = Axes((0, whole), (0, max(story.seconds, 1) * 1.08), 24, 124)
    dollars = Axes((0, whole), (0, max(story.micro, 10_000) * 1.08), 172, 272)
    parts = [
        *_panel(
            seconds,
            [(point.ts - began, point.seconds) for point in points],
            "job time",
            _clock,
            clock_ticks(seconds.y[1], 3),
        ),
        *_panel(
            dollars,
            [(point.ts - began, point.micro) for point in points],
            "spend",
            _dollars,
            ticks(*dollars.y, 3),
        ),
        *(_label(dollars.px(x), 290, _clock(x), "middle") for x in clock_ticks(whole, 8)),
        _label(WIDTH / 2, 310, "time since the first row", "middle"),
    ]
    return _svg(318, "Job time and spend over time", parts)


def _panel(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    name: str,
    text: Callable[[float], str],
    places: Iterable[float],
) -> Iterable[str]:
    yield from _grid(axes, text, places)
    start = axes.px(points[0][0])
    steps = " ".join(f"H{axes.px(x):.1f} V{axes.py(y):.1f}" for x, y in points)
    line = f"M{start:.1f} {axes.bottom:.1f} {steps} H{axes.px(axes.x[1]):.1f}"
    yield f'<path class="area" d="{line} V{axes.bottom:.1f} H{start:.1f}z"/><path class="total" d="{line}"/>'
    yield _label(LEFT, axes.top - 8, f"{name}: {text(points[-1][1])}", "start")


def _clock(seconds: float) -> str:
    return durations.show(round(seconds))


def _dollars(micro: float) -> str:
    return money.show(round(micro))


def gains(story: Story) -> str:
    """Every change that went to fresh seeds: its gain, the interval of the test, zero as the line to pass."""
    told = [one for one in story.in_order() if one.interval is not None and one.gain is not None]
    if len(told) > MOST_GAINS:
        told = [one for one in told if one.state == "confirmed"][-MOST_GAINS:]
    if not told:
        return ""
    ends = [0.0, *(end for one in told for end in one.interval or ())]
    room = 0.05 * (max(ends) - min(ends)) or 1.0
    axes = Axes((min(ends) - room, max(ends) + room), (0, 1), 8, 12 + 24 * len(told))
    digits = wording.decimals(story)
    parts = [f'<line class="base" x1="{axes.px(0):.1f}" x2="{axes.px(0):.1f}" y1="{axes.top}" y2="{axes.bottom}"/>']
    parts += [_label(axes.px(x), axes.bottom + 16, signed(x, digits), "middle") for x in ticks(*axes.x, 8)]
    parts += [_whisker(axes, 22 + 24 * index, one, digits) for index, one in enumerate(told)]
    return _svg(axes.bottom + 24, "Gains on fresh seeds with their intervals", parts)


def _whisker(axes: Axes, y: float, one: Experiment, digits: int) -> str:
    assert one.interval is not None and one.gain is not None
    low, high = (axes.px(end) for end in one.interval)
    kind = one.state.replace("_", "-") if one.state in wording.STATES else "open"
    told = f"{one.name} {one.state}: {signed(one.gain, digits)} ({span(one.interval, digits)})"
    line = f'<line class="{kind} whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
    return line + _dot(axes.px(one.gain), y, 4.5, kind, told) + _label(LEFT - 8, y + 4, one.name, "end")


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escaped(text)}</text>'


def _svg(height: float, title: str, parts: Iterable[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escaped(title)}">'
    return head + "".join(parts) + "</svg>"
