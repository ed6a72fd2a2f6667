"""A model that a template pushed to the Hub is loaded from there again, by the names that a user would give."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import template_env
from templates.lab import TEMPLATES
from trials.hub import DATASET, MODEL, TrialHub

HERE = Path(__file__).resolve().parents[1]


def run(name: str, *words: str, at: Path, variables: dict[str, str]) -> dict[str, object]:
    done = subprocess.run(
        [str(template_env.python()), str(TEMPLATES / f"{name}.py"), *words],
        cwd=at, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.skipif(bool(template_env.missing()), reason=template_env.missing())
def test_an_adapter_is_pushed_to_the_hub_and_evaluated_from_there_on_conversations(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    make = [str(template_env.python()), str(HERE / "trials" / "make.py"), str(made)]
    subprocess.run(make, check=True, capture_output=True)
    with TrialHub(tmp_path / "jobs", made, {}) as hub:
        plain = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"}
        where = {"at": tmp_path, "variables": plain | hub.environment}
        sizes = ("--steps", "30", "--batch-size", "8", "--learning-rate", "0.01", "--eval-rows", "16")
        words = ("--model", MODEL, "--data", DATASET, "--hub-model-id", "ada/talks", "--output", "out", *sizes)
        trained = run("train_sft", *words, **where)  # type: ignore[arg-type]
        assert trained["output"] == "ada/talks"
        assert "adapter_model.safetensors" in hub.repos.repos["model", "ada/talks"].files

        asked = ("--model", "ada/talks", "--baseline", MODEL, "--data", DATASET, "--output", "judged", "--rows", "24")
        judged = run("eval_lm", *asked, **where)  # type: ignore[arg-type]
        assert judged["metric"] == "perplexity"
        assert judged["n"] == 24
        assert judged["difference_of_losses"]["value"] < 0  # type: ignore[index]
