"""How much memory a model needs to answer, and to be trained: by LoRA, by QLoRA, in full. The peak, not an average.

A training step has five moments that can be the peak. With P numbers in the model, P' of them trained, L layers,
T = batch x sequence tokens, V the vocabulary, s a layer's saved bytes and w its working bytes (`activations`):

    held     weights + optimizer states
             weights: fp32, and bf16 in full: 4 P; LoRA in bf16: 2 P + 4 P'; QLoRA: 0.516 for a number of the layers'
             matrices (NF4 with doubly quantized scales: Dettmers et al., arXiv 2305.14314), 2 for the rest, + 4 P'
             states, a number of P': AdamW 8 (two moments; Kingma and Ba, arXiv 1412.6980), its 8-bit form 2
    forward  held + kept + casts + 10 T V, in bf16: the logits, their 32-bit copy and the log-softmax
    loss     held + kept + casts + 12 T V: the log-softmax, and the gradients of the loss and of the log-softmax
    head     held + kept + casts + gradients of the head + 4 T V + w
    bottom   held + all gradients but one layer's + that layer's saved bytes + w: the end of the backward pass
    step     held + all gradients + what the optimizer makes for a moment: AdamW's square roots (4 P' on an accelerator,
             where torch works on all tensors at once; twice the largest tensor on a CPU; none when fused)

    kept     L s without gradient checkpointing; with it L inputs of layers, and s of the layer that is run again
             (Chen et al., arXiv 1604.06174)
    casts    bf16 in full: 2 for each matrix's number, the copy that autocast makes; with checkpointing gone after
             `forward`, but for the head's

Gradients are 4 P' (not there in the loss of a step, since `zero_grad` frees them). The vocabulary's term is the largest
of small models with a large vocabulary. A loss in chunks has none: TRL's trainers (1.16, `trl.kernels.chunked_logprob`)
keep one tile of 4096 tokens x 32768 words at most, in 16 or 32 bit, and the head's gradient. Inference is weights +
keys and values + one layer's working bytes + the logits of the last position. On an accelerator the runtime takes
RUNTIME besides (context and libraries).

Error: within 20 % of the peak of tensors that torch's allocator reports, measured on a CPU for Llama, Qwen2, GPT-2,
BERT and ViT, in full and with LoRA, with and without checkpointing, by AdamW, in fp32 and bf16; and for
TRL's SFTTrainer in fp32. A caching allocator reserves more than the peak, about a tenth. For QLoRA, 8-bit optimizers,
experts and encoder-decoders the formula is the same and was not measured; nor was an accelerator.
It refuses to estimate sharded training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlresearch.model_facts.activations import BF16, FP32, Load, forward_working, layer_saved, layer_working, norm_saved
from mlresearch.model_facts.shape import LM, Shape

METHODS = ("inference", "lora", "qlora", "full")
# bytes of optimizer state a trained number, and how its step works
OPTIMIZERS: Mapping[str, float] = {
    "adamw": 8,
    "adamw_fused": 8,
    "adamw_8bit": 2,
    "adafactor": 0.02,
    "sgd": 0,
}
NF4 = 0.516
RUNTIME = 800_000_000
RESERVED = 1.1
LOSS_COPIES = 3
WHOLE, CHUNKED = "whole", "chunked"
# TRL's tile, and what its path for a CPU makes beside it: seven 32-bit tables and one of flags
TILE_TOKENS, TILE_WORDS, CPU_TILE_BYTES = 4096, 32768, 29


MEASURED_ERROR = "within 20 % of the peak of tensors, measured with small models of this family and method on a CPU"
UNMEASURED_ERROR = "not measured for this family, method or optimizer; allow 30 %"


@dataclass(frozen=True)
class Plan:
    """What is to be run. `sequence` is in tokens; `rank` counts for LoRA and QLoRA only."""

    method: str
    sequence: int
    batch: int
    precision: str = "bf16"
    optimizer: str = "adamw"
    is_checkpointed: bool = False
    rank: int = 16
    is_fused: bool = True
    on_cpu: bool = False
    loss: str = WHOLE


@dataclass(frozen=True)
class Estimate:
    """Bytes. `moment` is when the peak comes, `terms` what it is made of: they add up to `peak`."""

    plan: Plan
    peak: int
    moment: str
    terms: Mapping[str, int]
    trained: int

    @property
    def device_bytes(self) -> int:
        """What a device must have: with the runtime, and what a caching allocator holds beyond the peak."""
        return round(self.peak * RESERVED) + (0 if self.plan.on_cpu else RUNTIME)


def estimate(shape: Shape, parameters: int, plan: Plan) -> Estimate:
    """The peak of one step on one device. `parameters` is the count of the model's numbers."""
    if shape.positions:
        plan = replace(plan, sequence=shape.positions)
    return _inference(shape, parameters, plan) if plan.method == "inference" else _training(shape, parameters, plan)


def adapter_parameters(shape: Shape, rank: int) -> int:
    """Numbers in LoRA matrices on every matrix of every layer."""
    attention = 2 * (shape.hidden + shape.query_width) + 2 * (shape.hidden + shape.kv_width)
    ffn = max(1, shape.experts) * shape.ffn_matrices * (shape.hidden + shape.ffn)
    return rank * shape.layers * (attention + ffn)


def _inference(shape: Shape, parameters: int, plan: Plan) -> Estimate:
    each = FP32 if plan.precision == "fp32" else BF16
    load = Load(plan.batch, plan.sequence, plan.precision == "fp32", is_fused=plan.is_fused, on_cpu=plan.on_cpu)
    is_writer = shape.head == LM and shape.is_causal
    positions = plan.batch if is_writer else load.tokens
    terms = {
        "weights": parameters * each,
        "keys_and_values": 2 * shape.layers * shape.kv_width * load.tokens * each if is_writer else 0,
        "working": forward_working(shape, load, each),
        "logits": positions * shape.vocabulary * (each + FP32) if shape.head == LM else 0,
    }
    return Estimate(plan, sum(terms.values()), ANSWERING, terms, 0)


def _training(shape: Shape, parameters: int, plan: Plan) -> Estimate:
    step = _Step(shape, parameters, plan)
    moments = {
        "forward": step.forward(),
        "loss": step.loss(),
        "head": step.head(),
        "bottom": step.bottom(),
        "step": step.step(),
    }
    name = max(moments, key=lambda each: sum(moments[each].values()))
    terms = step.held() | moments[name]
    return Estimate(plan, sum(terms.values()), MOMENTS[name], terms, step.trained)


ANSWERING = "the first pass over the prompt"
MOMENTS = {
    "forward": "the end of the forward pass",
    "loss": "the loss's backward pass",
    "head": "the beginning of the layers' backward pass",
    "bottom": "the end of the backward pass",
    "step": "the optimizer's step",
}


_HELD = "weights + optimizer states"
FORMULAS = {
    ANSWERING: "weights + keys and values (2 L k T) + working bytes of one layer + logits of the last position",
    MOMENTS["forward"]: f"{_HELD} + activations kept + 16-bit copies + 10 T V (logits, 32-bit copy, log-softmax)",
    MOMENTS["loss"]: f"{_HELD} + activations kept + 16-bit copies + 3 x 4 T V (log-softmax and two gradients of it; "
    "one tile where the loss is in chunks)",
    MOMENTS[
        "head"
    ]: f"{_HELD} + activations kept + gradients of the head + 4 T V (none in chunks) + a layer's working bytes",
    MOMENTS["bottom"]: f"{_HELD} + gradients + activations and working bytes of the first layer",
    MOMENTS["step"]: f"{_HELD} + gradients + what the optimizer makes for a moment",
}


class _Step:
    """The moments of one training step, each as terms beside what is always held."""

    def __init__(self, shape: Shape, parameters: int, plan: Plan) -> None:
        self.shape, self.parameters, self.plan = shape, parameters, plan
        self.is_fp32, self.is_full = plan.precision == "fp32", plan.method == "full"
        rank = 0 if self.is_full else plan.rank
        # torch has no fused attention with dropout for a CPU
        is_fused = plan.is_fused and not (plan.on_cpu and shape.attention_dropout)
        self.load = Load(plan.batch, plan.sequence, self.is_fp32, rank, is_fused, plan.on_cpu)
        self.trained = parameters if self.is_full else adapter_parameters(shape, rank)
        self.gradients = FP32 * self.trained
        self.saved, self.working = layer_saved(shape, self.load), layer_working(shape, self.load)

    def held(self) -> dict[str, int]:
        return {
            "weights": self._weights(),
            "optimizer": round(OPTIMIZERS[self.plan.optimizer] * self.trained),
        }

    def forward(self) -> dict[str, int]:
        if self.is_chunked:
            return {"activations": self._kept(), "casts": self._casts(True), "logits": 0}
        logits = 0 if self.is_fp32 else self._logits() * 5 // 2
        return {"activations": self._kept(), "casts": self._casts(True), "logits": logits}

    def loss(self) -> dict[str, int]:
        if self.is_chunked:
            kept = {"activations": self._kept(), "casts": self._casts()}
            return {**kept, "gradients": self._head_gradients(), "logits": self._tile()}
        return {"activations": self._kept(), "casts": self._casts(), "logits": LOSS_COPIES * self._logits()}

    def head(self) -> dict[str, int]:
        saved_again = self.saved if self.plan.is_checkpointed else 0
        return {
            "activations": self._kept() + saved_again,
            "casts": self._casts(),
            "gradients": self._head_gradients(),
            "logits": 0 if self.is_chunked else self._logits(),
            "working": self.working,
        }

    def bottom(self) -> dict[str, int]:
        of_layer = round(self.gradients * self._share_of_layer())
        embedding = FP32 * self._table() if self.is_full and self.shape.head == LM and self.shape.is_tied else 0
        layer = {
            "activations": self.saved,
            "gradients": self.gradients - of_layer,
            "working": self.working,
        }
        last = {"activations": 0, "gradients": self.gradients, "working": embedding}
        return max(layer, last, key=lambda each: sum(each.values()))

    def step(self) -> dict[str, int]:
        return {"gradients": self.gradients, "working": self._step_working()}

    def _weights(self) -> int:
        whole, matrices = self.parameters, self.shape.linear_weights
        if self.is_fp32:
            return FP32 * (whole + (0 if self.is_full else self.trained))
        if self.is_full:
            return FP32 * whole
        if self.plan.method == "qlora":
            quantized = min(whole, matrices)
            return round(NF4 * quantized) + BF16 * (whole - quantized) + FP32 * self.trained + BF16 * self._largest()
        return BF16 * whole + FP32 * self.trained

    def _casts(self, in_forward: bool = False) -> int:
        if self.is_fp32 or not self.is_full:
            return 0
        all_kept = in_forward or not self.plan.is_checkpointed
        layers = self.shape.linear_weights if all_kept else 0
        return BF16 * min(self.parameters, layers + self._head_weights())

    def _kept(self) -> int:
        shape, load = self.shape, self.load
        ends = load.tokens * norm_saved(shape, load, 1)
        if shape.positions:
            side, _, channels = shape.picture
            ends += FP32 * load.batch * channels * side**2
        if self.plan.is_checkpointed:
            stream = FP32 if self.is_full else load.kept
            return ends + shape.layers * load.tokens * shape.hidden * stream
        return ends + shape.layers * self.saved

    def _logits(self) -> int:
        return FP32 * self.load.tokens * self.shape.vocabulary if self.shape.head == LM else 0

    @property
    def is_chunked(self) -> bool:
        return self.plan.loss == CHUNKED and self.shape.head == LM

    def _tile(self) -> int:
        rows = min(self.load.tokens, TILE_TOKENS)
        beside = CPU_TILE_BYTES * rows * min(self.shape.vocabulary, TILE_WORDS) if self.plan.on_cpu else 0
        return rows * TILE_WORDS * self.load.kept + beside

    def _head_weights(self) -> int:
        return self._table() if self.shape.head == LM else 0

    def _head_gradients(self) -> int:
        return FP32 * self._head_weights() if self.is_full else 0

    def _table(self) -> int:
        return self.shape.vocabulary * self.shape.hidden

    def _share_of_layer(self) -> float:
        if not self.is_full:
            return 1 / self.shape.layers
        return self.shape.linear_weights / self.shape.layers / max(self.parameters, 1)

    def _largest(self) -> int:
        """Numbers in the largest tensor of the layers."""
        return self.shape.hidden * max(self.shape.ffn, self.shape.query_width)

    def _step_working(self) -> int:
        if self.plan.optimizer != "adamw" or self.trained == 0:
            return 0
        if not self.plan.on_cpu:
            return self.gradients
        largest = max(self._largest(), self._table()) if self.is_full else self.plan.rank * self.shape.ffn
        return 2 * FP32 * largest
