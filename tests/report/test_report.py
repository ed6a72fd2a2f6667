"""Headline and summary, told from ledgers that are built row by row; and what both reports have in common."""

from __future__ import annotations

import pytest

from mlresearch.report.page import page
from mlresearch.report.summary import headline, summary
from report.book import BASE, HOSTILE, LIMITS, PROGRAM, Book, campaign


def test_the_headline_says_what_was_won() -> None:
    assert headline(campaign().rows, PROGRAM) == (
        "won: baseline 0.9527 -> e0004 0.9722 (+0.0195, 5.3 noise units), "
        "sealed 0.9486 -> 0.9681 (+0.0195 ± 0.0019), gap to search -0.0041, "
        "23 jobs, 38 job-seconds, $0.00"
    )


def test_the_headline_of_a_campaign_in_progress_promises_nothing() -> None:
    rows = [row for row in campaign().rows if row["event"] != "finalized"]
    assert headline(rows, PROGRAM).startswith("so far: baseline 0.9527 -> e0004 0.9722 (")
    assert "sealed data not opened yet" in headline(rows, PROGRAM)


def test_a_gain_that_the_sealed_data_does_not_show_is_not_won() -> None:
    book = campaign()
    book.row("finalized", baseline={"search": 0.9527, "sealed": [0.96]}, gap=-0.0222,
             incumbent={"experiment": "e0004", "search": 0.9722, "sealed": [0.95]})  # fmt: skip
    assert headline(book.rows, PROGRAM).startswith("did not hold on sealed data: baseline")


@pytest.mark.parametrize(
    ("best", "stderrs", "verb"),
    [
        pytest.param([0.25], ["told"], "did not hold on sealed data", id="a loss"),
        pytest.param([0.375], ["told"], "did not hold on sealed data", id="no gain"),
        pytest.param([1.0], ["told"], "won in search, within the noise on sealed data", id="two standard errors"),
        pytest.param([1.001], ["told"], "won", id="more than two"),
        pytest.param([1.0], [None], "won", id="a log that tells no error"),
        pytest.param([1.0, 1.0], [None, None], "won", id="seeds that agree"),
        pytest.param([2.0, 0.0], [None, None], "won in search, within the noise on sealed data", id="seeds apart"),
    ],
)
def test_a_sealed_gain_within_its_noise_is_not_plainly_won(
    best: list[float], stderrs: list[str | None], verb: str
) -> None:
    book = campaign()
    told = {"sealed_n": [450] * len(best)}
    # 3, 4 and 5 sixteenths: together the errors of both finalists make 0.3125, to the last bit
    ours = None if stderrs[0] is None else [0.25] * len(best)
    base = {"sealed": [0.375] * len(best), "sealed_stderr": ours and [0.1875] * len(best)}
    found = {"experiment": "e0004", "search": 0.9722, "sealed": best, "sealed_stderr": ours, **told}
    book.row("finalized", baseline={"search": 0.9527, **base, **told}, incumbent=found, gap=0.0)
    line = headline(book.rows, PROGRAM)
    assert line.startswith(f"{verb}: baseline")
    assert "n = 450)" in line


def test_the_sealed_score_is_told_with_its_error_and_count() -> None:
    book = campaign()
    told = {"search": 0.97, "sealed": [0.96, 0.98], "sealed_stderr": [0.003, 0.005], "sealed_n": [1450, 1450]}
    book.row("finalized", baseline=told, incumbent={"experiment": "e0004", **told}, gap=0.0)
    # 0.004 over the examples, 0.010 over the seeds
    for text in (summary(book.rows, PROGRAM), page(book.rows, PROGRAM)):
        assert "0.9700 ± 0.0108 (n = 1,450)" in text


def test_the_summary_says_how_to_use_the_winner() -> None:
    told = summary(campaign().rows, PROGRAM)
    section = told.partition("## To use it: e0004")[2].partition("##")[0]
    assert "Configuration: " in section and "`runs/jobs/j" in section


def test_nothing_won_is_said() -> None:
    book = Book()
    book.baseline(BASE)
    book.experiment("e0001", 0.9300)
    book.finalize((0.9472, 0.9500), (0.9472, 0.9500))
    assert headline(book.rows, PROGRAM).startswith(
        "nothing won: baseline 0.9527 stands after 1 experiment, sealed 0.9486 ± 0.0014, gap to search -0.0041, "
    )


def test_an_open_campaign_without_a_gain_says_yet() -> None:
    book = Book()
    book.baseline(BASE)
    assert headline(book.rows, PROGRAM).startswith("nothing won yet: baseline 0.9527 stands after 0 experiments")


def test_a_lower_score_wins_when_the_metric_is_minimized() -> None:
    book = Book(direction="minimize")
    book.baseline((3.10, 3.20, 3.15, 3.12, 3.18))
    book.experiment("e0001", 2.80, (2.79, 2.81, 2.83))
    program = {"goal": {"metric": "loss", "direction": "minimize"}}
    assert "so far: baseline 3.150 -> e0001 2.810 (-0.340, 8.2 noise units)" in headline(book.rows, program)


@pytest.mark.parametrize("length", range(0, 60, 1))
def test_every_beginning_of_a_ledger_can_be_told(length: int) -> None:
    rows = campaign().rows
    some = rows[: len(rows) * length // 59]
    assert page(some, PROGRAM).endswith("</html>\n")
    assert summary(some, PROGRAM).startswith("# Campaign")
    assert headline(some, PROGRAM)


def test_a_hostile_text_stays_text_in_markdown() -> None:
    book = campaign()
    book.experiment("e0005", 0.95, hypothesis=HOSTILE)
    told = summary(book.rows, PROGRAM)
    line = next(line for line in told.splitlines() if "alert" in line)
    assert "<script>" not in line
    assert "\\[a\\](http" in line and "!\\[i\\]" in line and " \\| " in line
    assert not [line for line in told.splitlines() if line.startswith("# no")]


def test_reports_can_always_be_written_as_utf8() -> None:
    book = campaign()
    book.experiment("e0005", 0.95, hypothesis=HOSTILE + " Größe 学習率 🚀")
    for told in (page(book.rows, PROGRAM), summary(book.rows, PROGRAM), headline(book.rows, PROGRAM)):
        told.encode()
    assert "Größe 学習率 🚀" in page(book.rows, PROGRAM)


def test_a_crash_is_a_dash_and_never_a_zero() -> None:
    row = next(line for line in summary(campaign().rows, PROGRAM).splitlines() if line.startswith("| e0002"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:6] == ["–", "–", "–", "crash"]


def test_confirmed_changes_show_the_gain_and_interval_of_their_row() -> None:
    book = campaign()
    decided = next(row for row in book.rows if row["event"] == "decided" and row["state"] == "confirmed")
    low, high = decided["interval"]
    for told in (page(book.rows, PROGRAM), summary(book.rows, PROGRAM)):
        assert f"{decided['gain']:+.4f}" in told
        assert f"{low:+.4f} to {high:+.4f}" in told


def test_the_sealed_table_has_a_row_for_each_seed() -> None:
    told = summary(campaign().rows, PROGRAM)
    seeds = [row["seed"] for row in campaign().rows if row["event"] == "measured" and row["purpose"] == "final_score"]
    assert f"| {seeds[2]} | 0.9472 | 0.9667 |" in told
    assert f"| {seeds[3]} | 0.9500 | 0.9694 |" in told
    assert "| search | 0.9527 | 0.9722 |" in told


def test_a_crash_on_sealed_data_is_left_out_of_the_mean() -> None:
    book = campaign()
    book.finalize((0.9472, 0.9500), (0.9667, None))
    assert "| mean | 0.9486 ± 0.0014 | 0.9667 |" in summary(book.rows, PROGRAM)


def test_jobs_time_and_money_are_the_sums_of_the_bills() -> None:
    book = campaign(price_micro=15_000)
    assert headline(book.rows, PROGRAM).endswith("23 jobs, 38 job-seconds, $0.345")
    assert "| spend | $0.345 | $2.00 | 17% |" in summary(book.rows, PROGRAM)


def test_the_experiment_pays_for_its_trial_and_not_for_the_final() -> None:
    row = next(line for line in summary(campaign().rows, PROGRAM).splitlines() if line.startswith("| e0004"))
    assert "| 4 | 8 |" in row


def test_a_released_job_was_never_one() -> None:
    book = campaign()
    before = headline(book.rows, PROGRAM)
    book.row("reserved", job="j9999", label="x", experiment="e0004", purpose="confirm", seed=1)
    assert "24 jobs" in headline(book.rows, PROGRAM)
    book.row("released", job="j9999", why="refused")
    assert headline(book.rows, PROGRAM) == before


def test_limits_come_from_the_approval_and_else_from_the_program() -> None:
    rows = campaign().rows
    assert "| jobs | 23 | 60 | 38% |" in summary(rows, PROGRAM)
    unsaid = [{**row, "limits": {}} if row["event"] == "approved" else row for row in rows]
    assert "| job time | 38s | 1h | 1% |" in summary(unsaid, PROGRAM)
    assert "| job time | 38s | – | – |" in summary(unsaid, {"goal": PROGRAM["goal"]})


def test_only_the_last_campaign_of_a_ledger_is_told() -> None:
    book = campaign()
    book.row("approved", campaign="c-next", digest="e" * 64, limits=LIMITS)
    assert headline(book.rows, PROGRAM) == "no baseline yet: 0 jobs, 0 job-seconds, $0.00"
    assert "e0004" not in page(book.rows, PROGRAM)


def test_a_renewed_approval_keeps_the_campaign() -> None:
    book = campaign()
    book.row("approved", campaign="c-7f3a", digest="e" * 64, limits={**LIMITS, "max_jobs": 99})
    assert "| jobs | 23 | 99 |" in summary(book.rows, PROGRAM)
    assert "e0004" in page(book.rows, PROGRAM)


def test_the_same_rows_give_the_same_bytes() -> None:
    assert page(campaign().rows, PROGRAM) == page(iter(campaign().rows), PROGRAM)
    assert summary(campaign().rows, PROGRAM) == summary(iter(campaign().rows), PROGRAM)
