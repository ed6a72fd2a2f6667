"""Numbers by type from the headers of safetensors files, without reading a weight. Refuses a header that can not be.

Format (huggingface/safetensors, README): 8 bytes little endian, the header's length; the header, a JSON table of
tensors, each with `dtype`, `shape` and `data_offsets`; then the data.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlresearch.errors import ResearchError
from mlresearch.model_facts.place import Place

FIRST = 128 * 1024
MOST_HEADER = 100_000_000
WIDTHS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U8": 8, "BOOL": 8}
WIDTHS |= {"U16": 16, "U32": 32, "U64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8}


def count(place: Place, path: str) -> Counter[str]:
    """Numbers by type; raises ResearchError when header, tensors and file size do not agree."""
    start = place.part(path, 0, FIRST)
    size = place.files.get(path)
    length = int.from_bytes(start[:8], "little")
    if len(start) < 8 or not 2 <= length <= MOST_HEADER or (size is not None and 8 + length > size):
        raise _damaged(place, path, "its header's length can not be")
    header = start[8 : 8 + length]
    if len(header) < length:
        header += place.part(path, 8 + len(header), 8 + length)
    tensors = _parsed(place, path, header, length)
    found: Counter[str] = Counter()
    for name, tensor in tensors.items():
        if name != "__metadata__":
            dtype, numbers = _tensor(place, path, name, tensor)
            found[dtype] += numbers
    end = max((tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"), default=0)
    if size is not None and size != 8 + length + end:
        raise _damaged(place, path, f"it has {size} bytes where its header tells {8 + length + end}")
    return found


def _parsed(place: Place, path: str, header: bytes, length: int) -> Mapping[str, Any]:
    try:
        found = json.loads(header) if len(header) == length else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _damaged(place, path, "its header is no JSON table")
    return found


def _tensor(place: Place, path: str, name: str, tensor: Any) -> tuple[str, int]:
    try:
        dtype, shape, (begin, end) = str(tensor["dtype"]), tensor["shape"], tensor["data_offsets"]
        numbers = math.prod(shape)
        is_whole = all(type(each) is int and each >= 0 for each in [*shape, begin, end])
        width = WIDTHS.get(dtype)
        fits = end >= begin if width is None else (end - begin) * 8 == numbers * width
    except (TypeError, KeyError, ValueError):
        is_whole = fits = False
        dtype, numbers = "", 0
    if not (is_whole and fits):
        raise _damaged(place, path, f"the header's entry of {name[:80]!r} can not be")
    return dtype, numbers


def _damaged(place: Place, path: str, why: str) -> ResearchError:
    return ResearchError(
        f"{path} of {place.name} is damaged: {why}", "a whole safetensors file", "load this file anew, then call again"
    )
