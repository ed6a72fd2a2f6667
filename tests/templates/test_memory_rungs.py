"""Less memory, the same training: fewer rows at once and recomputed activations change no gradient."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from templates.lab import HERE, Lab

# one step of plain SGD with rate 1 and no momentum: the weights move by the gradient
ONE_STEP: tuple[object, ...] = ("--steps", 1, "--optimizer", "sgd", "--learning-rate", "1.0", "--batch-size", 8)
RUNGS: tuple[tuple[object, ...], ...] = (
    ("--micro-batch-size", 2),
    ("--micro-batch-size", 4, "--gradient-checkpointing"),
)
FULL: dict[str, tuple[object, ...]] = {
    "sft": ("--lora-rank", 0),
    "dpo": ("--lora-rank", 0),
    "reward": (),
    "classifier": (),
    "embedding": (),
    "vision": (),
}
TOLERANCE = 2e-5


def without_dropout(lab: Lab, name: str, folder: Path) -> Path:
    """The tiny model of a template, less its dropout: the order of random numbers is no gradient."""
    lab.train(name, folder, SMOKE="1")
    config = folder / "tiny" / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps(told | {key: 0.0 for key in told if "dropout" in key and told[key]}))
    return folder / "tiny"


@pytest.mark.parametrize("name", FULL)
def test_every_rung_takes_the_same_step(name: str, lab: Lab, tmp_path: Path) -> None:
    start = without_dropout(lab, name, tmp_path / "start")
    settings = ("--model", start, *FULL[name], *ONE_STEP)
    whole = lab.train(name, tmp_path / "whole", *settings)
    for number, rung in enumerate(RUNGS):
        lower = lab.train(name, tmp_path / str(number), *settings, *rung)
        assert lower.numbers("step") == pytest.approx(whole.numbers("step"), rel=1e-3)
        told = lab.run(HERE / "compare_weights.py", tmp_path / "whole", tmp_path / str(number), out=tmp_path).result
        assert len(told["shared"]) > 10
        assert max(gap for _, gap in told["shared"].values()) < TOLERANCE
    moved = lab.run(HERE / "compare_weights.py", start, tmp_path / "whole", out=tmp_path).result
    assert max(gap for _, gap in moved["shared"].values()) > 50 * TOLERANCE, "the step is far larger than the tolerance"


def test_rows_at_once_that_do_not_divide_the_batch_are_refused(lab: Lab, tmp_path: Path) -> None:
    done = lab.train("sft", tmp_path, "--batch-size", 8, "--micro-batch-size", 3, code=2)
    assert "--batch-size 8 is no multiple of the 3 rows that are held at once" in done.log
