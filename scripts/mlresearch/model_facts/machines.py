"""Which machines hold an estimate, cheapest first, by the prices of now. Refuses a price that was not read.

One accelerator must hold it all: of a flavor with several, each has its share of the memory that the Hub lists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mlresearch import money
from mlresearch.backends.hf import HfBackend, Machine
from mlresearch.backends.hf_hub import Patience
from mlresearch.errors import ResearchError
from mlresearch.model_facts.memory import Estimate
from mlresearch.sources.hosts import HUB

REQUEST_S = 10.0
USED_BY_SYSTEM = 1_000_000_000
# older than compute capability 8.0 (NVIDIA's CUDA programming guide): torch runs bf16 there, by slower means
WITHOUT_BF16 = r"\b(?:T4|V100|P100|P4|K80)\b"


def listed() -> tuple[list[Machine], str]:
    """The Hub's machines, and why there are none; it asks the Hub once."""
    try:
        return HfBackend(HUB.base, Patience(request_s=REQUEST_S)).machines(), ""
    except ResearchError as error:
        return [], f"prices were not read, so no flavor is named: {error.wrong}"


def that_hold(gpu: Estimate, cpu: Estimate | None, machines: Sequence[Machine]) -> list[dict[str, Any]]:
    """Flavors whose device holds the estimate; `cpu` None: this can not run without an accelerator."""
    found = [_row(machine, gpu if machine.accelerators else cpu) for machine in machines]
    fitting = [row for row in found if row is not None]
    return sorted(fitting, key=lambda row: (row["device"] == "CPU", row["micro_usd_per_hour"], row["flavor"]))


def _row(machine: Machine, need: Estimate | None) -> dict[str, Any] | None:
    room = machine.memory // machine.accelerators if machine.accelerators else machine.memory - USED_BY_SYSTEM
    if need is None or room < need.device_bytes:
        return None
    hourly = machine.micro_per_minute * 60
    has_bf16 = not (machine.accelerators and re.search(WITHOUT_BF16, machine.model))
    return {
        "flavor": machine.flavor,
        "device": f"{machine.accelerators} x {machine.model}" if machine.accelerators else "CPU",
        "device_bytes": room,
        "micro_usd_per_hour": hourly,
        "usd_per_hour": money.show(round(hourly, -4)),
        "has_bf16": has_bf16,
        "used": round(need.device_bytes / room, 2),
    }
