"""A size in a model's name against its count: what contradicts is a warning, what is no size is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes.hub_server import HubServer, Model
from fakes.hub_server.models import safetensors
from model_facts.samples import LLAMA, encoded, look, put

QUANTIZED = {"quantization_config": {"quant_method": "awq"}}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2}
MANY = 1_500_000


def warned(data: dict[str, Any]) -> list[str]:
    return [line for line in data["warnings"] if line.startswith("its name says")]


def model(*tensors: tuple[str, int], **changes: Any) -> dict[str, bytes]:
    weights = safetensors({f"t{place}": (kind, [size]) for place, (kind, size) in enumerate(tensors)})
    return {**encoded(config__json=LLAMA | changes), "model.safetensors": weights}


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("Qwen2-0.5B", 104_294, "0.5B"),
        ("qwen2-0.5b-instruct", 104_294, "0.5b"),
        ("pythia-70M", MANY, "70M"),
        ("esm2_t33_650M_UR50D", MANY, "650M"),
        ("Mixtral-8x1M", MANY, "8x1M"),
        ("Qwen3-30B-A3B", MANY, "30B"),
        ("TinyStories-656K", MANY, "656K"),
        ("test-1M", 2_000_001, "1M"),
        ("test-1M", 499_999, "1M"),
    ],
)
def test_a_size_that_the_count_contradicts_is_a_warning(
    hub: HubServer, tmp_path: Path, name: str, count: int, said: str
) -> None:
    told = warned(look("--model", put(tmp_path / name, model(("BF16", count)))))
    assert [line.partition(":")[0] for line in told] == [f"its name says {said}, and it has {count:,} parameters"]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("test-1M", 2_000_000),
        ("test-1M", 500_000),
        ("test-1.5M", MANY),
        ("Mixtral-2x1M", MANY),
        ("test-1.5M-A1K", MANY),
        ("test-1.5M-from-70B", MANY),
        ("test-100K", 104_294),
        ("gpt2", MANY),
        ("bert_L-12_H-768", MANY),
        ("in21k-patch16", MANY),
        ("clip-laion2B-s34B-b79K", MANY),
        ("phi-1_3b", MANY),
        ("bloomz-7b1", MANY),
        ("model-4bit", MANY),
        ("mini-0.5k-instruct", MANY),  # the context of 512
        ("convnext-224-1k", MANY),  # the classes
    ],
)
def test_a_size_that_fits_and_a_number_that_is_none_are_not(
    hub: HubServer, tmp_path: Path, name: str, count: int
) -> None:
    files = model(("BF16", count), id2label={str(place): "" for place in range(1_082)})
    assert warned(look("--model", put(tmp_path / name, files))) == []


@pytest.mark.parametrize(
    ("changes", "counts", "is_warned"),
    [
        pytest.param({}, {"F16": MANY}, True, id="plain"),
        pytest.param(QUANTIZED, {"F16": MANY}, False, id="quantized"),
        pytest.param({}, {"F16": 100, "I32": MANY}, False, id="packed"),
        pytest.param({}, {"F16": MANY, "I64": 512}, True, id="positions are no packed weights"),
        pytest.param(EXPERTS, {"F16": MANY}, True, id="fewer than the experts that one token takes"),
        pytest.param(EXPERTS, {"F16": 109_000_000}, False, id="more than the experts that one token takes"),
    ],
)
def test_only_plain_weights_contradict_a_name(
    hub: HubServer, changes: dict[str, Any], counts: dict[str, int], is_warned: bool
) -> None:
    record = {"safetensors": {"parameters": counts, "total": sum(counts.values())}}
    hub.add_model(Model("big-2M/model-17M", encoded(config__json=LLAMA | changes), more=record))
    assert bool(warned(look("--model", "big-2M/model-17M"))) is is_warned


@pytest.mark.parametrize(
    ("files", "record"),
    [
        pytest.param(
            encoded(adapter_config__json={}) | {"a.safetensors": safetensors({"a": ("F32", [64])})}, {}, id="an adapter"
        ),
        pytest.param({"model-17B.gguf": b"x"}, {"gguf": {"total": MANY}}, id="GGUF files"),
        pytest.param(encoded(config__json={"model_type": "odd"}), {}, id="a model that can not be counted"),
    ],
)
def test_what_is_no_count_of_a_whole_model_contradicts_nothing(
    hub: HubServer, files: dict[str, bytes], record: dict[str, Any]
) -> None:
    hub.add_model(Model("ada/model-17B", files, more=record))
    assert warned(look("--model", "ada/model-17B")) == []


def test_a_folder_has_its_own_name_and_not_that_of_a_folder_above(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(put(tmp_path / "x-7B" / "y-1.5M", model(("F16", MANY))))
    assert warned(look("--model", ".")) == []
    monkeypatch.chdir(put(tmp_path / "z-7B", model(("F16", MANY))))
    assert len(warned(look("--model", "."))) == 1
