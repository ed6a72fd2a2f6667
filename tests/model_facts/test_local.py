"""Model folders on this machine: each kind, its tokenizer, and what is said of what is not read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fakes.hub_server import HubServer
from fakes.hub_server.models import safetensors
from mlresearch.model_facts import counting
from mlresearch.model_facts.shape import shape_of
from mlresearch.model_facts.tokenizer import template_facts
from model_facts.samples import LLAMA, LLAMA_NUMBERS, TOKENIZER, ask, encoded, failed, llama, look, put, text

ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "ada/base", "r": 16, "target_modules": ["q_proj"]}


def test_a_folder_is_read_as_the_hub_is(hub: HubServer, tmp_path: Path) -> None:
    data = look("--model", put(tmp_path / "m", llama()))
    assert (data["source"], data["license"], data["parameters"]["total"]) == ("local", "mit", LLAMA_NUMBERS)
    assert data["path"] == str(tmp_path / "m")
    assert [asked.place for asked in hub.asked] == ["/api/jobs/hardware"]


def test_a_tokenizer_is_told_with_its_template(hub: HubServer, tmp_path: Path) -> None:
    told = look("--model", put(tmp_path, llama()))["tokenizer"]
    assert (told["class"], told["model"], told["vocabulary"]) == ("PreTrainedTokenizerFast", "BPE", 100)
    assert told["special_tokens"] == {"bos_token": "<s>", "eos_token": "</s>"}
    template = told["chat_template"]
    assert template["roles"] == ["system", "user", "assistant"]
    assert [template[name] for name in ("tools", "tool_calls", "marks_generation", "documents")] == [True] * 3 + [False]


def test_a_template_in_its_own_file_wins_over_the_configs(hub: HubServer, tmp_path: Path) -> None:
    files = llama() | {"chat_template.jinja": b"{% if m.role == 'tool' %}"}
    assert look("--model", put(tmp_path, files))["tokenizer"]["chat_template"]["roles"] == ["tool"]


def test_several_named_templates_are_all_named() -> None:
    told = template_facts({"default": "'user'", "tool_use": "tools 'tool'"})
    assert told is not None
    assert (told["names"], told["roles"], told["tools"]) == (["default", "tool_use"], ["user", "tool"], True)
    assert template_facts({}) is None


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        (encoded(tokenizer__json={"model": {"vocab": {"a": 500}}}), "501 ids, the model 100 embeddings"),
        ({"model.py": b"", **encoded(config__json=LLAMA | {"auto_map": {"AutoModel": "x"}})}, "trust_remote_code"),
        (encoded(config__json=LLAMA | {"quantization_config": {"quant_method": "awq"}}), "quantized"),
        ({"adapter_config.json": b"{}"}, "it was not counted"),
        ({}, "no pad token"),
    ],
)
def test_what_will_hurt_later_is_a_warning(
    hub: HubServer, tmp_path: Path, files: dict[str, bytes], warning: str
) -> None:
    told = look("--model", put(tmp_path, llama() | files))["warnings"]
    assert any(warning in line for line in told), told


def test_a_model_without_a_tokenizer_or_with_one_not_read_says_so(hub: HubServer, tmp_path: Path) -> None:
    bare = encoded(config__json=LLAMA)
    assert "no tokenizer lies beside the model" in look("--model", put(tmp_path / "a", bare))["warnings"]
    data = look("--model", put(tmp_path / "b", bare | {"tokenizer.model": b"x"}))
    assert (data["tokenizer"]["vocabulary"], data["tokenizer"]["not_read"]) == (None, ["tokenizer.model"])


def test_an_adapter_names_its_base_and_estimates_nothing(hub: HubServer, tmp_path: Path) -> None:
    weights = safetensors({"a": ("F32", [16, 64]), "b": ("F32", [64, 16])})
    folder = put(tmp_path, encoded(adapter_config__json=ADAPTER) | {"adapter_model.safetensors": weights})
    data = look("--model", folder)
    assert (data["kind"], data["parameters"]["total"], data["memory"]) == ("adapter", 2048, {})
    assert data["adapter"]["base"] == "ada/base"
    assert any("--model ada/base" in line for line in data["warnings"])
    assert "adapter LORA of ada/base, rank 16" in text("--model", folder)


def test_a_sentence_transformer_tells_its_pooling(hub: HubServer, tmp_path: Path) -> None:
    modules = [
        {"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    files = {f"0_Transformer/{name}": data for name, data in llama(architectures=["LlamaModel"]).items()}
    files |= encoded(modules__json=modules)
    files["1_Pooling/config.json"] = json.dumps(
        {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    ).encode()
    data = look("--model", put(tmp_path, files))
    assert (data["kind"], data["architecture"]["pooling"]) == ("sentence-transformers", "mean_tokens")
    assert (data["architecture"]["head"], data["parameters"]["total"]) == ("none", LLAMA_NUMBERS)
    assert data["memory"]["full"]["terms"].get("logits", 0) == 0


def test_a_picture_model_takes_its_tokens_from_the_patches(hub: HubServer, tmp_path: Path) -> None:
    config = {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "image_size": 224,
        "patch_size": 16,
    }
    data = look("--model", put(tmp_path, encoded(config__json=config)))
    assert data["memory"]["full"]["assumed"]["sequence"] == 14 * 14 + 1
    assert "no tokenizer lies beside the model" not in data["warnings"]


def test_a_config_without_sizes_gives_facts_and_no_memory(hub: HubServer, tmp_path: Path) -> None:
    data = look("--model", put(tmp_path, encoded(config__json={"architectures": ["Odd"], "model_type": "odd"})))
    assert (data["parameters"]["total"], data["memory"]) == (None, {})
    assert any("memory is not estimated" in line for line in data["warnings"])
    assert "architecture Odd" in text("--model", str(tmp_path))


@pytest.mark.parametrize(
    ("config", "numbers", "within"),
    [
        # counts as the models' own pages give them
        pytest.param(
            {
                "architectures": ["GPT2LMHeadModel"],
                "model_type": "gpt2",
                "n_embd": 768,
                "n_layer": 12,
                "n_head": 12,
                "n_positions": 1024,
                "vocab_size": 50257,
            },
            124_439_808,
            0.001,
            id="gpt2",
        ),
        pytest.param(
            {
                "architectures": ["Qwen2ForCausalLM"],
                "model_type": "qwen2",
                "hidden_size": 896,
                "intermediate_size": 4864,
                "num_hidden_layers": 24,
                "num_attention_heads": 14,
                "num_key_value_heads": 2,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": True,
                "vocab_size": 151936,
            },
            494_032_768,
            0.001,
            id="qwen2.5-0.5b",
        ),
        pytest.param(
            {
                "architectures": ["BertForMaskedLM"],
                "model_type": "bert",
                "hidden_size": 768,
                "intermediate_size": 3072,
                "num_hidden_layers": 12,
                "num_attention_heads": 12,
                "max_position_embeddings": 512,
                "vocab_size": 30522,
            },
            109_514_298,
            0.01,
            id="bert-base",
        ),
        pytest.param(
            {
                "architectures": ["MixtralForCausalLM"],
                "model_type": "mixtral",
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "num_local_experts": 8,
                "num_experts_per_tok": 2,
                "rms_norm_eps": 1e-5,
                "tie_word_embeddings": False,
                "vocab_size": 32000,
            },
            46_702_792_704,
            0.001,
            id="mixtral-8x7b",
        ),
    ],
)
def test_arithmetic_comes_near_the_published_count(config: dict[str, Any], numbers: int, within: float) -> None:
    shape = shape_of(config)
    assert shape is not None
    assert counting.by_arithmetic(shape) == pytest.approx(numbers, rel=within)


def test_the_language_part_of_a_model_of_several_is_read(hub: HubServer, tmp_path: Path) -> None:
    config = {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "text_config": LLAMA}
    data = look("--model", put(tmp_path, llama() | encoded(config__json=config)))
    assert (data["architecture"]["layers"], data["architecture"]["context"]) == (2, 512)
    assert any("tower" in line for line in data["warnings"])


@pytest.mark.parametrize("junk", [None, True, -1, 0, 1.5, "12", [], ["x"], {}, {"a": 1}, 10**40, [4, 8]], ids=repr)
def test_nonsense_in_a_config_is_an_answer_or_a_plain_failure(hub: HubServer, tmp_path: Path, junk: Any) -> None:
    for name in [*LLAMA, "text_config", "hidden_dropout_prob", "image_size", "quantization_config", "rope_scaling"]:
        folder = put(
            tmp_path / name, encoded(config__json=LLAMA | {name: junk}, tokenizer_config__json={"pad_token": junk})
        )
        code, told = ask("--model", folder)
        assert code in (0, 1), (name, told)
        assert code == 0 or set(told) == {"error", "fallback"}


def test_a_path_that_is_no_folder_is_refused(hub: HubServer, tmp_path: Path) -> None:
    assert "there is no" in failed("--model", str(tmp_path / "gone"))["error"]
    (tmp_path / "config.json").write_text("{}")
    code, told = ask("--model", str(tmp_path / "config.json"))
    assert (code, told["fallback"].endswith(f"--model {tmp_path}")) == (2, True)
    assert ask("--model", str(tmp_path), "--revision", "main")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--batch", "0"),
        ("--batch", "many"),
        ("--sequence-length", "-1"),
        ("--lora-rank", "99999"),
        ("--method", "prefix"),
        ("--precision", "fp8"),
        ("--optimizer", "muon"),
        ("--backend", "slurm"),
    ],
)
def test_what_can_be_no_plan_is_refused(hub: HubServer, tmp_path: Path, words: tuple[str, str]) -> None:
    code, told = ask("--model", put(tmp_path, llama()), *words)
    assert (code, set(told)) == (2, {"error", "fallback"})


def test_the_whole_reads_as_text(hub: HubServer, tmp_path: Path) -> None:
    told = text("--model", put(tmp_path, llama(rope_scaling={"factor": 2})))
    for part in (
        "99,136 parameters",
        "licence mit",
        "2 for keys and values",
        "rope {'factor': 2}",
        "chat template: roles",
    ):
        assert part in told
    assert "qlora fits: t4-small $0.40/h (bf16 is slow there)" in told
    assert re.search(r"qlora fits: .*l4x1 \$0.80/h(?! \()", told)
    assert json.loads(json.dumps(TOKENIZER))["model"]["type"] == "BPE"
