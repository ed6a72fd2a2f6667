"""Money is integer micro-dollars, so that sums are exact and a limit can not be passed by rounding."""

from __future__ import annotations

from mlresearch.durations import is_decimal, millionths
from mlresearch.errors import UsageError, shown

MICRO = 1_000_000
MOST = 1_000_000 * MICRO
ALLOWED = "an amount in US dollars such as 0, 10 or 2.50, at most 1000000"


def to_micro(value: object, name: str = "amount") -> int:
    """Micro-dollars of a dollar amount written as a number or text; raises UsageError for anything else."""
    spelled = _spelled(value)
    micro = millionths(spelled) if is_decimal(spelled, 7, 6) else -1
    if not 0 <= micro <= MOST:
        raise UsageError(f"{name} {shown(value)} is not an amount", ALLOWED)
    return micro


def _spelled(value: object) -> str:
    """The amount in decimals; empty for what has no exact form in micro-dollars, such as NaN, 1e-7 or 0.1 + 0.2."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value * MICRO <= MOST:
        return ""
    return format(value, "f") if round(value, 6) == value else ""


def show(micro: int) -> str:
    """`$2.14`; amounts that are no whole cents keep the digits they need."""
    sign, micro = ("-" if micro < 0 else ""), abs(micro)
    dollars, rest = divmod(micro, MICRO)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}${dollars}.{decimals}"


def job_ceiling(attempts: int, timeout_s: int, micro_per_minute: int) -> int:
    """The most a job can cost: every attempt runs to its timeout and each begun minute is billed."""
    return attempts * -(-timeout_s // 60) * micro_per_minute
