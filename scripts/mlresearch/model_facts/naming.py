"""Whether a model's name tells another size than its weights have: the warning for it.

Refuses to judge a count that is not of a whole model in plain numbers: of an adapter, of GGUF files, of weights that
are quantized or packed into integers. A number that stands in the config too (a context, classes) is taken for no size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from mlresearch.model_facts.counting import Parameters
from mlresearch.model_facts.layout import ADAPTER, GGUF, Layout
from mlresearch.model_facts.shape import Config, Shape, text_part

FACTOR = 2  # names round, and leave embeddings or towers out
UNITS = {"B": 10**9, "M": 10**6, "K": 10**3}
PACKED = {"I8", "U8", "I16", "U16", "I32", "U32", "U64"}  # I64 beside plain weights are positions
# `A3B` is what a token takes, `s34B` rows that were seen; of `1_3b` nobody knows whether it is 1.3 or 3
_SIZE = re.compile(r"(?<![A-Za-z0-9.])(?<!\W\d_)(?:(\d{1,3})x)?(\d{1,5}(?:\.\d{1,3})?)([BMK])(?![A-Za-z0-9])", re.I)


def contradiction(name: str, layout: Layout, shape: Shape | None, count: Parameters) -> list[str]:
    """`name` may be an id or a path: only its last part is looked at."""
    sizes = dict(_sizes(name.rpartition("/")[2], layout.config))
    if not (sizes and count.total) or _is_partial(layout, count):
        return []
    least = 0 if shape and shape.experts else count.total / FACTOR  # with experts some names tell what a token takes
    if any(least <= size <= count.total * FACTOR for size in sizes.values()):
        return []
    said = max(sizes, key=sizes.__getitem__)
    seen = f"its name says {said}, and it has {count.total:,} parameters"
    return [f"{seen}: look whether it is the model that was asked for"]


def _is_partial(layout: Layout, count: Parameters) -> bool:
    is_quantized = bool(layout.config.get("quantization_config")) or not PACKED.isdisjoint(count.by_type)
    return is_quantized or layout.kind in (ADAPTER, GGUF)


def _sizes(name: str, config: Config) -> Iterator[tuple[str, float]]:
    """What the name says, and how many parameters that would be."""
    taken = [*_numbers(config), *_numbers(text_part(config))]
    for found in _SIZE.finditer(name):
        size = int(found[1] or 1) * float(found[2]) * UNITS[found[3].upper()]
        if not any(math.isclose(size, number, rel_tol=0.1) for number in taken):
            yield found[0], size


def _numbers(config: Config) -> Iterator[int]:
    """Of a table its length: classes are listed by name."""
    for value in config.values():
        if isinstance(value, Mapping):
            yield len(value)
        elif type(value) is int:
            yield value
