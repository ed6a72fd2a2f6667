"""What a model's config.json says of its size and build, under one set of names for all families. Reads no weights.

A field is read under every name that families of `transformers` use for it. What no name gives is None in `Built`, and
a shape without layers, hidden size or heads is no `Shape`: memory is then not estimated, rather than guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]

LM, LABELS, NONE = "vocabulary", "labels", "none"

_NAMES: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim", "model_dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "multi_query_group_num"),
    "head_size": ("head_dim", "d_kv", "attention_head_dim"),
    "ffn": ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "hidden_dim", "encoder_ffn_dim", "ffn_hidden_size"),
    "vocabulary": ("vocab_size", "padded_vocab_size"),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length", "max_seq_len"),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "experts_used": ("num_experts_per_tok", "moe_topk"),
    "expert_ffn": ("moe_intermediate_size",),
}
_ACTIVATIONS = (
    "hidden_act",
    "activation_function",
    "hidden_activation",
    "activation",
    "feed_forward_proj",
    "dense_act_fn",
)
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "resid_pdrop", "hidden_dropout", "dropout", "resid_dropout", "dropout_rate")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attn_pdrop", "attention_dropout", "dropout_rate")
_LM_ENDS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM", "ForPreTraining")
_LABEL_ENDS = ("Classification", "QuestionAnswering", "MultipleChoice", "NextSentencePrediction")
_NESTED = ("text_config", "llm_config", "language_config", "decoder")
# of those without an RMS norm, which multiply two projections in the feed-forward part
_GATED = {"stablelm", "modernbert", "nomic_bert", "cohere", "cohere2"}
_TIED_BY_DEFAULT = {"gpt2", "bert", "roberta", "distilbert", "gemma", "gemma2", "gemma3", "gemma3_text", "t5", "opt"}
_FOUR_NORMS = {"gemma2", "gemma3", "gemma3_text", "glm4", "olmo2_4"}
_QK_NORMS = {"qwen3", "qwen3_moe", "gemma3", "gemma3_text", "olmo2", "smollm3_qk"}


@dataclass(frozen=True)
class Shape:
    """Sizes are counts of numbers, not bytes. `positions` is how many tokens one input of a picture model makes."""

    model_type: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    ffn: int
    vocabulary: int = 0
    head: str = LM
    is_tied: bool = False
    is_causal: bool = True
    norm: str = "layer"
    norms: int = 2
    has_qk_norm: bool = False
    is_gated: bool = False
    is_fused_qkv: bool = False
    activation: str = "gelu"
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    learned_positions: int = 0
    picture: tuple[int, int, int] = (0, 0, 0)
    experts: int = 0
    experts_used: int = 1

    @property
    def query_width(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_size

    @property
    def ffn_matrices(self) -> int:
        return 3 if self.is_gated else 2

    @property
    def positions(self) -> int:
        """Tokens that one picture makes, with the one for the class; 0 for a model of text."""
        side, patch, _ = self.picture
        return (side // patch) ** 2 + 1 if patch else 0

    @property
    def linear_weights(self) -> int:
        """Numbers in the matrices of all layers: what LoRA and 4-bit loading act on."""
        attention = 2 * self.hidden * (self.query_width + self.kv_width)
        return self.layers * (attention + max(1, self.experts) * self.ffn_matrices * self.hidden * self.ffn)


def text_part(config: Config) -> Config:
    """The part of a config that describes the language model, where several models are in one."""
    for name in _NESTED:
        part = config.get(name)
        if isinstance(part, Mapping) and number(part, "layers"):
            return {"model_type": config.get("model_type", ""), "architectures": config.get("architectures"), **part}
    return config


def number(config: Config, field: str) -> int | None:
    """A whole number above 0 under any of the field's names; of a list, one a layer, the most."""
    for name in _NAMES[field]:
        value = config.get(name)
        if isinstance(value, list) and value and all(type(each) is int for each in value):
            value = max(value)
        if type(value) is int and 0 < value < 10**12:
            return value
    return None


def class_of(config: Config) -> str:
    """The class that the weights were saved from; empty when the config names none."""
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


def head_of(config: Config) -> str:
    """What stands on top of the layers, by the class that the weights were saved from."""
    name = class_of(config)
    if name.endswith(_LM_ENDS):
        return LM
    return LABELS if name.endswith(_LABEL_ENDS) else NONE


def shape_of(config: Config) -> Shape | None:
    """The shape; None when the config does not tell layers, hidden size and heads."""
    part = text_part(config)
    layers, hidden, heads = (number(part, name) for name in ("layers", "hidden", "heads"))
    if not (layers and hidden and heads):
        return None
    kind, is_rms = str(part.get("model_type", "")), "rms_norm_eps" in part
    layers += _decoder_layers(part)
    return Shape(
        model_type=kind,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=number(part, "kv_heads") or (1 if part.get("multi_query") is True else heads),
        head_size=number(part, "head_size") or max(1, hidden // heads),
        ffn=number(part, "expert_ffn") or number(part, "ffn") or 4 * hidden,
        vocabulary=number(part, "vocabulary") or 0,
        head=head_of(part),
        is_tied=_is_tied(part, config),
        is_causal=head_of(part) == LM and not _masked(part),
        norm="rms" if is_rms else "layer",
        norms=4 if kind in _FOUR_NORMS else 2,
        has_qk_norm=kind in _QK_NORMS,
        is_gated=is_rms or kind in _GATED or "gated" in str(part.get("feed_forward_proj", "")),
        is_fused_qkv=kind in ("gpt2", "gpt_neox", "phi3", "falcon", "bloom"),
        activation=activation_of(part),
        hidden_dropout=_share(part, _HIDDEN_DROPOUT),
        attention_dropout=_share(part, _ATTENTION_DROPOUT),
        learned_positions=0 if is_rms or "rope_theta" in part else (number(part, "context") or 0),
        picture=_picture(part),
        experts=number(part, "experts") or 0,
        experts_used=number(part, "experts_used") or 1,
    )


def activation_of(config: Config) -> str:
    for name in _ACTIVATIONS:
        if isinstance(config.get(name), str):
            return str(config[name]).removeprefix("gated-")
    return "gelu"


def _decoder_layers(config: Config) -> int:
    """Layers of a decoder beside an encoder's."""
    found = config.get("num_decoder_layers", config.get("decoder_layers"))
    beside = found if type(found) is int and config.get("is_encoder_decoder") is True else 0
    return max(0, beside)


def _is_tied(part: Config, whole: Config) -> bool:
    told = part.get("tie_word_embeddings", whole.get("tie_word_embeddings"))
    return told if isinstance(told, bool) else str(part.get("model_type", "")) in _TIED_BY_DEFAULT


def _masked(config: Config) -> bool:
    return class_of(config).endswith(("ForMaskedLM", "ForPreTraining"))


def _share(config: Config, names: tuple[str, ...]) -> float:
    found = next((config[name] for name in names if isinstance(config.get(name), (int, float))), 0.0)
    return min(1.0, max(0.0, float(found)))


def _picture(config: Config) -> tuple[int, int, int]:
    """Side and patch in pixels, and channels; zeros for a model of text."""
    side, patch, channels = config.get("image_size"), config.get("patch_size"), config.get("num_channels", 3)
    if type(side) is int and type(patch) is int and type(channels) is int and 0 < patch <= side < 100_000:
        return side, patch, channels
    return 0, 0, 0
