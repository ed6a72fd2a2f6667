"""SMOKE=1 of every template, started as a person starts it: a new Python, no network, a model made from a config."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from mlresearch.jobs import readings
from mlresearch.model_facts import headers
from mlresearch.model_facts.place import Folder
from templates.lab import DATA, Lab, Outcome, plainly, trackio

KEYS = {"metric", "value", "n", "stderr", "steps", "seconds", "peak_memory_mb", "output", "ended"}
WEIGHTS = {"sft": "adapter_model", "dpo": "adapter_model", "grpo": "adapter_model"}


def assert_said(outcome: Outcome) -> None:
    """The plain metric line, and a last line that says the same as strict JSON."""
    result = outcome.result
    assert set(result) >= KEYS
    assert result["ended"] == "done"
    assert re.findall(rf"(?m)^{result['metric']}: (\S+)$", outcome.log) == [f"{result['value']:.6f}"]


def assert_model_named(outcome: Outcome, weights: str) -> None:
    """One line holds the counts of the files that the run left, and no number that is taken for a step or a loss."""
    (line,) = (line for line in outcome.log.splitlines() if line.startswith("model "))
    trained = counted(outcome.out, f"{weights}.safetensors")
    whole = trained + (counted(outcome.out / "tiny", "model.safetensors") if weights == "adapter_model" else 0)
    assert line == f"model tiny has {whole} parameters, {trained} trained, on cpu"
    for name in ("tiny", "ada/loss", "work/step/eval_loss", "out/epoch/train", "ada/model-step-20"):
        assert readings.read(line.replace("tiny", name)) == readings.NOTHING


def counted(folder: Path, name: str) -> int:
    return sum(headers.count(Folder(folder), name).values())


@pytest.mark.parametrize("name", DATA)
def test_a_training_template_takes_one_training_and_one_evaluation_step(name: str, lab: Lab, tmp_path: Path) -> None:
    done = plainly(
        lab, f"train_{name}", tmp_path, "--model", "tiny", "--data", lab.home / DATA[name], SMOKE="1"
    )  # fmt: skip
    assert_said(done)
    assert_model_named(done, WEIGHTS.get(name, "model"))
    assert set(done.result) == KEYS
    assert done.result["steps"] == 1
    assert done.result["n"] == (6 if name == "grpo" else 8)
    assert len(done.numbers("step")) == len(done.numbers("eval")) == 1
    assert (tmp_path / f"{WEIGHTS.get(name, 'model')}.safetensors").stat().st_size > 1000
    logged = trackio(tmp_path, "query", "project", "--sql", "select step, metrics from metrics order by id")["rows"]
    assert [row["step"] for row in logged] == [1, 1]
    assert "train/loss" in logged[0]["metrics"]


def test_the_language_model_evaluation_sets_model_and_baseline_side_by_side(lab: Lab, tmp_path: Path) -> None:
    lab.train("sft", tmp_path / "model", "--lora-rank", 0, SMOKE="1")
    told = plainly(
        lab, "eval_lm", tmp_path / "out", "--model", tmp_path / "model", "--baseline", tmp_path / "model" / "tiny",
        "--data", lab.home / DATA["sft"], SMOKE="1",
    )  # fmt: skip
    assert_said(told)
    assert told.result["baseline"]["n"] == told.result["n"] == 8
    assert told.result["difference_of_losses"]["value"] < 0


def test_the_classifier_evaluation_sets_model_and_baseline_side_by_side(lab: Lab, tmp_path: Path) -> None:
    lab.train("classifier", tmp_path / "model", SMOKE="1")
    told = plainly(
        lab, "eval_classifier", tmp_path / "out", "--model", tmp_path / "model", "--baseline", "majority",
        "--data", lab.home / DATA["classifier"], SMOKE="1",
    )  # fmt: skip
    assert_said(told)
    assert told.result["baseline"]["value"] >= 0.5
    assert set(told.result["metrics"]) == {"accuracy", "macro_recall"}


def test_the_embedding_evaluation_sets_model_and_baseline_side_by_side(lab: Lab, tmp_path: Path) -> None:
    lab.train("embedding", tmp_path / "model", SMOKE="1")
    told = plainly(
        lab, "eval_embedding", tmp_path / "out", "--model", tmp_path / "model", "--baseline", tmp_path / "model/tiny",
        "--data", lab.home / DATA["embedding"], SMOKE="1",
    )  # fmt: skip
    assert_said(told)
    assert set(told.result["metrics"]) == {"accuracy", "mean_reciprocal_rank"}


def test_a_data_set_is_built_from_at_most_64_rows(lab: Lab, tmp_path: Path) -> None:
    data = lab.home / DATA["classifier"]
    told = plainly(lab, "build_dataset", tmp_path, "--method", "classification", "--data", data, SMOKE="1")
    assert_said(told)
    assert told.result["n"] == 64


def test_nothing_leaves_the_machine_even_where_the_environment_says_so(lab: Lab, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        remote = {"HF_TOKEN": "hf_not_a_token", "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
        remote |= {"TRACKIO_SPACE_ID": "someone/space", "TRACKIO_WEBHOOK_URL": address}
        data = lab.home / DATA["classifier"]
        plainly(lab, "train_classifier", tmp_path, "--model", "tiny", "--data", data, SMOKE="1", **remote)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert trackio(tmp_path, "list", "runs")["runs"]
