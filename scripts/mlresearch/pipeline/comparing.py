"""A measured value beside its baseline: what may be said of the difference, and what not. Pure arithmetic on words.

It says plainly when a result is no better, or so near that chance explains it; it never calls a difference an effect.
"""

from __future__ import annotations

from mlresearch.pipeline.task import Output

# fewer standard errors than this are what chance gives in one of twenty measurements
CLEAR = 2.0


def measured(found: Output) -> str:
    """Metric, value, number of examples, standard error and baseline of an accepted evaluation, in one line."""
    stderr = "standard error unknown" if found.get("stderr") is None else f"standard error {found['stderr']}"
    return f"{found['metric']}: **{found['value']}** (n = {found['n']}, {stderr}); {baseline(found)}"


def baseline(found: Output) -> str:
    value, what = found.get("baselineValue"), found.get("baselineWhat")
    name = f"baseline ({what})" if what else "baseline"
    return f"{name}: {'not measured' if value is None else value}"


def verdict(found: Output, direction: str) -> str:
    """One sentence on the difference from the baseline, in the metric's direction; empty where nothing was measured."""
    value, before, stderr = found.get("value"), found.get("baselineValue"), found.get("stderr")
    if value is None:
        return ""
    if before is None:
        return "No baseline was measured: this number alone does not say that anything was gained"
    gain = float(before) - float(value) if direction == "minimize" else float(value) - float(before)
    if gain <= 0:
        told = "the same value" if gain == 0 else f"worse by {-gain:.4g}"
        return f"Not better than the baseline: {told}"
    if stderr is None:
        return f"Better than the baseline by {gain:.4g}; without a standard error nobody can say that it is not chance"
    return _against(gain, float(stderr))


def _against(gain: float, stderr: float) -> str:
    if gain <= stderr:
        return f"No evidence of a gain: the difference of {gain:.4g} is within one standard error ({stderr:.4g})"
    if gain < CLEAR * stderr:
        told = f"{gain / stderr:.1f} standard errors; fewer than {CLEAR:.0f} may well be chance"
        return f"Better than the baseline by {gain:.4g}, which is {told}"
    times = f", {gain / stderr:.3g} standard errors" if stderr else ""
    return f"Better than the baseline by {gain:.4g}{times}"
