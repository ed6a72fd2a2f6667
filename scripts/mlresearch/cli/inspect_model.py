"""inspect_model.py: what a model is, what memory it needs, and which machines hold it. Writes nothing."""

from __future__ import annotations

from mlresearch.cli import Answer, look_up, table
from mlresearch.errors import UsageError, shown
from mlresearch.model_facts import answer, wording
from mlresearch.model_facts.answer import Asked
from mlresearch.model_facts.memory import Plan
from mlresearch.options import Values

MOST_TOKENS, MOST_BATCH, MOST_RANK = 10_000_000, 100_000, 4096


def show(values: Values) -> Answer:
    plan = Plan(
        method="",
        sequence=_number(values, "sequence_length", 0, MOST_TOKENS),
        batch=_number(values, "batch", 1, MOST_BATCH),
        precision=values.text("precision") or "bf16",
        optimizer=values.text("optimizer") or "adamw",
        is_checkpointed=values.flag("gradient_checkpointing"),
        rank=_number(values, "lora_rank", 16, MOST_RANK),
        is_fused=values.text("attention") != "eager",
        loss=values.text("loss") or "whole",
    )
    methods = tuple(dict.fromkeys(values.many("method")))
    data = answer.inspect(Asked(values.need("model"), values.text("revision"), methods, plan))
    return Answer(data, wording.told(data, table))


def _number(values: Values, key: str, usual: int, most: int) -> int:
    given = values.text(key)
    if given is None:
        return usual
    value = int(given) if given.isascii() and given.isdigit() and len(given) < 12 else 0
    if not 1 <= value <= most:
        flag = "--" + key.replace("_", "-")
        raise UsageError(f"{flag} {shown(given)} is not a number of use here", f"a whole number, 1 to {most}")
    return value


def run(argv: list[str] | None = None) -> int:
    return look_up("inspect_model.py", {"show": show}, argv)
