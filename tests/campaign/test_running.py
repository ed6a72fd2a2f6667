"""Runs are submitted with the stored bytes, the fixed seeds and the protected values, and collected as they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.toy_project import STARTED, TRAIN, Approve, Toy
from mlresearch import jobs, ledger, store
from mlresearch.backends import SourceFile
from mlresearch.backends.local import LocalBackend
from mlresearch.campaign import judging, opening, rules, running
from mlresearch.errors import EnvelopeBreach, GateError, UsageError
from mlresearch.jobs import Order
from mlresearch.jobs.order import spec

SLOW = {"Run": {"args": ["--out", "{out}", "--sleep", "30"]}}


def arguments(toy: Toy, job: str) -> list[str]:
    stored = store.get(str(toy.root / "runs" / "jobs" / job / "spec.json"))
    assert isinstance(stored, dict)
    return list(stored["args"])


def option(toy: Toy, job: str, flag: str) -> str:
    """The value that the script sees: the last one given."""
    words = arguments(toy, job)
    return words[len(words) - 1 - words[::-1].index(flag) + 1]


def test_baseline_runs_differ_in_their_seed_alone(measured: Approve) -> None:
    toy = measured()
    runs = [row["job"] for row in toy.rows("reserved")]
    seeds = [option(toy, job, "--seed") for job in runs]
    assert seeds == [str(rules.seed_of(toy.seal().salt, index)) for index in range(3)]
    others = [[word for word in arguments(toy, job) if word not in seeds] for job in runs]
    assert others == [["--out", ".", "--seed"]] * 3


def test_an_experiment_gets_the_incumbents_configuration_and_its_change(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 2.5})
    (run,) = running.submit(toy.path, name)
    assert option(toy, run.job, "--rate") == "2.5"


def test_a_protected_option_keeps_its_value_whatever_comes_before_it(measured: Approve) -> None:
    toy = measured({
        "Scope": {"protected": {"--mode": "plain"}},
        "Run": {
            "args": ["--out", "{out}", "--mode", "fancy"],
            "parameters": {"rate": {"flag": "--rate", "kind": "float", "low": 0, "high": 6}},
        },
    })  # fmt: skip
    name = toy.propose({"rate": 2.5})
    (run,) = running.submit(toy.path, name)
    assert option(toy, run.job, "--mode") == "plain"


def test_no_more_runs_start_than_the_envelope_allows_at_once(approved: Approve) -> None:
    toy = approved({**SLOW, "Budget envelope": {"max_parallel": 2}})
    opening.start(toy.path)
    assert len(running.submit(toy.path, "baseline")) == 2
    assert running.submit(toy.path, "baseline") == []
    assert len(toy.standing().open) == 2


def test_a_place_that_somebody_else_took_means_wait(approved: Approve, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = approved({**SLOW, "Budget envelope": {"max_parallel": 1}})
    opening.start(toy.path)
    backend = LocalBackend(toy.path)
    (toy.root / "free.py").write_text("import time; time.sleep(30)\n")
    free = Order(backend="local", script=str(toy.root / "free.py"), flavor="cpu", timeout_s=60)

    def intrude(order: Order) -> None:
        if order.purpose == "baseline" and not toy.standing().open:
            jobs.submit(toy.path, free, backend)

    assert running.submit(toy.path, "baseline", intrude) == []
    assert not toy.standing().stopped


def test_a_run_that_the_guard_does_not_allow_is_not_started(approved: Approve) -> None:
    toy = approved()
    opening.start(toy.path)

    def refuse(order: Order) -> None:
        raise EnvelopeBreach("not from here", terminal=False)

    with pytest.raises(EnvelopeBreach, match="not from here"):
        running.submit(toy.path, "baseline", refuse)
    assert not toy.rows("reserved")


def test_a_sealed_file_edited_between_plan_and_submit_stops_the_submit(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 2.5})
    before = len(toy.rows())
    (toy.root / "evaluate.py").write_text("print('test_accuracy: 1')\n")
    with pytest.raises(GateError, match=r"evaluate\.py"):
        running.submit(toy.path, name)
    assert len(toy.rows()) == before
    assert len(toy.starts()) == 3


def test_a_sealed_file_that_no_job_carries_stops_the_submit_too(toy: Toy, approved: Approve) -> None:
    (toy.root / "labels.csv").write_text("1,0\n")
    approved({"Scope": {"sealed_files": ["evaluate.py", "labels.csv"]}})
    opening.start(toy.path)
    (toy.root / "labels.csv").write_text("1,1\n")
    with pytest.raises(GateError, match=r"labels\.csv"):
        running.submit(toy.path, "baseline")
    assert not toy.rows("reserved")


def test_a_run_uses_the_bytes_of_its_plan_whatever_happens_to_the_files(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 2.5})
    (toy.root / "train.py").write_text("raise SystemExit('edited')\n")
    toy.measure(name)
    (run,) = toy.standing().experiments[name]["runs"]
    assert run["value"] is not None


def test_stored_bytes_that_were_damaged_are_never_run(measured: Approve) -> None:
    toy = measured()
    name = toy.propose({"rate": 2.5})
    for kept in (toy.root / "runs" / "files").iterdir():
        kept.write_text("print('val_accuracy: 1.0')\n")
    with pytest.raises(GateError, match="missing or damaged"):
        running.submit(toy.path, name)
    assert len(toy.rows("reserved")) == 3


def test_sealed_code_travels_with_every_job(measured: Approve) -> None:
    toy = measured()
    for row in toy.rows("reserved"):
        source = toy.root / "runs" / "jobs" / row["job"] / "src"
        assert (source / "evaluate.py").read_bytes() == (toy.root / "evaluate.py").read_bytes()


def test_an_argument_finds_a_file_that_travels_with_the_job(toy: Toy, measured: Approve) -> None:
    with (toy.root / "train.py").open("a") as script:
        script.write("assert open(options.mode).read() == 'plain'\n")
    (toy.root / "mode.txt").write_text("plain")
    files = ["train.py", "mode.txt"]
    measured({"Scope": {"editable_files": files}, "Run": {"args": ["--out", "{out}", "--mode", "{src}/mode.txt"]}})
    assert [row["exit_code"] for row in toy.rows("settled")] == [0, 0, 0]


def test_an_unknown_experiment_has_no_runs_to_submit(measured: Approve) -> None:
    toy = measured()
    with pytest.raises(UsageError, match="'e0009' has no runs to submit"):
        running.submit(toy.path, "e0009")


FAULTS: dict[str, tuple[str, str]] = {
    "prints no metric": ("print('done')\n", "no line of the log matches"),
    "prints NaN": ("print('val_accuracy: nan')\n", "no finite number"),
    "prints a metric and fails": ("print('val_accuracy: 0.9')\nraise SystemExit(1)\n", "FAILED: exit code 1"),
    "raises": ("raise RuntimeError('no')\n", "FAILED: exit code 1"),
}


@pytest.mark.parametrize(("tail", "why"), FAULTS.values(), ids=FAULTS)
def test_a_run_without_a_sound_metric_has_none_and_asks_for_no_further_run(
    tail: str, why: str, toy: Toy, approved: Approve
) -> None:
    (toy.root / "train.py").write_text(STARTED + tail)
    approved({"Budget envelope": {"max_parallel": 1}})
    opening.start(toy.path)
    toy.measure("baseline")
    (row,) = toy.rows("measured")
    assert row["value"] is None
    assert why in row["why"]
    assert len(toy.starts()) == 1


# ends as a job does whose runner died with it
LOSING = STARTED + "import os\nos.kill(os.getpid(), 9)\n"


def test_a_run_killed_by_the_machine_is_repeated_twice_and_then_counts_as_a_crash(measured: Approve) -> None:
    toy = measured({"Scope": {"editable_files": ["train.py"]}})
    (toy.root / "train.py").write_text(LOSING)
    (toy.root / "runs" / "notes.txt").write_text("evidence\n")
    anchor = {"file": "runs/notes.txt", "quote": "evidence", "reason": "it is there"}
    name = toy.propose({}, "model", anchor=anchor)
    toy.measure(name)
    seeds = [row["seed"] for row in toy.rows("reserved") if row["experiment"] == name]
    assert len(seeds) == len(set(seeds)) == 1 + rules.RETRIES
    ledger.append(toy.path, "analysed", experiment=name, files={})
    decided = judging.decide(toy.path, name)
    assert (decided["state"], decided["decision"], decided["values"]) == ("crash", "crash", [None])


def test_a_canceled_run_is_repeated(approved: Approve) -> None:
    toy = approved(SLOW)
    opening.start(toy.path)
    first = {run.job for run in running.submit(toy.path, "baseline")}
    assert len(first) == 3
    toy.end_jobs()
    running.collect(toy.path, 5.0)
    assert rules.missing(toy.standing(), "baseline", toy.seal().program["criteria"]) == 3


def test_a_job_that_runs_past_its_timeout_is_ended_and_gives_nothing(approved: Approve) -> None:
    toy = approved({"Run": {**SLOW["Run"], "timeout": "1s"}, "Budget envelope": {"max_parallel": 1}})
    opening.start(toy.path)
    toy.measure("baseline")
    (row,) = toy.rows("measured")
    assert (row["stage"], row["value"]) == ("TIMEOUT", None)


def test_nothing_is_collected_without_an_approval(toy: Toy) -> None:
    with pytest.raises(GateError, match="no approved campaign"):
        running.collect(toy.path)


@pytest.mark.parametrize(("text", "megabytes"), [(None, None), ("500m", 500), ("2g", 2048)])
def test_a_size_of_memory(text: str | None, megabytes: int | None) -> None:
    assert running.memory_mb(text) == megabytes


@pytest.mark.parametrize("text", ["", "m", "2", "2t", "-2g", "0g", "1.5g", "\uff12g", " 2g"])
def test_a_size_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        running.memory_mb(text)


def test_a_script_in_a_folder_keeps_its_path(tmp_path: Path) -> None:
    file = SourceFile("src/train.py", TRAIN.encode())
    order = Order(backend="local", script="src/train.py", flavor="cpu", timeout_s=60, files=(file,))
    files = jobs.source_files(order)
    made: Any = spec(order, files, "j0001", "label")
    assert [entry.path for entry in made.files] == ["src/train.py"]
