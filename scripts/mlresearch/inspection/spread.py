"""Quantiles of sampled numbers, exact over what was sampled, and the bars of a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BARS = 20


def spread(values: Sequence[float]) -> dict[str, Any]:
    """min, median, mean, p95 and max; empty for no values. Nearest rank, so that every figure but the mean occurs."""
    if not values:
        return {}
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "min": ordered[0],
        "median": ordered[round(last * 0.5)],
        "mean": round(sum(ordered) / len(ordered), 3),
        "p95": ordered[round(last * 0.95)],
        "max": ordered[last],
    }


def bars(values: Sequence[float], count: int = BARS) -> list[tuple[float, float, int]]:
    """(from, to, how many) over equal widths between the least and the greatest value."""
    if not values:
        return []
    low, high = float(min(values)), float(max(values))
    if low == high:
        return [(low, high, len(values))]
    width, held = (high - low) / count, [0] * count
    for value in values:
        held[min(count - 1, int((value - low) / width))] += 1
    return [(low + place * width, low + (place + 1) * width, many) for place, many in enumerate(held)]
