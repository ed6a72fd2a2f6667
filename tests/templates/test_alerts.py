"""Alerts: each fires on a run that was made to fail in that way, read back with numbers and an action."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from templates.lab import TEMPLATES, Lab, alerts

NAN = float("nan")


@pytest.mark.parametrize(("name", "rate"), [("sft", "1e30"), ("classifier", "1e30"), ("dpo", "1e30")])
def test_a_run_that_diverges_stops_with_an_error_and_no_score(name: str, rate: str, lab: Lab, tmp_path: Path) -> None:
    every_weight = () if name == "classifier" else ("--lora-rank", 0)
    done = lab.train(name, tmp_path, "--steps", 40, "--learning-rate", rate, "--batch-size", 4, *every_weight, code=3)
    assert (done.result["ended"], done.result["value"]) == ("diverged", None)
    assert done.result["steps"] < 40
    level, text = alerts(tmp_path)["divergence_nan"]
    assert level == "error"
    assert re.fullmatch(r"loss \S+ at step \d+, bound \S+: divide --learning-rate by 10", text)
    assert "[TRACKIO ERROR]" in done.log, "who reads the log of a remote job sees it too"


def test_a_run_that_overfits_is_told_where_to_stop(lab: Lab, tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [{"text": f"{draw.random()}", "label": draw.choice("ab")} for _ in range(60)]
    (tmp_path / "noise.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("--steps", 200, "--learning-rate", "2e-3", "--batch-size", 16, "--save-steps", 200, "--eval-steps", 10)
    lab.train("classifier", tmp_path / "out", "--data", tmp_path / "noise.jsonl", *settings)
    level, text = alerts(tmp_path / "out")["overfitting"]
    assert level == "warn"
    assert re.search(r"validation \S+ at step \d+, best \S+ at step \d+, training loss \S+: lower --steps to \d+", text)


def test_a_run_that_learns_nothing_is_called_a_plateau(lab: Lab, tmp_path: Path) -> None:
    lab.train("classifier", tmp_path, "--steps", 60, "--learning-rate", "1e-12", "--batch-size", 4)
    level, text = alerts(tmp_path)["plateau"]
    assert level == "info"
    assert "another lever" in text


def test_a_run_too_short_to_learn_anything_is_called_none(lab: Lab, tmp_path: Path) -> None:
    done = lab.train("classifier", tmp_path, "--steps", 20, "--learning-rate", "1e-12", "--batch-size", 4)
    assert len(done.numbers("eval")) == 10
    assert "plateau" not in alerts(tmp_path)


def test_a_run_near_the_end_of_its_memory_is_told_which_knob_keeps_the_batch(lab: Lab, tmp_path: Path) -> None:
    lab.train("classifier", tmp_path, "--steps", 1, "--batch-size", 4, MEMORY_LIMIT_MB="100")
    level, text = alerts(tmp_path)["memory_pressure"]
    assert level == "warn"
    assert re.match(r"\d+ % of the memory is in use: halve --micro-batch-size \(--batch-size stays", text)


def test_a_run_out_of_memory_says_so_and_names_the_next_rung(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text("".join(json.dumps({"text": "a" * 5000}) + "\n" for _ in range(40)))
    words = ("--output", tmp_path / "out", "--model", "tiny", "--data", tmp_path / "long.jsonl", "--max-length", 4000)
    running = lab.start(
        "train_sft", *words, "--steps", 2, "--batch-size", 32, out=tmp_path / "out", address_space=1_500_000_000
    )
    done = running.end(4)
    assert (done.result["ended"], done.result["value"]) == ("out_of_memory", None)
    level, text = alerts(tmp_path / "out")["oom"]
    assert level == "error"
    assert "halve --micro-batch-size 32" in text


def test_a_run_that_slows_down_is_noticed(lab: Lab, tmp_path: Path) -> None:
    """The process is held for seven times the longest report so far: a stalled disk looks the same from inside."""
    settings = ("--steps", 200, "--batch-size", 4, "--save-steps", 200, "--eval-steps", 200)
    running = lab.start_training("classifier", tmp_path, *settings)
    begun, longest = time.monotonic(), 0.1
    for step in range(10, 90, 10):
        running.wait_for(f"step {step} ")
        longest, begun = max(longest, time.monotonic() - begun) if step > 10 else longest, time.monotonic()
    os.kill(running.pid, signal.SIGSTOP)
    time.sleep(7 * longest)
    os.kill(running.pid, signal.SIGCONT)
    running.end(0)
    level, text = alerts(tmp_path)["throughput_collapse"]
    assert level == "warn"
    assert re.match(r"\S+ steps/s, \S+ before: look at the machine", text)


def test_completions_that_all_earn_the_same_reward_are_noticed(lab: Lab, tmp_path: Path) -> None:
    rows = [{"prompt": "say: ", "answer": "never said"}] * 20
    (tmp_path / "hard.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lab.train("grpo", tmp_path / "out", "--data", tmp_path / "hard.jsonl", SMOKE="1")
    level, text = alerts(tmp_path / "out")["reward_collapse"]
    assert level == "warn"
    assert "one and the same reward (mean 0)" in text


def curve(*values: float, every: int = 1) -> list[list[float]]:
    return [[every * (place + 1), value] for place, value in enumerate(values)]


TABLE: dict[str, tuple[str, list[Any], str | None]] = {
    "falling": ("diverged", [curve(5, 4, 3)], None),
    "not a number": ("diverged", [curve(5, 4, NAN)], "divergence_nan"),
    "not a number at once": ("diverged", [curve(NAN)], "divergence_nan"),
    "three times the first": ("diverged", [curve(5, 4, 3, 15)], None),
    "more than that": ("diverged", [curve(5, 4, 3, 15.1)], "divergence_nan"),
    "a small loss may reach three": ("diverged", [curve(0.1, 0.1, 0.1, 3.0)], None),
    "five reports above twice the first": ("diverged", [curve(2, 4.1, 4.1, 4.1, 4.1, 4.1)], "divergence_nan"),
    "four of them": ("diverged", [curve(2, 4.1, 4.1, 4.1, 4.1)], None),
    "one of five is lower": ("diverged", [curve(2, 4.1, 4.1, 3.9, 4.1, 4.1)], None),
    "a small loss may double": ("diverged", [curve(0.1, 1, 1, 1, 1, 1)], None),
    "worse twice while training falls": ("overfitting", [curve(1, 1.2, 1.3), curve(1, 0.5, 0.2)], "overfitting"),
    "worse once": ("overfitting", [curve(1, 0.9, 1.3), curve(1, 0.5, 0.2)], None),
    "both rise": ("overfitting", [curve(1, 1.2, 1.3), curve(1, 1.1, 1.2)], None),
    "five evaluations without a gain over fifty steps": ("plateau", [curve(1, 1, 1, 1, 1, 1, every=10)], "plateau"),
    "over fewer steps": ("plateau", [curve(1, 1, 1, 1, 1, 1, every=9)], None),
    "six steps of a preflight": ("plateau", [curve(1, 1, 1, 1, 1, 1)], None),
    "many evaluations of few steps": ("plateau", [curve(*[1] * 50)], None),
    "one more of them": ("plateau", [curve(*[1] * 51)], "plateau"),
    "four evaluations without a gain over many steps": ("plateau", [curve(1, 1, 1, 1, 1, every=100)], None),
    "steps count since the last gain": ("plateau", [curve(2, 1.5, 1, 1, 1, 1, 1, 1, every=9)], None),
    "gains": ("plateau", [curve(1, 0.9, 0.8, 0.7, 0.6, 0.5, every=10)], None),
    "a fifth of the usual speed": ("slow", [[1, 10, 10, 10, 10, 10, 2]], None),
    "less than that": ("slow", [[1, 10, 10, 10, 10, 10, 1.9]], "throughput_collapse"),
    "too early to say": ("slow", [[10, 10, 10, 10, 1]], None),
    "room": ("full", [0.92], None),
    "no room": ("full", [0.93], "memory_pressure"),
    "groups differ": ("no_signal", [{"frac_reward_zero_std": 0.9, "reward": 0.0}], None),
    "no group differs": ("no_signal", [{"frac_reward_zero_std": 1.0, "reward": 1.0}], "reward_collapse"),
    "no KL term": ("drifting", [{}], None),
    "far from the start": ("drifting", [{"kl": 11.0}], "kl_spike"),
}


@pytest.fixture(scope="module")
def verdicts(lab: Lab) -> dict[str, Any]:
    table = lab.home / "table.json"
    table.write_text(json.dumps([[function, arguments] for function, arguments, _ in TABLE.values()]))
    script = TEMPLATES.parents[2] / "tests" / "templates" / "judge_table.py"
    told = lab.run(script, TEMPLATES / "train_grpo.py", table, out=lab.home).result["told"]
    return dict(zip(TABLE, told, strict=True))


@pytest.mark.parametrize("case", TABLE)
def test_the_numbers_call_for_the_alert(case: str, verdicts: dict[str, Any]) -> None:
    assert (verdicts[case] and verdicts[case][1]) == TABLE[case][2]
