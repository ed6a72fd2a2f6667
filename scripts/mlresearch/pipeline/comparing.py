"""A measured value beside its baseline: what may be said of the difference, and what not. Pure arithmetic on words.

It says plainly when a result is no better, or so near that chance explains it; it never calls a difference an effect.
"""

from __future__ import annotations

import math

from mlresearch.pipeline.task import Output

# fewer standard errors than this are what chance gives in one of twenty measurements
CLEAR = 2.0


def measured(found: Output) -> str:
    """Metric, value, number of examples, standard error and baseline of an accepted evaluation, in one line."""
    stderr = "standard error unknown" if found.get("stderr") is None else f"standard error {found['stderr']}"
    return f"{found['metric']}: **{found['value']}** (n = {found['n']}, {stderr}); {baseline(found)}"


def baseline(found: Output) -> str:
    value, what, stderr = found.get("baselineValue"), found.get("baselineWhat"), found.get("baselineStderr")
    name = f"baseline ({what})" if what else "baseline"
    error = "" if value is None or stderr is None else f" (standard error {stderr})"
    return f"{name}: {'not measured' if value is None else value}{error}"


def verdict(found: Output, direction: str) -> str:
    """One sentence on the difference from the baseline, in the metric's direction; empty where nothing was measured."""
    value, before = found.get("value"), found.get("baselineValue")
    if value is None:
        return ""
    if before is None:
        return "No baseline was measured: this number alone does not say that anything was gained"
    gain = float(before) - float(value) if direction == "minimize" else float(value) - float(before)
    if gain <= 0:
        told = "the same value" if gain == 0 else f"worse by {-gain:.4g}"
        return f"Not better than the baseline: {told}"
    errors, paired = _errors(found, gain), found.get("difference")
    if errors is None:
        told = "without the standard errors of both nobody can say that it is not chance"
        return f"Better than the baseline by {gain:.4g}; {told}"
    told = _against(gain, errors)
    if paired is not None and paired["stderr"] is not None:  # in the unit of what the rows have: losses, for perplexity
        told += f" ({paired['value']:.4g} row by row, standard error {paired['stderr']:.2g})"
    return told


def _errors(found: Output, gain: float) -> float | None:
    """How many standard errors the difference is: of the rows' own differences where they are known, else of two means.

    None where neither is known; infinite where nothing varies.
    """
    paired, ours, theirs = found.get("difference"), found.get("stderr"), found.get("baselineStderr")
    if paired is not None and paired["stderr"] is not None:
        size, stderr = abs(float(paired["value"])), float(paired["stderr"])
    elif ours is not None and theirs is not None:
        size, stderr = gain, math.hypot(float(ours), float(theirs))
    else:
        return None
    return size / stderr if stderr else math.inf


def _against(gain: float, errors: float) -> str:
    if errors <= 1:
        return f"No evidence of a gain: the difference of {gain:.4g} is within one standard error of it"
    if errors < CLEAR:
        told = f"{errors:.1f} standard errors of the difference; fewer than {CLEAR:.0f} may well be chance"
        return f"Better than the baseline by {gain:.4g}, which is {told}"
    times = f", {errors:.3g} standard errors of the difference" if math.isfinite(errors) else ""
    return f"Better than the baseline by {gain:.4g}{times}"
