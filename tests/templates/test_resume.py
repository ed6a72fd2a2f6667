"""Runs that are killed at a random step, and go on: the end is the end of a run that was never stopped."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from templates.lab import Lab, trackio

STEPS = 40
SETTINGS: dict[str, tuple[object, ...]] = {
    "sft": ("--learning-rate", "1e-2", "--batch-size", 4),
    "dpo": ("--learning-rate", "1e-3", "--batch-size", 4),
    "classifier": ("--learning-rate", "1e-3", "--batch-size", 4),
}
BUDGET: tuple[object, ...] = ("--steps", STEPS, "--save-steps", 4, "--eval-steps", STEPS)
# On one thread the arithmetic repeats; the tolerance leaves room for another order of sums.
TOLERANCE = 1e-5


@pytest.mark.parametrize(("name", "sign"), [("sft", "SIGTERM"), ("classifier", "SIGKILL"), ("dpo", "SIGKILL")])
def test_a_run_killed_at_a_random_step_resumes_to_the_same_score(
    name: str, sign: str, lab: Lab, tmp_path: Path
) -> None:
    settings = (*SETTINGS[name], *BUDGET)
    whole = lab.train(name, tmp_path / "whole", *settings)
    step = 2 * random.randint(5, 15)  # a report is every second step
    running = lab.start_training(name, tmp_path / "cut", *settings)
    running.wait_for(f"step {step} ")
    os.kill(running.pid, signal.Signals[sign])
    cut = running.end(143 if sign == "SIGTERM" else -signal.SIGKILL)
    if sign == "SIGTERM":
        assert (cut.result["ended"], cut.result["value"]) == ("stopped", None)
        assert step <= cut.result["steps"] < STEPS
        assert (tmp_path / "cut" / f"checkpoint-{cut.result['steps']}" / "trainer_state.json").exists()
        rows = trackio(cut.out, "query", "project", "--sql", "select max(step) as last from metrics")["rows"]
        assert rows[0]["last"] >= step
    resumed = lab.train(name, tmp_path / "cut", *settings, "--resume")
    assert f"step {STEPS} " in resumed.log
    assert "\nstep 2 " not in resumed.log, f"killed after step {step}, it began anew"
    assert resumed.result["steps"] == STEPS
    assert resumed.numbers("eval")[-1] == pytest.approx(whole.numbers("eval")[-1], rel=TOLERANCE)
    assert resumed.result["value"] == pytest.approx(whole.result["value"], rel=TOLERANCE)


def test_a_checkpoint_that_was_not_written_to_its_end_is_passed_over(lab: Lab, tmp_path: Path) -> None:
    settings = ("--learning-rate", "1e-3", "--batch-size", 4, "--save-steps", 4, "--eval-steps", 12, "--steps", 12)
    whole = lab.train("classifier", tmp_path, *settings)
    (tmp_path / "checkpoint-8" / "trainer_state.json").unlink()
    resumed = lab.train("classifier", tmp_path, *settings, "--resume")
    assert len(resumed.numbers("step")) == 8
    assert resumed.result["value"] == whole.result["value"]


def test_a_run_that_was_done_ends_the_same_and_takes_no_step_beyond_its_budget(lab: Lab, tmp_path: Path) -> None:
    settings = ("--batch-size", 4, "--steps", 4)
    whole = lab.train("classifier", tmp_path, *settings)
    again = lab.train("classifier", tmp_path, *settings, "--resume")
    assert again.result["steps"] == 4
    assert again.result["value"] == whole.result["value"]


def test_a_run_does_not_go_on_from_a_shorter_one_that_left_its_checkpoints_in_the_same_folder(
    lab: Lab, tmp_path: Path
) -> None:
    settings = ("--learning-rate", "1e-3", "--batch-size", 4, "--save-steps", 2, "--steps")
    fresh = lab.train("classifier", tmp_path / "fresh", *settings, 12)
    lab.train("classifier", tmp_path / "shared", *settings, 6)
    assert (tmp_path / "shared" / "checkpoint-4" / "trainer_state.json").exists()
    full = lab.train("classifier", tmp_path / "shared", *settings, 12, "--resume")
    assert f"{tmp_path / 'shared' / 'checkpoint-4'} is of a run of 6 steps: passed over" in full.log
    assert full.numbers("step") == fresh.numbers("step")
    assert full.result["value"] == fresh.result["value"]
