"""The whole look at a model: opens it, reads its small files, counts, estimates, prices; the result as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlresearch.errors import UsageError
from mlresearch.model_facts import counting, machines, memory, naming, tokenizer
from mlresearch.model_facts.counting import Parameters
from mlresearch.model_facts.layout import ADAPTER, GGUF, Layout, layout_of
from mlresearch.model_facts.memory import Estimate, Plan
from mlresearch.model_facts.place import Folder, Place
from mlresearch.model_facts.shape import LM, Shape, class_of, number, shape_of, text_part
from mlresearch.sources.model_hub import Model

USUAL_SEQUENCE = 2048
MEASURED = {"llama", "qwen2", "gpt2", "bert", "vit"}
MOST_FILES_SHOWN = 200
_RECORD = ("url", "path", "revision", "gated", "private", "license", "task", "library", "base_model", "modified")


@dataclass(frozen=True)
class Asked:
    """What to look at. `plan` is what memory is estimated for; its sequence 0 is the context, at most 2048."""

    model: str
    revision: str | None
    methods: Sequence[str]
    plan: Plan


def inspect(asked: Asked) -> dict[str, Any]:
    """Raises NotFound, Unavailable, UsageError or ResearchError."""
    place = opened(asked.model, asked.revision)
    layout = layout_of(place)
    shape = shape_of(layout.config)
    count = counting.parameters(place, layout, shape)
    told = tokenizer.facts(place, layout.folder)
    warnings = [*layout.warnings, *_warnings(place, layout, shape, told)]
    warnings += naming.contradiction(str(place.about.get("path", place.name)), layout, shape, count)
    data: dict[str, Any] = {
        "model": place.name,
        "source": "local" if "path" in place.about else "hub",
        **{name: place.about[name] for name in _RECORD if name in place.about},
        "kind": layout.kind,
        "architecture": _architecture(place, layout, shape),
        "parameters": count.as_data(),
        "tokenizer": told,
        "files": [{"path": name, "bytes": size} for name, size in list(place.files.items())[:MOST_FILES_SHOWN]],
        "bytes": sum(size or 0 for size in place.files.values()),
        "memory": {},
        "machines": {},
    }
    if "path" in place.about:
        data["license"] = _license_here(place)
    if layout.kind == ADAPTER:
        data["adapter"] = _adapter(layout)
    if shape is not None and count.total is not None and layout.kind not in (ADAPTER, GGUF):
        warnings += _estimate(data, asked, shape, count)
    elif layout.kind not in (ADAPTER, GGUF):
        warnings.append("memory is not estimated: the config does not tell layers, hidden size and heads")
    return {**data, "warnings": warnings}


def opened(name: str, revision: str | None) -> Place:
    """A folder when there is one or the name can be nothing else, as the data set inspector decides; else the Hub."""
    path = Path(name).expanduser()
    if not path.exists() and not name.startswith((".", "/", "~")):
        return Model(name, revision)
    if revision is not None:
        raise UsageError("--revision is for a model on the Hub", "a folder has one state", "leave --revision away")
    return Folder(path)


def _architecture(place: Place, layout: Layout, shape: Shape | None) -> dict[str, Any]:
    part = text_part(layout.config)
    told: dict[str, Any] = {
        "class": class_of(layout.config) or place.about.get("gguf_architecture"),
        "type": layout.config.get("model_type"),
        "context": number(part, "context") or place.about.get("gguf_context"),
        "dtype": layout.config.get("dtype") or layout.config.get("torch_dtype"),
        "rope_scaling": part.get("rope_scaling") or part.get("rope_parameters"),
        "sliding_window": part.get("sliding_window"),
        "quantization": _method_of(layout.config.get("quantization_config")),
    }
    if layout.pooling:
        told["pooling"] = layout.pooling
    return told | (_sizes(shape) if shape else {})


def _sizes(shape: Shape) -> dict[str, Any]:
    return {
        "layers": shape.layers,
        "hidden": shape.hidden,
        "heads": shape.heads,
        "key_value_heads": shape.kv_heads,
        "head_size": shape.head_size,
        "feed_forward": shape.ffn,
        "vocabulary": shape.vocabulary or None,
        "head": shape.head,
        "tied_embeddings": shape.is_tied,
        "activation": shape.activation,
        "norm": shape.norm,
        "experts": shape.experts or None,
        "experts_used": shape.experts_used if shape.experts else None,
    }


def _method_of(value: object) -> Any:
    return value.get("quant_method") if isinstance(value, Mapping) else None


def _adapter(layout: Layout) -> dict[str, Any]:
    names = {"type": "peft_type", "base": "base_model_name_or_path", "rank": "r", "alpha": "lora_alpha"}
    names |= {"targets": "target_modules", "task": "task_type"}
    return {name: layout.adapter.get(key) for name, key in names.items()}


def _license_here(place: Place) -> str | None:
    """From the head of README.md, as the Hub reads it."""
    if "README.md" not in place.files:
        return None
    lines = place.read("README.md").decode("utf-8", "replace").splitlines()
    head = lines[1 : lines.index("---", 1)] if lines[:1] == ["---"] and "---" in lines[1:] else []
    found = next((line for line in head if line.startswith("license:")), "")
    return found.partition(":")[2].strip().strip("\"'") or None


def _warnings(place: Place, layout: Layout, shape: Shape | None, told: Mapping[str, Any] | None) -> list[str]:
    found = []
    if layout.kind == ADAPTER:
        base = layout.adapter.get("base_model_name_or_path")
        found.append(f"an adapter: memory is its base model's; see inspect_model.py show --model {base}")
    if layout.config.get("auto_map"):
        found.append("the repository brings code of its own, which runs with trust_remote_code; read it first")
    if layout.config.get("quantization_config"):
        found.append("the weights are quantized: the count is of stored numbers, and estimates are of plain weights")
    if told is None and (shape is None or not shape.positions):
        found.append("no tokenizer lies beside the model")
    if told is not None and shape is not None:
        found += _tokenizer_warnings(told, shape)
    if place.about.get("gated"):
        found.append(f"gated: a job needs a token of someone who was let in ({place.about['url']})")
    return found


def _tokenizer_warnings(told: Mapping[str, Any], shape: Shape) -> list[str]:
    found = []
    size = told["vocabulary"]
    if size and shape.vocabulary and size > shape.vocabulary:
        found.append(f"the tokenizer has {size} ids, the model {shape.vocabulary} embeddings: resize before training")
    if shape.head == LM and told["special_tokens"] and "pad_token" not in told["special_tokens"]:
        found.append("the tokenizer has no pad token: set one before batches are padded")
    if told["not_read"]:
        found.append(f"not read: {', '.join(told['not_read'])}, so the vocabulary is not counted")
    return found


def _estimate(data: dict[str, Any], asked: Asked, shape: Shape, count: Parameters) -> list[str]:
    """Adds memory and machines to `data`; the warnings."""
    context = data["architecture"]["context"]
    plan = replace(asked.plan, sequence=asked.plan.sequence or min(USUAL_SEQUENCE, context or USUAL_SEQUENCE))
    warnings = []
    if context and plan.sequence > context and not shape.positions:
        warnings.append(f"--sequence-length {plan.sequence} is above the model's context of {context}")
    offered, why = machines.listed()
    for method in asked.methods or memory.METHODS:
        gpu = memory.estimate(shape, int(count.total or 0), replace(plan, method=method))
        cpu = (
            None
            if method == "qlora"
            else memory.estimate(shape, int(count.total or 0), replace(plan, method=method, on_cpu=True))
        )
        data["memory"][method] = _memory_data(gpu, shape)
        data["machines"][method] = machines.that_hold(gpu, cpu, offered)
    return [*warnings, *([why] if why else []), *_beyond(shape, data["architecture"])]


def _beyond(shape: Shape, architecture: Mapping[str, Any]) -> list[str]:
    found = []
    if shape.experts:
        found.append("experts: tokens are taken to spread evenly over them; memory is less certain")
    if str(architecture["class"]).endswith("ForConditionalGeneration"):
        found.append("an encoder or a tower beside the language model is counted in the weights alone")
    return found


def _memory_data(estimate: Estimate, shape: Shape) -> dict[str, Any]:
    plan = estimate.plan
    known = shape.model_type in MEASURED and plan.method != "qlora"
    usual = plan.optimizer == "adamw"
    return {
        "peak_bytes": estimate.peak,
        "device_bytes": estimate.device_bytes,
        "moment": estimate.moment,
        "terms": dict(estimate.terms),
        "trained_parameters": estimate.trained,
        "formula": memory.FORMULAS[estimate.moment],
        "error": memory.MEASURED_ERROR if known and usual else memory.UNMEASURED_ERROR,
        "assumed": {
            "sequence": plan.sequence,
            "batch": plan.batch,
            "precision": plan.precision,
            "attention": "fused" if plan.is_fused else "eager",
            **({} if plan.method == "inference" else _training_data(plan)),
        },
    }


def _training_data(plan: Plan) -> dict[str, Any]:
    told: dict[str, Any] = {
        "optimizer": plan.optimizer,
        "loss": plan.loss,
        "gradient_checkpointing": plan.is_checkpointed,
    }
    return told if plan.method == "full" else {**told, "lora_rank": plan.rank, "lora_targets": "all-linear"}
