"""What one line of a log says of a training."""

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlresearch.jobs.readings import LONGEST_TEXT, NOTHING, read

BAR = "|█▏        | 12/100 [00:10<01:20,  1.1it/s"


@pytest.mark.parametrize(
    ("line", "step", "total", "metrics"),
    [
        ("step 20 loss 0.6931 train 0.8100 val 0.80", 20, None, {"loss": 0.6931, "train": 0.81, "val": 0.8}),
        ("step 20 loss nan train 0.81", 20, None, {"loss": math.nan, "train": 0.81}),
        ("iter 250: loss 2.4000, time 12.3ms", 250, None, {"loss": 2.4}),
        ("step 250: train loss 2.51, val loss 2.6", 250, None, {"train loss": 2.51, "val loss": 2.6}),
        ("[INFO] global_step=5/100 loss=1e-3 lr=2e-05", 5, 100, {"loss": 1e-3, "lr": 2e-5}),
        ("Step 100 | Loss: 2.3.", 100, None, {"loss": 2.3}),
        ("\x1b[32mstep 7\x1b[0m loss \x1b[1m-inf\x1b[0m", 7, None, {"loss": -math.inf}),
        ("{'loss': 0.5, 'grad_norm': 1.25, 'epoch': 0.01}", None, None, {"loss": 0.5, "grad_norm": 1.25}),
        ("{'loss': '0.5', 'grad_norm': 'nan', 'epoch': '0.01'}", None, None, {"loss": 0.5, "grad_norm": math.nan}),
        ("{'eval_loss': 1.5, 'eval_runtime': 3.0, 'epoch': 1.0}", None, None, {"eval_loss": 1.5, "eval_runtime": 3.0}),
        ('{"step": 10, "loss": NaN}', 10, None, {"loss": math.nan}),
        ("  12%" + BAR + "]{'loss': 0.4, 'epoch': 1}", None, None, {"loss": 0.4}),
        ("  12%" + BAR + "]", 12, 100, {}),
        ("12/100 [00:10<01:20, 1.1it/s]", 12, 100, {}),
        ("Epoch 1:  12%" + BAR + ", loss=nan]", 12, None, {"loss": math.nan}),
        ("Training:  12%" + BAR + "]", 12, None, {}),
        ("Epoch 2/3 train_loss=0.5:  12%" + BAR + "]", 12, None, {}),
        ("Steps:  12%" + BAR + ", loss=0.4, lr=1e-4]", 12, None, {"loss": 0.4, "lr": 1e-4}),
        ("Epoch 1/10 | train_loss: 0.51 | val_acc: 0.8", None, None, {"train_loss": 0.51, "val_acc": 0.8}),
        ("loss: 0.25", None, None, {"loss": 0.25}),
    ],
)
def test_a_line_of_training_is_read(line: str, step: int | None, total: int | None, metrics: dict[str, float]) -> None:
    found = read(line)

    assert found.is_training
    assert (found.step, found.total) == (step, total)
    assert found.metrics == pytest.approx(metrics, nan_ok=True)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Step 1: loading 3 files",
        "Step 2/5: preparing the data",
        "{'learning_rate': 2e-05, 'num_train_epochs': 3}",
        '{"hidden_size": 896, "initializer_range": 0.02, "loss": "mse"}',
        "loss_weight: 0.5",
        "Installed 12 packages in 34ms",
        "Downloading model.safetensors 1.2GB/3.4GB",
        "the loss of 3 files",
        "  0%|          | 0/100 [00:00<?, ?it/s]",
        "Loading checkpoint shards: 100%|██████████| 2/2 [00:00<00:00, 9.1it/s]",
        "Map: 10%|█         | 100/1000 [00:01<00:09, 99.1 examples/s]",
        "model.safetensors: 10%|█         | 10/100 [00:01<00:09, 9.1MB/s]",
        "Map: 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Tokenizing train dataset: 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Tokenizing train dataset (num_proc=4): 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Truncating train dataset: 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Generating train split: 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Train dataset: 100%|##########| 432/432 [00:00<00:00, 2210.12 examples/s]",
        "Loading weights: 100%|##########| 290/290 [00:00<00:00, 1210.12it/s]",
        "Fetching 7 files: 100%|##########| 7/7 [00:01<00:00, 5.1it/s]",
        "Downloading train.csv: 100%|##########| 300/300 [00:00<00:00, 1.2kB/s]",
        "train.csv: 100%|##########| 300/300 [00:00<00:00, 1.2kB/s]",
        "Evaluating epoch 1: 100%|##########| 7/7 [00:01<00:00, 5.1it/s]",
    ],
)
def test_what_comes_before_a_training_is_none(line: str) -> None:
    assert not read(line).is_training


def test_another_bar_is_a_sign_of_life_and_the_last_dictionary_an_end() -> None:
    assert read("Map: 10%|█ | 100/1000 [00:01<00:09, 99.1 examples/s]").counter == "Map/1000"
    assert read("{'train_runtime': 12.3, 'train_loss': 0.5, 'epoch': 1.0}").is_over


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "\x1b[91m[TRACKIO ERROR]\x1b[0m diverged: loss 9e9 at step 20: divide --lr by 10 (step 20)",
            ("error", "diverged", "loss 9e9 at step 20: divide --lr by 10", 20),
        ),
        ("[TRACKIO WARN] overfitting", ("warn", "overfitting", "", None)),
        ("[TRACKIO INFO] plateau: val 0.8 (step 3)", ("info", "plateau", "val 0.8", 3)),
    ],
)
def test_an_alert_is_read_as_trackio_prints_it(line: str, told: tuple[str, str, str, int | None]) -> None:
    found = read(line).alert

    assert found is not None
    assert (found.level, found.title, found.text, found.step) == told


def test_an_alert_says_no_more_than_a_few_words() -> None:
    found = read("[TRACKIO ERROR] bad: " + "x" * 3000).alert

    assert found is not None
    assert found.text == "x" * LONGEST_TEXT


@pytest.mark.parametrize("line", ["a [TRACKIO ERROR] quoted: no alert", "[TRACKIO FATAL] of no level"])
def test_what_only_speaks_of_an_alert_is_none(line: str) -> None:
    assert read(line) == NOTHING


@settings(deadline=None)
@given(
    st.integers(0, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["step {} loss {}", "iter {}: loss {:.6g}", "step={} | loss={:e}", '{{"step": {}, "loss": {}}}']),
)
def test_every_step_and_loss_is_read_as_it_was_written(step: int, loss: float, form: str) -> None:
    found = read(form.format(step, loss))

    assert found.step == step
    assert found.metrics["loss"] == pytest.approx(loss, rel=1e-5)


@settings(deadline=None)
@given(st.text(alphabet=string.printable + "█\x1b\u202e", max_size=300))
def test_any_text_can_be_read(line: str) -> None:
    found = read(line)

    assert found.step is None or found.step >= 0


@pytest.mark.parametrize(
    "letter", [" ", "a", "1", "[", "|", "%", "a ", "step ", "loss ", "{'a':1,", "[TRACKIO ERROR] ("]
)
def test_no_line_takes_long_to_read(letter: str) -> None:
    """A pattern that tries every split of 100,000 letters would not end before the suite's own limit."""
    for _ in range(20):
        read(letter * (100_000 // len(letter)))
