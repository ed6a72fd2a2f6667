"""How many parameters a model has, and by which way that was found out: the Hub, the files' headers, or arithmetic.

Arithmetic follows the layers as `transformers` builds them, and comes within some percent for dense models; parts
that a config does not tell (experts that are shared, towers for pictures) it can not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlresearch.model_facts import headers
from mlresearch.model_facts.layout import Layout
from mlresearch.model_facts.place import Place
from mlresearch.model_facts.shape import LM, Shape

MOST_SHARDS = 200


@dataclass(frozen=True)
class Parameters:
    """`total` is None where nothing tells it."""

    total: int | None
    by_type: Mapping[str, int]
    way: str

    def as_data(self) -> dict[str, Any]:
        return {"total": self.total, "by_type": dict(self.by_type), "counted": self.way}


def parameters(place: Place, layout: Layout, shape: Shape | None) -> Parameters:
    """The first way that works; raises ResearchError for a damaged header."""
    listed = place.about.get("safetensors")
    if isinstance(listed, Mapping) and listed:
        return Parameters(sum(listed.values()), dict(listed), "by the Hub, from the headers of the safetensors files")
    if 0 < len(layout.weights) <= MOST_SHARDS:
        found: Counter[str] = Counter()
        for path in layout.weights:
            found += headers.count(place, path)
        count = len(layout.weights)
        return Parameters(
            sum(found.values()), dict(found), f"from the header{'s' if count > 1 else ''} of {count} safetensors files"
        )
    told = place.about.get("gguf_parameters")
    if isinstance(told, int):
        return Parameters(told, {}, "by the Hub, from a GGUF file")
    if shape is not None:
        return Parameters(by_arithmetic(shape), {}, "by arithmetic from config.json, within some percent")
    return Parameters(None, {}, "not found out: neither safetensors files nor sizes in a config")


def by_arithmetic(shape: Shape) -> int:
    h, f = shape.hidden, shape.ffn
    has_bias = shape.norm == "layer"
    biases = (2 * h + shape.query_width + 2 * shape.kv_width + f) if has_bias else 0
    norms = shape.norms * h * (2 if has_bias else 1)
    router = shape.experts * h
    layers = shape.linear_weights + shape.layers * (biases + norms + router)
    tables = (shape.vocabulary + shape.learned_positions) * h
    if shape.head == LM and not shape.is_tied:
        tables += shape.vocabulary * h
    if shape.positions:
        _, patch, channels = shape.picture
        tables += h * (patch**2 * channels + 1 + shape.positions)
    return layers + tables + h * (2 if has_bias else 1)
