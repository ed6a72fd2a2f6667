"""The campaign as one HTML file: the text of `runs/report.html`.

Holds everything it shows (styles and drawings inline), asks for nothing from a network and runs no script:
its own content policy forbids both, so that foreign text in a hypothesis stays text even if an escape were
missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlresearch import money
from mlresearch.report import plots, wording
from mlresearch.report.fold import tell
from mlresearch.report.story import BASELINE, Experiment, Final, Story
from mlresearch.report.style import CSS
from mlresearch.report.wording import DASH, escaped, number, signed, span

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LEGEND = (
    ("confirmed", "confirmed on fresh seeds", '<path d="M8 0l6 6-6 6-6-6z"'),
    ("refuted", "refuted on fresh seeds", '<circle cx="8" cy="6" r="4"'),
    ("below-screen", "below the screen", '<circle cx="8" cy="6" r="3.2"'),
    ("crash cross", "crash", '<path d="M4 2l8 8m0-8l-8 8"'),
    ("open", "not decided yet", '<circle cx="8" cy="6" r="3.2"'),
    ("incumbent", "incumbent", '<path d="M0 6h16"'),
    ("band", "baseline ± one noise unit", '<rect y="1" width="16" height="10"'),
)


def page(rows: Iterable[Mapping[str, Any]], program: Mapping[str, Any]) -> str:
    """A whole HTML document told from the ledger's rows alone; also of a campaign in progress."""
    story = tell(rows, program)
    title = escaped(f"Campaign {story.campaign}: {story.metric}")
    body = "".join(
        [
            _opening(story),
            _drawn("Trajectory", plots.trajectory(story), _legend()),
            _confirmations(story),
            _sealed(story),
            _budget(story),
            _drawn("Spend over time", plots.spend(story), ""),
            _curves(story),
            _experiments(story),
            _lists(story),
            _check(story),
        ]
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}</style></head><body><main>{body}</main></body></html>\n"
    )


def _opening(story: Story) -> str:
    times = f"{wording.moment(story.began)} to {wording.moment(story.ended)}"
    head = f"<h1>{escaped(story.metric)} <span class='soft'>({escaped(story.direction)})</span></h1>"
    where = f"Campaign {escaped(story.campaign)} · {escaped(times)} · {escaped(wording.ending(story))}"
    line = f'<p class="headline">{escaped(wording.headline(story))}</p>'
    return f'{head}<p class="soft">{where}</p>{line}<dl class="cards">{"".join(_cards(story))}</dl>'


def _cards(story: Story) -> Iterable[str]:
    digits, final = wording.decimals(story), story.final
    base = story.baseline
    if base is not None:
        told = f"noise unit {number(base.sigma, digits + 1)}, {wording.count(len(base.values), 'seed')}"
        yield _card("baseline (search)", number(base.mean, digits), told)
    if story.incumbent is not None:
        name, score = story.incumbent
        told = "no change confirmed" if name == BASELINE else f"{name}: confirmed on fresh seeds"
        yield _card("incumbent (search)", number(score, digits), told)
    if final is not None:
        yield _card("incumbent (sealed)", number(final.incumbent.score, digits), f"gap {signed(final.gap, digits)}")
        told = f"baseline sealed {number(final.baseline.score, digits)}"
        yield _card("gain on sealed data", signed(wording.sealed_gain(story), digits), told)
    else:
        yield _card("incumbent (sealed)", DASH, "sealed data not opened yet")
    yield _card("spend", money.show(story.micro), f"{wording.count(story.jobs, 'job')}, {story.seconds:,} job-seconds")


def _card(name: str, value: str, told: str) -> str:
    return f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd><dd>{escaped(told)}</dd></div>"


def _drawn(title: str, drawing: str, caption: str) -> str:
    if not drawing:
        return f'<h2>{title}</h2><p class="soft">Nothing to draw yet.</p>'
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<h2>{title}</h2><figure>{drawing}{below}</figure>"


def _legend() -> str:
    return "".join(
        f'<span><svg viewBox="0 0 16 12" aria-hidden="true">{shape} class="{kind}"/></svg>{told}</span>'
        for kind, told, shape in LEGEND
    )


def _confirmations(story: Story) -> str:
    told = [one for one in story.in_order() if one.interval is not None]
    if not told:
        return '<h2>Confirmed changes</h2><p class="soft">No change has been tested on fresh seeds.</p>'
    digits = wording.decimals(story)
    confirmed = [one for one in told if one.state == "confirmed"]
    text = (
        f"{len(confirmed)} confirmed, {len(told) - len(confirmed)} refuted. Gains are against the incumbent "
        "of their time, on fresh seeds only; the bars are the interval of the test."
    )
    rows = [
        _cells((one.name, ""), (wording.change(one), "lever"), (one.hypothesis, "say"),
               (signed(one.gain, digits), "num"), (span(one.interval, digits), "num"))
        for one in confirmed
    ]  # fmt: skip
    heads = (("id", ""), ("change", ""), ("hypothesis", ""), ("gain", "num"), ("interval", "num"))
    table = _table(heads, rows) if rows else ""
    return f"<h2>Confirmed changes</h2><p>{text}</p><figure>{plots.gains(story)}</figure>{table}"


def _sealed(story: Story) -> str:
    final = story.final
    if final is None:
        return '<h2>Sealed result</h2><p class="soft">The sealed data has not been opened.</p>'
    digits = wording.decimals(story)
    rows = [
        _cells((seed, "mono"), (number(base, digits), "num"), (number(best, digits), "num"))
        for seed, base, best in wording.sealed_rows(final)
    ]
    rows += [_total("mean", *(wording.with_error(found, digits) for found in (final.baseline, final.incumbent)))]
    rows += [_total("search score", *(number(found.search, digits) for found in (final.baseline, final.incumbent)))]
    heads = (("seed", ""), (BASELINE, "num"), (final.incumbent.experiment, "num"))
    return f"<h2>Sealed result</h2><p>{_verdict(story, final)}</p>{_table(heads, rows)}"


def _total(name: str, base: str, best: str) -> str:
    return _cells((name, ""), (base, "num"), (best, "num"), kind="total")


def _verdict(story: Story, final: Final) -> str:
    digits = wording.decimals(story)
    gained = wording.sealed_gain(story)
    text = f"Measured once, on data the search never saw. Gap to the search score {signed(final.gap, digits)}."
    if gained is not None and final.incumbent.experiment != BASELINE:
        noise = wording.sealed_noise(story)
        told = signed(gained, digits) + ("" if noise is None else f" ± {number(noise, digits)} (standard error)")
        text += f" Gain over the baseline on this data: {told}."
    return escaped(text)


def _budget(story: Story) -> str:
    rows = [
        f'<tr><td>{what}</td><td class="num">{escaped(used)}</td><td class="num">{escaped(limit)}</td>'
        f"<td>{_bar(share)}</td></tr>"
        for what, used, limit, share in wording.budget(story)
    ]
    heads = (("limit", ""), ("used", "num"), ("approved", "num"), ("share", ""))
    return f"<h2>Budget</h2>{_table(heads, rows)}"


def _bar(share: float | None) -> str:
    if share is None:
        return DASH
    kind = ' class="over"' if share > 1 else ""
    return f'<span class="bar" title="{share:.0%}"><i{kind} style="width:{min(share, 1):.1%}"></i></span>'


def _curves(story: Story) -> str:
    """The one link of the page: it leads to the Space, and nothing is loaded from there."""
    told = wording.curves(story)
    if told is None:
        return ""
    before, place = map(escaped, told)
    shown = f"<code>{place}</code>"
    if place.startswith(wording.SPACES):
        shown = f'<a href="{place}" rel="noopener noreferrer">{place}</a>'
    return f"<p>{before} {shown}</p>"


def _experiments(story: Story) -> str:
    if not story.experiments:
        return '<h2>Experiments</h2><p class="soft">No experiment was planned.</p>'
    digits = wording.decimals(story)
    heads = (
        ("id", ""), ("hypothesis", ""), ("change", ""), ("screen", "num"), ("fresh seeds", "num"),
        ("gain, noise units", "num"), ("decision", ""), ("jobs", "num"), ("s", "num"), ("cost", "num"),
        ("log", ""), ("row", "num"),
    )  # fmt: skip
    rows = [_experiment(one, digits) for one in story.experiments]
    return f"<h2>Experiments: {len(rows):,}</h2>{_table(heads, rows)}"


def _experiment(one: Experiment, digits: int) -> str:
    kind = one.state.replace("_", "-") if one.state in wording.STATES else "open"
    state = f'<span class="state {kind}">{escaped(wording.STATES.get(one.state, one.state))}</span>'
    config = escaped(json.dumps(one.config, ensure_ascii=False, sort_keys=True))
    lever = f'<td class="lever" title="{config}">{escaped(wording.change(one))}</td>'
    full, short = escaped(one.log_sha256), escaped(one.log_sha256[:8] or DASH)
    log = f'<td class="mono" title="sha256 {full}">{short}</td>'
    return (
        "<tr>"
        + _cell(one.name, "mono")
        + _cell(one.hypothesis or DASH, "say")
        + lever
        + _cell(wording.numbers(one.values("screen"), digits), "num")
        + _cell(wording.numbers(one.values("confirm"), digits), "num fresh")
        + _cell(signed(one.gain_sigma, 1), "num")
        + f"<td>{state}</td>"
        + "".join(_cell(text, "num") for text in (str(one.jobs), str(one.seconds), money.show(one.micro)))
        + log
        + _cell(str(one.seq), "num")
        + "</tr>"
    )


def _lists(story: Story) -> str:
    groups = (
        ("Refuted on fresh seeds", story.having("refuted")),
        ("Not better than the noise", story.having("below_screen")),
        ("Crashes", story.having("crash")),
    )
    return "<h2>What did not help</h2>" + "".join(_list(title, found) for title, found in groups)


def _list(title: str, found: Sequence[Experiment]) -> str:
    items = "".join(
        f'<li><span class="mono">{escaped(one.name)}</span> {escaped(wording.change(one))}: '
        f"{escaped(one.hypothesis or DASH)}</li>"
        for one in found
    )
    return f"<details><summary>{title}: {len(found):,}</summary><ul>{items}</ul></details>"


def _check(story: Story) -> str:
    return (
        f"<footer><b>How to verify.</b> <code>{wording.VERIFY}</code> follows the hash chain of "
        f"<code>runs/ledger.jsonl</code> ({story.rows:,} rows read here) and names the first damaged row. "
        "<code>sha256sum runs/jobs/&lt;job&gt;/log.txt</code> gives the hash that the ledger holds for each "
        "measured value; “row” in the table is where an experiment begins in the ledger.</footer>"
    )


def _cell(text: str, kind: str) -> str:
    return f'<td class="{kind}">{escaped(text)}</td>' if kind else f"<td>{escaped(text)}</td>"


def _cells(*cells: tuple[str, str], kind: str = "") -> str:
    start = f'<tr class="{kind}">' if kind else "<tr>"
    return start + "".join(_cell(text, name) for text, name in cells) + "</tr>"


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[str]) -> str:
    head = "".join(f'<th class="{kind}">{escaped(text)}</th>' for text, kind in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
