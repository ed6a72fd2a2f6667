"""The fold: the same state from the first row or from any checkpoint, and no row that gives money back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlresearch.standing import BASELINE, Standing, fold

Row = dict[str, Any]
RESERVED: Row = {
    "label": "l", "backend": "local", "flavor": "cpu", "timeout_s": 60, "reserved_s": 60, "ceiling_micro": 1000,
    "purpose": "free", "seed": None, "seed_index": None, "experiment": None, "train_job": None,
}  # fmt: skip


class Book:
    """Writes rows that are valid at their place, chosen by numbers."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.standing = Standing()
        self.write("approved", campaign="c0")

    def write(self, event: str, **fields: Any) -> None:
        row = {"seq": len(self.rows) + 1, "ts": 1.5 * len(self.rows), "event": event, **copy.deepcopy(fields)}
        fold(self.standing, row)
        self.rows.append(row)

    def step(self, choice: int, detail: int) -> None:
        names = [name for name in dir(self) if name.startswith("_write_")]
        getattr(self, names[choice % len(names)])(detail)

    def _write_approved(self, detail: int) -> None:
        """The same campaign again, or a new one: a name is random, so that one that was left does not return."""
        again = detail % 3 and self.standing.campaign
        self.write("approved", campaign=again or f"c{len(self.rows)}")

    def _write_started(self, detail: int) -> None:
        if not self.standing.started:
            self.write("started", sealed={"evaluate.py": "0"}, files={"train.py": str(detail)}, config={})

    def _write_reserved(self, detail: int) -> None:
        names = list(self.standing.experiments)
        name = names[detail % len(names)] if names and detail % 2 else None
        number = self.standing.next_job + detail % 2
        cost = {"reserved_s": 60 + detail % 60, "ceiling_micro": detail % 5000}
        seed = {"seed_index": detail % 40 if name else None, "seed": detail}
        self.write("reserved", **{**RESERVED, **cost, **seed, "job": f"j{number:04d}", "experiment": name})

    def _write_submitted(self, detail: int) -> None:
        job = self._open(detail)
        if job:
            self.write("adopted" if detail % 2 else "submitted", job=job, job_id=f"id-{detail}", url=None)

    def _write_ended(self, detail: int) -> None:
        job = self._open(detail)
        if job and detail % 3:
            self.write("settled", job=job, billed_s=detail % 90, billed_micro=detail % 3000)
        elif job:
            self.write("released", job=job, why="")

    def _write_measured(self, detail: int) -> None:
        names = list(self.standing.experiments)
        run = {"job": f"m{detail}", "seed": detail, "value": detail / 7 if detail % 4 else None, "stage": "COMPLETED"}
        if self.standing.final is not None and detail % 2:
            self.write("measured", **run, purpose="final_train", experiment=BASELINE, train_job=None)
        elif names:
            name = names[detail % len(names)]
            self.write("measured", **run, purpose="screen", experiment=name, train_job=None)

    def _write_baseline(self, detail: int) -> None:
        if BASELINE in self.standing.experiments:
            self.write("baseline", values=[0.5, 0.6], sigma=0.1, mean=0.55 + detail)

    def _write_planned(self, detail: int) -> None:
        name = f"e{self.standing.next_experiment:04d}"
        self.write("planned", experiment=name, config={"rate": detail}, files={}, by="sampler", lever="rate")

    def _write_analysed(self, detail: int) -> None:
        names = list(self.standing.experiments)
        if names:
            self.write("analysed", experiment=names[detail % len(names)])

    def _write_decided(self, detail: int) -> None:
        names = [name for name in self.standing.experiments if name != BASELINE]
        if names:
            state, decision = [("candidate", "candidate"), ("confirmed", "keep"), ("refuted", "discard")][detail % 3]
            verdict = {"state": state, "decision": decision, "values": [1.0], "best": detail / 3}
            self.write("decided", experiment=names[detail % len(names)], **verdict)

    def _write_stopped(self, detail: int) -> None:
        self.write("stopped", reason="asked", message=str(detail))

    def _write_opened(self, detail: int) -> None:
        if self.standing.final is None:
            self.write("opened", finalists={}, seed_base=detail)

    def _write_finalized(self, detail: int) -> None:
        self.write("finalized")

    def _write_other(self, detail: int) -> None:
        self.write("a row of a later version", detail=detail)

    def _open(self, detail: int) -> str | None:
        names = list(self.standing.open)
        return names[detail % len(names)] if names else None


def written(steps: list[tuple[int, int]]) -> Book:
    book = Book()
    for choice, detail in steps:
        book.step(choice, detail)
    return book


def folded(rows: list[Row], standing: Standing | None = None) -> Standing:
    found = standing or Standing()
    for row in copy.deepcopy(rows):
        fold(found, row)
    return found


STEPS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 10_000)), max_size=40)


@given(STEPS, st.integers(0, 40))
def test_a_checkpoint_at_any_point_changes_nothing(steps: list[tuple[int, int]], cut: int) -> None:
    rows = written(steps).rows
    stored = json.loads(json.dumps(folded(rows[:cut]).dump()))
    assert folded(rows[cut:], Standing.restore(stored)).dump() == folded(rows).dump()


@given(STEPS)
def test_spending_is_never_negative_and_ends_at_what_was_billed(steps: list[tuple[int, int]]) -> None:
    book = written(steps)
    spent = book.standing.spent()
    assert min(spent.jobs, spent.open_jobs, spent.seconds, spent.micro) >= 0
    assert spent.open_jobs <= spent.jobs
    campaign, jobs = "", 0
    for row in book.rows:
        if row["event"] == "approved" and row["campaign"] != campaign:
            campaign, jobs = row["campaign"], 0
        jobs += row["event"] == "reserved"
    assert spent.jobs <= jobs


def test_a_campaign_that_was_left_with_open_jobs_does_not_come_back() -> None:
    book = Book()
    book.write("approved", campaign="c1")
    book.write(
        "reserved",
        **{
            **RESERVED,
            "reserved_s": 60,
            "ceiling_micro": 1,
            "seed_index": None,
            "seed": 0,
            "job": "j0001",
            "experiment": None,
        },
    )
    book.write("approved", campaign="c2")
    with pytest.raises(ValueError, match="a campaign that was left"):
        book.write("approved", campaign="c1")


@given(STEPS, st.integers(0, 10_000), st.integers(0, 10**6), st.integers(0, 10**6))
def test_an_end_never_raises_what_was_reserved(
    steps: list[tuple[int, int]], detail: int, billed_s: int, billed_micro: int
) -> None:
    book = written(steps)
    job = book._open(detail)
    if job is None:
        return
    before = book.standing.spent()
    book.write("settled", job=job, billed_s=billed_s, billed_micro=billed_micro)
    after = book.standing.spent()
    assert (after.seconds, after.micro, after.jobs) <= (before.seconds, before.micro, before.jobs)


@given(STEPS)
def test_a_job_id_is_given_out_once(steps: list[tuple[int, int]]) -> None:
    rows = written(steps).rows
    names = [row["job"] for row in rows if row["event"] == "reserved"]
    assert len(names) == len(set(names))


def test_the_size_of_the_state_does_not_grow_with_the_number_of_jobs() -> None:
    sizes = []
    book = Book()
    for index in range(200):
        book._write_planned(1)
        book._write_reserved(2)
        book._write_submitted(2)
        book._write_ended(1)
        book._write_decided(2)
        if index in (99, 199):
            sizes.append(len(json.dumps(book.standing.dump())))
    assert sizes[1] - sizes[0] < 10


def opened() -> Book:
    """A started campaign with one open job."""
    book = Book()
    book._write_started(0)
    book._write_reserved(0)
    return book


JOB = {"job": "j0001"}
UNFIT: dict[str, tuple[str, Row]] = {
    "settled, unknown job": ("settled", {"job": "j0009", "billed_s": 1, "billed_micro": 1}),
    "settled, negative seconds": ("settled", {**JOB, "billed_s": -1, "billed_micro": 1}),
    "settled, negative money": ("settled", {**JOB, "billed_s": 1, "billed_micro": -1}),
    "settled, money as float": ("settled", {**JOB, "billed_s": 1, "billed_micro": 1.5}),
    "settled, money as text": ("settled", {**JOB, "billed_s": 1, "billed_micro": "1"}),
    "settled, money true": ("settled", {**JOB, "billed_s": 1, "billed_micro": True}),
    "settled, no bill": ("settled", JOB),
    "settled, thousands of digits": ("settled", {**JOB, "billed_s": 10**5000, "billed_micro": 0}),
    "released, unknown job": ("released", {"job": "j0009"}),
    "submitted, unknown job": ("submitted", {"job": "j0009", "job_id": "x"}),
    "submitted, job of a list": ("submitted", {"job": [], "job_id": "x"}),
    "reserved, used id": ("reserved", {**RESERVED, **JOB}),
    "reserved, strange id": ("reserved", {**RESERVED, "job": "x"}),
    "reserved, id a number": ("reserved", {**RESERVED, "job": 7}),
    "reserved, negative ceiling": ("reserved", {**RESERVED, "job": "j0002", "ceiling_micro": -1}),
    "reserved, ceiling as text": ("reserved", {**RESERVED, "job": "j0002", "ceiling_micro": "1"}),
    "reserved, no ceiling": ("reserved", {"job": "j0002"}),
    "reserved, seed index negative": ("reserved", {**RESERVED, "job": "j0002", "seed_index": -1}),
    "started twice": ("started", {"sealed": {}}),
    "measured, unknown experiment": ("measured", {"purpose": "screen", "experiment": "e9"}),
    "measured, final before it began": ("measured", {"purpose": "final_train", "experiment": "e9"}),
    "decided, unknown experiment": ("decided", {"experiment": "e9", "state": "refuted", "decision": "discard"}),
    "approved, no campaign": ("approved", {}),
    "stopped, no reason": ("stopped", {}),
}


@pytest.mark.parametrize(("event", "fields"), UNFIT.values(), ids=UNFIT)
def test_a_row_that_does_not_fit_is_refused_and_spends_or_frees_nothing(event: str, fields: Row) -> None:
    book = opened()
    before = book.standing.spent()
    with pytest.raises((LookupError, ValueError, TypeError, AttributeError)):
        book.write(event, **fields)
    after = book.standing.spent()
    assert (after.jobs, after.seconds, after.micro) == (before.jobs, before.seconds, before.micro)


def test_sealed_data_is_opened_once() -> None:
    book = opened()
    book._write_opened(0)
    with pytest.raises(ValueError, match="second time"):
        book.write("opened", finalists={}, seed_base=0)


def test_another_campaign_starts_its_own_count_and_keeps_the_job_ids() -> None:
    book = opened()
    book.write("approved", campaign="another")
    assert book.standing.spent().jobs == 0
    assert book.standing.next_job == 2
    book.write("settled", job="j0001", billed_s=5, billed_micro=5)  # of the earlier campaign
    assert (book.standing.seconds, book.standing.open) == (0, {})


def test_approving_the_same_campaign_again_keeps_its_spending() -> None:
    book = opened()
    before = book.standing.spent().seconds
    book.write("approved", campaign="c0")
    assert book.standing.spent().seconds == before > 0


DAMAGED: dict[str, Row] = {
    "offset as text": {"offset": "12"},
    "offset negative": {"offset": -1},
    "seq true": {"seq": True},
    "seq null": {"seq": None},
    "money as float": {"micro": 1.0},
    "money negative": {"micro": -1},
    "open jobs a list": {"open": []},
    "open jobs null": {"open": None},
    "head null": {"head": None},
    "incumbent a list": {"incumbent": []},
    "started a number": {"started": 1},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_checkpoint_of_another_shape_is_refused(damage: Row) -> None:
    with pytest.raises(ValueError):
        Standing.restore({**opened().standing.dump(), **damage})


@pytest.mark.parametrize("name", Standing.__slots__)
def test_a_checkpoint_that_lacks_a_field_is_refused(name: str) -> None:
    stored = opened().standing.dump()
    del stored[name]
    with pytest.raises(KeyError):
        Standing.restore(stored)
