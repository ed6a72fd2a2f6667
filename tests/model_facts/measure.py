"""Trains small models for two steps on the CPU and prints the peak of tensor bytes: one JSON object a line.

Run by the interpreter of the templates with the cases as JSON, [{"name", "method", "checkpointed", "batch", "sequence",
"precision", "loss"}], and a folder. The peak is the highest sum of what torch's own allocator reports, beside the
model: what the same tensors would take on an accelerator, without the noise of the process.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

# by name, since the environment of the tests has none of them
torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")
peft: Any = importlib.import_module("peft")
profiler: Any = importlib.import_module("torch.profiler")

RANK = 8
SMALL = {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 6}
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": (
        "LlamaConfig",
        "LlamaForCausalLM",
        {**SMALL, "vocab_size": 8000, "intermediate_size": 1024, "num_key_value_heads": 2},
    ),
    "qwen2": (
        "Qwen2Config",
        "Qwen2ForCausalLM",
        {
            "vocab_size": 40000,
            "hidden_size": 256,
            "intermediate_size": 688,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "gpt2": (
        "GPT2Config",
        "GPT2LMHeadModel",
        {"vocab_size": 8000, "n_embd": 384, "n_layer": 4, "n_head": 6, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "bert": ("BertConfig", "BertForSequenceClassification", {**SMALL, "vocab_size": 8000, "intermediate_size": 1536}),
    "vit": ("ViTConfig", "ViTForImageClassification", {**SMALL, "intermediate_size": 1536}),
}


def built(case: dict[str, Any]) -> Any:
    config_class, model_class, values = MODELS[case["name"]]
    config = getattr(transformers, config_class)(**values)
    config.use_cache = case["method"] == "inference"
    dtype = torch.bfloat16 if case["precision"] == "bf16" and case["method"] != "full" else torch.float32
    torch.set_default_dtype(dtype)
    model = getattr(transformers, model_class)(config)
    torch.set_default_dtype(torch.float32)
    if case["checkpointed"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if case["method"] == "lora":
        model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, target_modules="all-linear"))
        if case["checkpointed"]:
            model.enable_input_require_grads()
    return model.eval() if case["method"] == "inference" else model.train()


def batch(case: dict[str, Any], model: Any) -> dict[str, Any]:
    count = case["batch"]
    if case["name"] == "vit":
        pixels = torch.randn(count, 3, 224, 224, dtype=next(model.parameters()).dtype)
        return {"pixel_values": pixels, "labels": torch.zeros(count, dtype=torch.long)}
    words = torch.randint(0, model.config.vocab_size, (count, case["sequence"]))
    return {"input_ids": words, "labels": torch.zeros(count, dtype=torch.long) if case["name"] == "bert" else words}


def steps(case: dict[str, Any], model: Any, inputs: dict[str, Any]) -> None:
    if case["method"] == "inference":
        kept = {} if case["name"] in ("bert", "vit") else {"logits_to_keep": 1}
        with torch.no_grad():
            model(**{name: value for name, value in inputs.items() if name != "labels"}, **kept)
        return
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=case["precision"] == "bf16"):
            loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def trainer_of(case: dict[str, Any], model: Any, folder: str) -> Any:
    """TRL's own trainer, whose loss is computed in chunks."""
    trl: Any = importlib.import_module("trl")
    tokenizers: Any = importlib.import_module("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="b", pad_token="b")
    rows = [{"input_ids": torch.randint(0, 1000, (case["sequence"],)).tolist()} for _ in range(2 * case["batch"])]
    config = trl.SFTConfig(
        output_dir=folder,
        max_steps=2,
        per_device_train_batch_size=case["batch"],
        max_length=case["sequence"],
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        optim="adamw_torch",
        gradient_checkpointing=case["checkpointed"],
        gradient_checkpointing_kwargs={"use_reentrant": False},
    )
    data = importlib.import_module("datasets").Dataset.from_list(rows)
    return trl.SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer)


def peak(case: dict[str, Any]) -> dict[str, Any]:
    model = built(case)
    if case.get("save"):
        model.save_pretrained(case["save"])
    inputs = batch(case, model)
    trainer = trainer_of(case, model, sys.argv[2]) if case["loss"] == "chunked" else None
    held = [*model.parameters(), *model.buffers(), *inputs.values()]
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], profile_memory=True) as profiled:
        trainer.train() if trainer else steps(case, model, inputs)
    events = [each for each in profiled.profiler.kineto_results.events() if each.name() == "[memory]"]
    now = most = 0
    for each in sorted(events, key=lambda event: event.start_ns()):
        now += each.nbytes()
        most = max(most, now)
    return {
        **case,
        "config": model.config.to_dict() | {"architectures": [MODELS[case["name"]][1]]},
        "parameters": sum(p.numel() for name, p in model.named_parameters() if "lora_" not in name),
        "peak": most + sum(each.numel() * each.element_size() for each in held),
        "left": now,
    }


def main() -> None:
    transformers.logging.set_verbosity_error()
    for case in json.loads(sys.argv[1]):
        print(json.dumps(peak(case)), flush=True)


if __name__ == "__main__":
    main()
