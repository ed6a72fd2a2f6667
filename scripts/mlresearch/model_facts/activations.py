"""Bytes that one layer keeps for its backward pass, and that it needs while it runs, for a batch of tokens.

Derived from what autograd saves for each operation of the layers in `transformers` (5.x), op by op, as torch's
documentation gives it in `derivatives.yaml`; counted with `torch.autograd.graph.saved_tensors_hooks` for Llama, Qwen2,
GPT-2, BERT and ViT. With T tokens, hidden size h, feed-forward size f, and query and key-value widths q and k:

    norm          its input (always 32 bit), an RMS norm's scaled input too where its weight is trained, its output
    attention     q + k + v and the output; unfused also three matrices of heads x s x s, and k, v for every head
    feed-forward  what the activation keeps, and the input of the last matrix; gated: both halves of the product too
    dropout       a mask: one byte for a number on an accelerator, a whole number on a CPU
    LoRA          the low-rank input of each matrix; a frozen matrix keeps nothing, but its adapter keeps the input

The same idea, for one architecture and 16 bit: Korthikanti et al., Reducing Activation Recomputation in Large
Transformer Models, arXiv 2205.05198, equation 2. It refuses nothing: an unknown activation counts as GELU.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlresearch.model_facts.shape import Shape

FP32, BF16 = 4, 2

# numbers kept for each one that the activation makes, its result included
_KEPT = {"gelu_new": 5, "gelu_fast": 5, "quick_gelu": 3, "relu": 1, "tanh": 1, "relu2": 3}
_USUAL_KEPT = 2


@dataclass(frozen=True)
class Load:
    """How the model is run. `rank` 0 trains every weight; `on_cpu` is for runs without an accelerator."""

    batch: int
    sequence: int
    is_fp32: bool = False
    rank: int = 0
    is_fused: bool = True
    on_cpu: bool = False

    @property
    def tokens(self) -> int:
        return self.batch * self.sequence

    @property
    def kept(self) -> int:
        """Bytes of a number that a matrix product returns."""
        return FP32 if self.is_fp32 else BF16

    def read(self, readers: int) -> int:
        """Bytes of a number that `readers` matrices read: in mixed precision each casts a copy of its own."""
        return FP32 if self.is_fp32 else BF16 * readers


def layer_saved(shape: Shape, load: Load) -> int:
    """Bytes that one layer keeps from its forward to its backward pass."""
    per_token = _norms(shape, load) + _attention(shape, load) + _feed_forward(shape, load)
    per_token += _dropout(shape, load) + _adapters(shape, load)
    return load.tokens * per_token + _score_matrices(shape, load)


def layer_working(shape: Shape, load: Load) -> int:
    """Bytes that a layer's backward pass needs for a moment: gradients of the widest part, in and out."""
    wide = max(2 * shape.ffn * _used(shape), shape.query_width + 2 * shape.kv_width) + 2 * shape.hidden
    return load.tokens * wide * load.kept


def norm_saved(shape: Shape, load: Load, readers: int) -> int:
    """Bytes for each token that one norm and its readers keep."""
    scaled = FP32 if shape.norm == "rms" and not load.rank else 0
    return shape.hidden * (FP32 + scaled + load.read(readers))


def forward_working(shape: Shape, load: Load, bytes_each: int) -> int:
    """Bytes that one layer needs for a moment in inference."""
    wide = (1 + shape.ffn_matrices) * shape.ffn * _used(shape)
    attention = 2 * shape.query_width + 2 * shape.kv_width
    return load.tokens * bytes_each * (3 * shape.hidden + max(wide, attention))


def _used(shape: Shape) -> int:
    """Experts that work on a token; 1 in a layer without."""
    return shape.experts_used if shape.experts else 1


def _norms(shape: Shape, load: Load) -> int:
    into_attention = norm_saved(shape, load, 1 if shape.is_fused_qkv else 3)
    into_feed_forward = norm_saved(shape, load, shape.ffn_matrices - 1)
    after = (shape.norms - 2) * norm_saved(shape, load, 0)
    per_head = (shape.query_width + shape.kv_width) * (FP32 + load.kept) if shape.has_qk_norm else 0
    return into_attention + into_feed_forward + after + per_head


def _attention(shape: Shape, load: Load) -> int:
    keys = shape.kv_width if load.is_fused else shape.query_width
    out = shape.query_width * load.kept
    cast = shape.query_width * BF16 if load.rank and not load.is_fp32 else 0
    return (shape.query_width + 2 * keys) * load.kept + out + cast


def _score_matrices(shape: Shape, load: Load) -> int:
    """Of an attention that is not fused: the softmax, the mask and their product."""
    if load.is_fused:
        return 0
    return 3 * load.batch * shape.heads * load.sequence**2 * FP32


def _feed_forward(shape: Shape, load: Load) -> int:
    kept = _KEPT.get(shape.activation, _USUAL_KEPT) + (2 if shape.is_gated else 0)
    routed = 3 * shape.hidden * _used(shape) * load.kept if shape.experts else 0
    return kept * shape.ffn * _used(shape) * load.kept + routed


def _dropout(shape: Shape, load: Load) -> int:
    return 2 * shape.hidden * (FP32 if load.on_cpu else 1) if shape.hidden_dropout else 0


def _adapters(shape: Shape, load: Load) -> int:
    return (4 + shape.ffn_matrices * _used(shape)) * load.rank * load.kept
