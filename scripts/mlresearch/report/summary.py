"""The campaign in Markdown: the text of `runs/summary.md`, and the one line that says what was won."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlresearch import money
from mlresearch.report import wording
from mlresearch.report.fold import tell
from mlresearch.report.story import Experiment, Final, Story
from mlresearch.report.wording import DASH, markdown, number, signed, span


def headline(rows: Iterable[Mapping[str, Any]], program: Mapping[str, Any]) -> str:
    """One line: baseline, incumbent, gain, sealed score and its gap, jobs, job-seconds, spend."""
    return wording.headline(tell(rows, program))


def summary(rows: Iterable[Mapping[str, Any]], program: Mapping[str, Any]) -> str:
    """Markdown told from the ledger's rows alone; also of a campaign in progress."""
    story = tell(rows, program)
    parts = [
        [f"# Campaign {markdown(story.campaign)}", "", f"**{markdown(wording.headline(story))}**", ""],
        _facts(story),
        _final(story),
        _winner(story),
        _group(story, "Confirmed changes", "confirmed", _with_interval),
        _group(story, "Refuted on fresh seeds", "refuted", _with_interval),
        _group(story, "Not better than the noise", "below_screen", _with_gain),
        _group(story, "Crashes", "crash", _with_nothing),
        _experiments(story),
        _check(),
    ]
    return "\n".join(line for part in parts for line in part)


def _facts(story: Story) -> list[str]:
    digits = wording.decimals(story)
    lines = [
        f"- Metric: {markdown(story.metric)} ({markdown(story.direction)})",
        f"- State: {markdown(wording.ending(story))}",
        f"- Time: {wording.moment(story.began)} to {wording.moment(story.ended)}",
    ]
    if story.baseline is not None:
        base = story.baseline
        seeds = wording.count(len(base.values), "seed")
        noise = f"noise unit {number(base.sigma, digits + 1)} over {seeds}"
        lines.insert(1, f"- Baseline: {number(base.mean, digits)} ({wording.numbers(base.values, digits)}); {noise}")
    lines += _curves(story)
    budget = [[what, used, limit, _percent(share)] for what, used, limit, share in wording.budget(story)]
    return [*lines, "", "## Budget", "", *_table(["limit", "used", "approved", "share"], budget), ""]


def _curves(story: Story) -> list[str]:
    told = wording.curves(story)
    if told is None:
        return []
    before, place = told
    return [f"- {before} " + (f"<{place}>" if place.startswith(wording.SPACES) else f"`{place}`")]


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{share:.0%}"


def _final(story: Story) -> list[str]:
    if story.final is None:
        return ["## Sealed result", "", "The sealed data has not been opened.", ""]
    digits, final = wording.decimals(story), story.final
    rows = [[seed, number(base, digits), number(best, digits)] for seed, base, best in wording.sealed_rows(final)]
    rows.append(["mean", *(wording.with_error(found, digits) for found in (final.baseline, final.incumbent))])
    rows.append(["search", number(final.baseline.search, digits), number(final.incumbent.search, digits)])
    heads = ["seed", "baseline", markdown(final.incumbent.experiment)]
    return ["## Sealed result", "", *_table(heads, rows), "", _gap(final, digits), ""]


def _gap(final: Final, digits: int) -> str:
    return f"Gap between sealed and search score of the incumbent: {signed(final.gap, digits)}."


def _winner(story: Story) -> list[str]:
    """What a reader needs to use the result: the configuration and the folders of the final models."""
    if story.final is None:
        return []
    found = story.final.incumbent
    config = next((told.config for told in story.experiments if told.name == found.experiment), {})
    set_to = ", ".join(f"{name} = {value}" for name, value in config.items())
    lines = [f"- Configuration: {markdown(set_to or 'the script as it was')} (all else is the script's default)"]
    places = ", ".join(f"`{markdown(place)}`" for place in found.trained if place)
    lines += [f"- Models trained on fresh seeds: {places}"] if places else []
    return [f"## To use it: {markdown(found.experiment)}", "", *lines, ""]


def _group(story: Story, title: str, state: str, told: Callable[[Experiment, int], str]) -> list[str]:
    found = story.having(state)
    if not found:
        return []
    digits = wording.decimals(story)
    lines = [
        f"- {markdown(experiment.name)} ({markdown(wording.change(experiment))}): "
        f"{markdown(experiment.hypothesis)}{told(experiment, digits)}"
        for experiment in found
    ]
    return [f"## {title}: {len(found)}", "", *lines, ""]


def _with_interval(experiment: Experiment, digits: int) -> str:
    return f"; gain {signed(experiment.gain, digits)} ({span(experiment.interval, digits)})"


def _with_gain(experiment: Experiment, digits: int) -> str:
    return f"; gain {signed(experiment.gain, digits)}"


def _with_nothing(experiment: Experiment, digits: int) -> str:
    return ""


def _experiments(story: Story) -> list[str]:
    heads = [
        "id",
        "change",
        "screen",
        "fresh",
        "gain (noise units)",
        "decision",
        "jobs",
        "s",
        "cost",
        "log",
        "row",
    ]
    digits = wording.decimals(story)
    rows = [_experiment(experiment, digits) for experiment in story.experiments]
    body = _table(heads, rows) if rows else ["No experiment was planned."]
    return [f"## Experiments: {len(rows)}", "", *body, ""]


def _experiment(told: Experiment, digits: int) -> list[str]:
    return [
        markdown(told.name),
        markdown(wording.change(told)),
        wording.numbers(told.values("screen"), digits),
        wording.numbers(told.values("confirm"), digits),
        signed(told.gain_sigma, 1),
        markdown(wording.STATES.get(told.state, told.state)),
        str(told.jobs),
        str(told.seconds),
        markdown(money.show(told.micro)),
        markdown(told.log_sha256[:8] or DASH),
        str(told.seq),
    ]


def _check() -> list[str]:
    return [
        "## How to verify",
        "",
        f"`{wording.VERIFY}` follows the hash chain of `runs/ledger.jsonl` and names the first damaged row. "
        "`sha256sum runs/jobs/<job>/log.txt` gives the hash that the ledger holds for each measured value.",
        "",
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines]
