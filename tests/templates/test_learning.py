"""That the templates learn: the loss falls, what must move moves, what must not move stays, the seed decides."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from templates.lab import DATA, HERE, TEMPLATES, Lab, alerts

SEEDED = {
    "sft": ("--learning-rate", "1e-2"),
    "dpo": ("--learning-rate", "1e-3"),
    "reward": ("--learning-rate", "1e-3"),
    "grpo": ("--generations", "4", "--max-completion-length", "4"),
    "classifier": ("--learning-rate", "1e-3"),
    "embedding": ("--learning-rate", "1e-3"),
    "vision": ("--learning-rate", "1e-3"),
}


@pytest.fixture(scope="module")
def speaker(lab: Lab) -> Path:
    """A tiny model that has learned the small language, every weight trained."""
    out = lab.home / "speaker"
    words = ("--lora-rank", 0, "--steps", 100, "--learning-rate", "5e-3", "--batch-size", 8)
    done = lab.train("sft", out, *words, "--save-steps", 100)
    losses = done.numbers("step")
    assert losses[0] > 4.0
    assert done.result["value"] < losses[0] / 10, "100 steps bring the loss of every row to a tenth"
    return out


def test_full_fine_tuning_moves_every_weight(lab: Lab, speaker: Path, tmp_path: Path) -> None:
    told = lab.run(HERE / "compare_weights.py", speaker / "tiny", speaker, out=tmp_path).result["shared"]
    assert len(told) >= 20
    # of the embeddings only the letters that occur are trained
    assert all(share > 0.9 for name, (share, _) in told.items() if "embed" not in name and "lm_head" not in name)
    assert all(share > 0.05 for share, _ in told.values())


def test_lora_teaches_new_words_and_leaves_the_base_weights_untouched(lab: Lab, speaker: Path, tmp_path: Path) -> None:
    words = ("--model", speaker, "--data", lab.home / "strange.jsonl", "--steps", 80, "--save-steps", 80)
    learning = ("--learning-rate", "1e-2", "--batch-size", 8, "--lora-rank", 8)
    done = lab.train("sft", tmp_path / "out", *words, *learning)
    assert done.result["value"] < done.numbers("step")[0] / 2, "80 steps halve the loss on the new language"
    told = lab.run(
        HERE / "train_and_compare.py", TEMPLATES / "train_sft.py", "--output", tmp_path / "again", *words, *learning,
        out=tmp_path,
    ).result  # fmt: skip
    assert told["changed"] == []
    assert told["compared"] >= 20
    assert told["adapters_moved"] == told["adapters"] == 14


def test_an_adapter_that_falls_back_to_guessing_has_diverged(lab: Lab, speaker: Path, tmp_path: Path) -> None:
    """Its loss stays near the logarithm of the vocabulary's size, which no single report gives away."""
    words = ("--model", speaker, "--steps", 40, "--learning-rate", "1e3", "--batch-size", 8, "--save-steps", 40)
    done = lab.train("sft", tmp_path, *words, code=3)
    assert done.numbers("step")[0] < 1 < math.log(259) / 2 < done.numbers("step")[-1]
    assert done.result["steps"] < 40
    assert alerts(tmp_path)["divergence_nan"][0] == "error"


def test_dpo_raises_the_margin_until_the_chosen_answer_wins(lab: Lab, tmp_path: Path) -> None:
    done = lab.train("dpo", tmp_path, "--steps", 120, "--learning-rate", "5e-3", "--batch-size", 8, "--save-steps", 120)
    assert done.result["value"] > 0.9
    assert done.numbers("eval")[-1] < math.log(2) / 2, "120 steps halve the loss that it begins with"
    (margin,) = (float(line.split()[1]) for line in done.log.splitlines() if line.startswith("eval_margin: "))
    assert margin > 0.5, "it begins at 0"


def test_the_reward_model_ranks_nine_in_ten_separable_pairs_right(lab: Lab, tmp_path: Path) -> None:
    done = lab.train(
        "reward", tmp_path, "--steps", 80, "--learning-rate", "2e-3", "--batch-size", 8, "--save-steps", 80
    )
    assert done.result["value"] > 0.9


def test_the_classifier_learns_to_tell_two_classes_apart(lab: Lab, tmp_path: Path) -> None:
    words = ("--steps", 150, "--learning-rate", "2e-3", "--batch-size", 16, "--save-steps", 150)
    done = lab.train("classifier", tmp_path / "model", *words)
    assert done.result["value"] > 0.9
    assert done.numbers("step")[-1] < done.numbers("step")[0] / 2, "150 steps halve the loss"
    again = lab.run(
        "eval_classifier", "--model", tmp_path / "model", "--baseline", "majority",
        "--data", lab.home / DATA["classifier"], "--output", tmp_path / "eval", out=tmp_path,
    ).result  # fmt: skip
    assert again["n"] == 400
    assert again["value"] > 0.9
    assert again["difference"]["value"] > 5 * again["difference"]["stderr"]


def test_the_vision_model_learns_handwritten_digits(lab: Lab, tmp_path: Path) -> None:
    words = ("--steps", 300, "--learning-rate", "3e-3", "--batch-size", 16, "--save-steps", 300)
    done = lab.train("vision", tmp_path, *words)
    assert done.result["value"] > 0.35, "ten classes: guessing reaches 0.1"


def test_the_embedding_model_learns_which_text_belongs_to_which(lab: Lab, tmp_path: Path) -> None:
    words = ("--steps", 40, "--learning-rate", "2e-3", "--batch-size", 32, "--save-steps", 40)
    done = lab.train("embedding", tmp_path, *words)
    losses = done.numbers("eval")
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_decides_the_result_and_repeats_it_to_the_last_bit(name: str, lab: Lab, tmp_path: Path) -> None:
    settings = (*SEEDED[name], "--steps", 3, "--batch-size", 8, "--eval-steps", 3, "--save-steps", 3)
    runs = [
        lab.train(name, tmp_path / folder, *settings, "--seed", seed)
        for folder, seed in (("one", 1), ("again", 1), ("other", 2))
    ]
    told = [(run.numbers("step"), run.result["value"]) for run in runs]
    assert told[0] == told[1]
    assert told[0][0] != told[2][0]
