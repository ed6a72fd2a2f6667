"""How a report says things: numbers with the digits that mean something, states by one name, text made safe.

Everything from a ledger is foreign text: a hypothesis may hold markup, table bars or half a surrogate pair.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

from mlresearch import durations, money, stats, tracking
from mlresearch.report.story import BASELINE, Experiment, Final, Finalist, Story

DASH = "\u2013"
VERIFY = "campaign.py verify"
SHOW = f"TRACKIO_DIR={tracking.FOLDER} trackio show"
SPACES = "https://huggingface.co/spaces/"
CLEAR = 2.0  # standard errors by which a sealed gain must be above zero to be called won
STATES = {
    "confirmed": "confirmed",
    "refuted": "refuted",
    "below_screen": "below screen",
    "crash": "crash",
    "candidate": "candidate",
    "open": "open",
}
# invisible direction changes could show a decision back to front
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# what could begin a tag, a link, an image, a cell or code; the rest stays readable in the raw text
_MARKDOWN = str.maketrans({mark: "\\" + mark for mark in "\\`*[]|"} | {"&": "&amp;", "<": "&lt;"})


def plain(text: object) -> str:
    """One line of visible text: no control characters, no direction marks, nothing that UTF-8 cannot hold."""
    spaced = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in str(text) if c not in _BIDI)
    return " ".join("".join(spaced).split())


def escaped(text: object) -> str:
    """Safe between HTML tags and inside double-quoted attributes."""
    return html.escape(plain(text), quote=True)


def markdown(text: object) -> str:
    """Safe in a Markdown table cell: markup, links, images and HTML are shown, not obeyed."""
    return plain(text).translate(_MARKDOWN)


def decimals(story: Story) -> int:
    """Digits after the point that hold two digits of the noise."""
    sigma = story.baseline.sigma if story.baseline else 0.0
    if not sigma > 0:
        return 4
    return min(12, max(0, 1 - math.floor(math.log10(sigma))))


def number(value: float | None, digits: int) -> str:
    """A score; a crash is a dash, because it is no number."""
    return DASH if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:+.{digits}f}"


def numbers(values: Sequence[float | None], digits: int) -> str:
    return ", ".join(number(value, digits) for value in values) or DASH


def span(interval: tuple[float, float] | None, digits: int) -> str:
    return DASH if interval is None else f"{interval[0]:+.{digits}f} to {interval[1]:+.{digits}f}"


def moment(ts: float | None) -> str:
    return DASH if ts is None else datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M UTC")


def change(experiment: Experiment) -> str:
    """The lever and where it was put."""
    lever = experiment.lever
    if lever is None:
        return DASH
    return f"{lever} = {experiment.config[lever]}" if lever in experiment.config else str(lever)


def headline(story: Story) -> str:
    """One line: what was won, on which data, for how much."""
    if story.baseline is None or story.incumbent is None:
        return f"no baseline yet: {cost(story)}"
    name, score = _found(story)
    digits = decimals(story)
    parts = [_won(story, name, score, digits)]
    parts.append(_sealed(story.final, digits))
    return ", ".join([*parts, cost(story)])


def _found(story: Story) -> tuple[str, float]:
    assert story.incumbent is not None
    final = story.final
    if final is not None and final.incumbent.search is not None:
        return final.incumbent.experiment, final.incumbent.search
    return story.incumbent


def _won(story: Story, name: str, score: float, digits: int) -> str:
    assert story.baseline is not None
    base = story.baseline.mean
    if story.final is not None and story.final.baseline.search is not None:
        base = story.final.baseline.search
    start = f"baseline {number(base, digits)}"
    if name == BASELINE:
        nothing = "nothing won" if story.final else "nothing won yet"
        return f"{nothing}: {start} stands after {count(len(story.experiments), 'experiment')}"
    units = stats.gain_of(score, base, story.direction) / story.baseline.sigma
    gained = f"({signed(score - base, digits)}, {units:.1f} noise units)"
    return f"{_verb(story)}: {start} -> {plain(name)} {number(score, digits)} {gained}"


def _verb(story: Story) -> str:
    if story.final is None:
        return "so far"
    gained, noise = sealed_gain(story), sealed_noise(story)
    if gained is not None and gained <= 0:
        return "did not hold on sealed data"
    if gained is not None and noise is not None and gained <= CLEAR * noise:
        return "won in search, within the noise on sealed data"
    return "won"


def sealed_gain(story: Story) -> float | None:
    """How much better the incumbent is than the baseline where it counts; None without both sealed scores."""
    final = story.final
    if final is None or final.baseline.score is None or final.incumbent.score is None:
        return None
    return stats.gain_of(final.incumbent.score, final.baseline.score, story.direction)


def sealed_noise(story: Story) -> float | None:
    """The standard error of `sealed_gain`; None where a finalist's is not known.

    Taken as independent. Both are scored on the same examples, so the true one is rather smaller.
    """
    return None if story.final is None else _noise(story.final)


def _noise(final: Final) -> float | None:
    base, best = final.baseline.stderr, final.incumbent.stderr
    return None if base is None or best is None else math.hypot(base, best)


def with_error(found: Finalist, digits: int) -> str:
    """A sealed score, and how well it is known: `0.9681 ± 0.0040 (n = 450)`."""
    told = number(found.score, digits)
    if found.score is None or found.stderr is None:
        return told
    many = "" if found.examples is None else f" (n = {found.examples:,})"
    return f"{told} ± {number(found.stderr, digits)}{many}"


def _gained(final: Final, told: str, digits: int) -> list[str]:
    noise, examples = _noise(final), final.incumbent.examples
    parts = [told if noise is None else f"{told} ± {number(noise, digits)}"]
    return parts if examples is None else [*parts, f"n = {examples:,}"]


def _sealed(final: Final | None, digits: int) -> str:
    if final is None:
        return "sealed data not opened yet"
    if final.incumbent.score is None:
        return "no sealed score"
    base, best = final.baseline.score, final.incumbent.score
    told = f"sealed {with_error(final.incumbent, digits)}"
    if base is not None and final.incumbent.experiment != BASELINE:
        gained = ", ".join(_gained(final, signed(best - base, digits), digits))
        told = f"sealed {number(base, digits)} -> {number(best, digits)} ({gained})"
    return f"{told}, gap to search {signed(final.gap, digits)}"


def cost(story: Story) -> str:
    return f"{count(story.jobs, 'job')}, {count(story.seconds, 'job-second')}, {money.show(story.micro)}"


def count(number_of: int, noun: str) -> str:
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def ending(story: Story) -> str:
    """Where the campaign stands, in a sentence."""
    if story.final is not None:
        return "finalized" + (f" after it stopped ({story.stopped[0]}: {story.stopped[1]})" if story.stopped else "")
    if story.revoked:
        return "the approval was revoked"
    if story.stopped is not None:
        return f"stopped ({story.stopped[0]}: {story.stopped[1]}), not finalized"
    return f"in progress, {count(story.open_jobs, 'job')} open"


def curves(story: Story) -> tuple[str, str] | None:
    """Where the curves are, as (what comes before, command or address); None while there can be none.

    An address is that of the Space that the program chose, and stands only once a job could have made it.
    """
    if not story.spend or story.backend is None:
        return None
    if story.space is not None:
        return "Curves, for those who may open the Space:", f"{SPACES}{story.space}"
    if story.backend == "local":
        return "Curves of a script that logs with Trackio, from the project's folder:", SHOW
    return "Curves: a job elsewhere keeps no dashboard, its log holds what it printed:", "jobs.py logs --job J"


def budget(story: Story) -> list[tuple[str, str, str, float | None]]:
    """(what, used, approved, share used) for each limit of the envelope."""
    limits = story.limits
    seconds = None if limits.seconds is None else durations.show(limits.seconds)
    return [
        ("jobs", f"{story.jobs:,}", _limit(limits.jobs), _share(story.jobs, limits.jobs)),
        ("job time", durations.show(story.seconds), seconds or DASH, _share(story.seconds, limits.seconds)),
        ("spend", money.show(story.micro), _money(limits.micro), _share(story.micro, limits.micro)),
    ]


def _limit(limit: int | None) -> str:
    return DASH if limit is None else f"{limit:,}"


def _money(micro: int | None) -> str:
    return DASH if micro is None else money.show(micro)


def _share(used: int, limit: int | None) -> float | None:
    if limit is None:
        return None
    return used / limit if limit else float(used > 0)


def sealed_rows(final: Final) -> list[tuple[str, float | None, float | None]]:
    """(seed, baseline, incumbent) for each sealed measurement; by order where the rows name no seed."""
    base, best = final.baseline, final.incumbent
    seeds = best.seeds or base.seeds
    rows = []
    for index in range(max(len(base.sealed), len(best.sealed))):
        seed = str(seeds[index]) if index < len(seeds) and seeds[index] is not None else f"#{index + 1}"
        rows.append((seed, _at(base.sealed, index), _at(best.sealed, index)))
    return rows


def _at(values: Sequence[float | None], index: int) -> float | None:
    return values[index] if index < len(values) else None
