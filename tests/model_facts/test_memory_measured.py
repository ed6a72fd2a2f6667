"""The memory formula against real training on the CPU: the peak of tensor bytes that torch's allocator reports."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import template_env
from fakes.hub_server import HubServer
from mlresearch.model_facts import memory
from mlresearch.model_facts.memory import Estimate, Plan
from mlresearch.model_facts.shape import shape_of
from model_facts.samples import look

ALLOWED = 0.20
LIMIT_S = 900  # half a minute on an idle machine
RANK = 8
NAMES = ("llama", "qwen2", "gpt2", "bert", "vit")
BATCHES = {"llama": (4, 256), "qwen2": (2, 128), "gpt2": (4, 128), "bert": (8, 128), "vit": (2, 0)}


def case(
    name: str, method: str, is_checkpointed: bool = False, precision: str = "fp32", loss: str = "whole"
) -> dict[str, Any]:
    batch, sequence = BATCHES[name]
    told = {"name": name, "method": method, "checkpointed": is_checkpointed, "precision": precision, "loss": loss}
    return {**told, "batch": batch, "sequence": sequence}


WAYS = [(method, with_it) for method in ("full", "lora") for with_it in (False, True)]
TRAINED = [case(name, method, with_it) for name in NAMES for method, with_it in WAYS]
ANSWERED = [case(name, "inference") for name in NAMES]
CHUNKED = [
    case("qwen2", "full", loss="chunked"),
    case("qwen2", "lora", True, loss="chunked"),
    case("llama", "lora", loss="chunked"),
    case("gpt2", "full", True, loss="chunked"),
]
HALF = [case(name, method, with_it, "bf16") for name in NAMES for method, with_it in WAYS]


def measured(cases: list[dict[str, Any]], tmp_path: Path) -> list[dict[str, Any]]:
    interpreter = template_env.python()
    if template_env.missing():
        pytest.skip(template_env.missing())
    script = Path(__file__).with_name("measure.py")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(interpreter), str(script), json.dumps(cases), str(tmp_path / "trainer")],
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]


def estimated(seen: dict[str, Any]) -> Estimate:
    """From the config and the count of parameters, as the command has them."""
    shape = shape_of(seen["config"])
    assert shape is not None
    plan = Plan(
        seen["method"],
        seen["sequence"],
        seen["batch"],
        seen["precision"],
        is_checkpointed=seen["checkpointed"],
        rank=RANK,
        on_cpu=True,
        loss=seen["loss"],
    )
    return memory.estimate(shape, seen["parameters"], plan)


def told(seen: dict[str, Any]) -> str:
    made = estimated(seen)
    which = f"{seen['name']} {seen['method']} {seen['precision']}{' checkpointed' if seen['checkpointed'] else ''}"
    off = made.peak / seen["peak"] - 1
    return (
        f"{which}: estimated {made.peak / 1e6:.1f} MB, measured {seen['peak'] / 1e6:.1f} MB, {off:+.1%}, {made.moment}"
    )


def check(cases: list[dict[str, Any]], tmp_path: Path) -> None:
    found = measured(cases, tmp_path)
    assert len(found) == len(cases)
    # a trainer keeps its optimizer
    assert not any(seen["left"] for seen in found if seen["loss"] == "whole"), "the tally missed a tensor's end"
    print("\n".join(map(told, found)))
    wrong = [told(seen) for seen in found if abs(estimated(seen).peak / seen["peak"] - 1) > ALLOWED]
    assert not wrong, "\n".join(wrong)


def test_five_models_peak_within_a_fifth_of_the_estimate_however_they_are_run(tmp_path: Path) -> None:
    check([*TRAINED, *ANSWERED], tmp_path)


@pytest.mark.long
def test_mixed_precision_peaks_within_a_fifth_of_the_estimate(tmp_path: Path) -> None:
    check(HALF, tmp_path)


@pytest.mark.long
def test_trl_s_own_trainer_peaks_within_a_fifth_of_the_estimate(tmp_path: Path) -> None:
    check(CHUNKED, tmp_path)


def test_what_the_library_saved_is_read_as_it_was_built(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    [seen] = measured([case("qwen2", "inference") | {"save": str(folder)}], tmp_path)
    data = look("--model", str(folder))
    assert data["parameters"]["total"] == seen["parameters"]
    assert data["parameters"]["by_type"] == {"F32": seen["parameters"]}
    assert (data["architecture"]["class"], data["architecture"]["layers"]) == ("Qwen2ForCausalLM", 3)
