"""What the memory formula must obey whatever the model, and which machines hold its result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes.hub_server import Fault, HubServer
from mlresearch.model_facts import memory
from mlresearch.model_facts.memory import Plan, adapter_parameters, estimate
from mlresearch.model_facts.shape import Shape, shape_of
from model_facts.samples import LLAMA, llama, look, put

SEVEN: dict[str, Any] = LLAMA | {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
NUMBERS = 7_241_732_096
PLAN = Plan("full", 1024, 2)


def shape(**changes: Any) -> Shape:
    found = shape_of(SEVEN | changes)
    assert found is not None
    return found


def peak(method: str = "full", **changes: Any) -> int:
    return estimate(shape(), NUMBERS, replace(PLAN, method=method, **changes)).peak


@pytest.mark.parametrize("method", ["inference", "lora", "qlora", "full"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_terms_add_up_to_the_peak(method: str, precision: str) -> None:
    made = estimate(shape(), NUMBERS, replace(PLAN, method=method, precision=precision))
    assert sum(made.terms.values()) == made.peak
    assert made.device_bytes > made.peak
    assert made.moment in memory.FORMULAS


def test_full_training_holds_sixteen_bytes_a_parameter_before_any_activation() -> None:
    made = estimate(shape(), NUMBERS, replace(PLAN, sequence=1, batch=1, precision="fp32", optimizer="adamw_fused"))
    assert made.peak / NUMBERS == pytest.approx(16, rel=0.01)
    assert made.moment in ("the optimizer's step", "the end of the backward pass")


def test_on_an_accelerator_adamw_takes_its_square_roots_at_once_unless_fused() -> None:
    plain, fused = (
        estimate(shape(), NUMBERS, replace(PLAN, sequence=1, batch=1, optimizer=name)).peak
        for name in ("adamw", "adamw_fused")
    )
    assert plain > fused


def test_each_saving_saves() -> None:
    assert peak("qlora") < peak("lora") < peak("full")
    assert peak("lora", is_checkpointed=True) < peak("lora")
    assert peak("lora", precision="bf16") < peak("lora", precision="fp32")
    assert peak(optimizer="sgd") < peak(optimizer="adamw_8bit") < peak(optimizer="adamw")
    assert peak("lora", rank=8) < peak("lora", rank=64)
    assert peak("lora", is_fused=True) < peak("lora", is_fused=False)


def test_the_vocabulary_dominates_a_small_model_with_a_large_one() -> None:
    small = shape_of(LLAMA | {"vocab_size": 150_000})
    assert small is not None
    made = estimate(small, 10_000_000, Plan("lora", 512, 4))
    assert made.moment == "the loss's backward pass"
    assert made.terms["logits"] > 0.8 * made.peak


def test_a_loss_in_chunks_has_no_term_that_grows_with_tokens_times_words() -> None:
    long = replace(PLAN, method="lora", sequence=32_768, batch=1, is_checkpointed=True)
    whole, chunked = (estimate(shape(), NUMBERS, replace(long, loss=loss)) for loss in ("whole", "chunked"))
    assert whole.terms["logits"] >= 4 * 32_768 * 32_000
    assert chunked.terms["logits"] <= 4096 * 32_768 * 2
    assert chunked.peak < whole.peak


def test_a_known_model_fits_where_people_train_it() -> None:
    """An 8-billion-class model is answered on 24 GB, trained by QLoRA on 24 GB, by LoRA on 48 GB, in full on none."""
    plan = replace(PLAN, sequence=512, batch=1, is_checkpointed=True)
    needs = {name: estimate(shape(), NUMBERS, replace(plan, method=name)).device_bytes / 1e9 for name in memory.METHODS}
    assert needs["inference"] < 24
    assert needs["qlora"] < 16
    assert 16 < needs["lora"] < 24
    assert 80 < needs["full"] < 180


def test_adapters_on_all_matrices_have_the_known_count() -> None:
    # PEFT prints 41,943,040 for rank 16 on all matrices of a model of this shape
    assert adapter_parameters(shape(), 16) == 41_943_040


def test_flavors_that_fit_come_with_live_prices_cheapest_first(hub: HubServer, tmp_path: Path) -> None:
    data = look("--model", put(tmp_path, llama(**SEVEN)), "--batch", "1", "--sequence-length", "512")
    rows = data["machines"]["qlora"]
    assert rows == sorted(rows, key=lambda row: row["micro_usd_per_hour"])
    assert "CPU" not in {row["device"] for row in rows}
    assert rows[0]["usd_per_hour"] == "$0.40"
    on_cpu = [row["device"] == "CPU" for row in data["machines"]["inference"]]
    assert on_cpu == sorted(on_cpu) and any(on_cpu)


def test_several_devices_do_not_add_up_to_one(hub: HubServer, tmp_path: Path) -> None:
    files = llama(**SEVEN) | {"model.safetensors": b""}
    del files["model.safetensors"]
    data = look("--model", put(tmp_path, files), "--method", "lora", "--batch", "1", "--sequence-length", "512")
    names = [row["flavor"] for row in data["machines"]["lora"]]
    room = {row["flavor"]: row["device_bytes"] for row in data["machines"]["lora"]}
    assert "t4-small" not in names
    assert room["l4x4"] == room["l4x1"] == 24_000_000_000


@pytest.mark.parametrize(
    "fault", [Fault("hardware", status=401, error="no token", times=9), Fault("hardware", kind="drop_before", times=9)]
)
def test_without_prices_no_flavor_is_named_and_the_rest_is_answered(
    hub: HubServer, tmp_path: Path, fault: Fault
) -> None:
    hub.faults.add(fault)
    data = look("--model", put(tmp_path, llama()))
    assert set(data["machines"]["full"]) == set()
    assert data["memory"]["full"]["peak_bytes"] > 0
    assert any("prices were not read" in line for line in data["warnings"])


def test_an_answer_shows_formula_error_and_assumptions(hub: HubServer, tmp_path: Path) -> None:
    words = (
        "--precision",
        "fp32",
        "--method",
        "lora",
        "--batch",
        "3",
        "--sequence-length",
        "9000",
        "--attention",
        "eager",
    )
    data = look("--model", put(tmp_path, llama()), *words)
    told = data["memory"]["lora"]
    assert list(data["memory"]) == ["lora"]
    assert "log-softmax" in memory.FORMULAS["the loss's backward pass"] and told["formula"]
    assert told["error"].startswith("within 20 %")
    assert told["assumed"] | {"batch": 3, "sequence": 9000, "attention": "eager"} == told["assumed"]
    assert any("above the model's context of 512" in line for line in data["warnings"])


def test_what_was_not_measured_says_so(hub: HubServer, tmp_path: Path) -> None:
    told = look("--model", put(tmp_path, llama(model_type="odd")))["memory"]
    assert all("not measured" in each["error"] for each in told.values())
