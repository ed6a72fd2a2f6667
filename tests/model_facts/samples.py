"""Small models as files, and the command in this process."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fakes.hub_server.models import safetensors
from mlresearch.cli import inspect_model

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "vocab_size": 100,
    "dtype": "bfloat16",
}
# what LLAMA's layers hold, by arithmetic that the tests do by hand
LLAMA_NUMBERS = 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 160 + 2 * 64) + 2 * 100 * 64 + 64

TEMPLATE = (
    "{%- if tools %}{{ tools }}{% endif %}{% for message in messages %}{% if message.role == 'system' %}{{ x }}"
    "{% elif message['role'] == \"user\" %}{% elif message.role == 'assistant' %}{% generation %}"
    "{{ message.tool_calls }}{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}{% endif %}"
)
TOKENIZER_CONFIG: dict[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    "bos_token": "<s>",
    "eos_token": {"content": "</s>", "lstrip": False},
    "chat_template": TEMPLATE,
}
TOKENIZER: dict[str, Any] = {
    "model": {"type": "BPE", "vocab": {str(place): place for place in range(98)}},
    "added_tokens": [{"id": 98, "content": "<s>"}, {"id": 99, "content": "</s>"}],
}


def encoded(**files: Any) -> dict[str, bytes]:
    """Files by name, `__` for a dot; tables as JSON."""
    return {
        name.replace("__", "."): value if isinstance(value, bytes) else json.dumps(value).encode()
        for name, value in files.items()
    }


def llama(**changes: Any) -> dict[str, bytes]:
    """A whole model; its weights are one tensor of as many numbers."""
    weights = safetensors({"all": ("BF16", [LLAMA_NUMBERS])})
    files = encoded(config__json=LLAMA | changes, tokenizer_config__json=TOKENIZER_CONFIG, tokenizer__json=TOKENIZER)
    return {**files, "model.safetensors": weights, "README.md": b"---\nlicense: mit\n---\n# A model\n"}


def put(folder: Path, files: Mapping[str, bytes]) -> str:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(folder)


def ask(*words: str) -> tuple[int, dict[str, Any]]:
    """The command in this process: its exit status and its JSON."""
    out, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
        code = inspect_model.run(["show", *words, "--json"])
    return code, json.loads(out.getvalue())


def look(*words: str) -> dict[str, Any]:
    """The answer of a call that must succeed."""
    code, data = ask(*words)
    assert code == 0, data
    return data


def failed(*words: str) -> dict[str, str]:
    """The answer of a call that must fail in the agreed form."""
    code, data = ask(*words)
    assert (code, set(data)) == (1, {"error", "fallback"}), data
    return data


def text(*words: str) -> str:
    """What a person reads."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert inspect_model.run(["show", *words]) == 0
    return out.getvalue()
