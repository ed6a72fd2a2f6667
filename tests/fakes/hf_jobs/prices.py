"""Hardware and its price as the Hub documents it (US dollars an hour, August 2026), in the form of its API."""

from __future__ import annotations

from typing import Any

# flavor: (dollars an hour, accelerator, how many, GB each)
HARDWARE: dict[str, tuple[float, str, int, int]] = {
    "cpu-basic": (0.01, "", 0, 0),
    "cpu-upgrade": (0.03, "", 0, 0),
    "cpu-xl": (1.00, "", 0, 0),
    "cpu-performance": (1.90, "", 0, 0),
    "t4-small": (0.40, "T4", 1, 16),
    "t4-medium": (0.60, "T4", 1, 16),
    "l4x1": (0.80, "L4", 1, 24),
    "l4x4": (3.80, "L4", 4, 24),
    "l40sx1": (1.80, "L40S", 1, 48),
    "l40sx4": (8.30, "L40S", 4, 48),
    "l40sx8": (23.50, "L40S", 8, 48),
    "a10g-small": (1.00, "A10G", 1, 24),
    "a10g-large": (1.50, "A10G", 1, 24),
    "a10g-largex2": (3.00, "A10G", 2, 24),
    "a10g-largex4": (5.00, "A10G", 4, 24),
    "a100-large": (2.50, "A100", 1, 80),
    "a100x4": (10.00, "A100", 4, 80),
    "a100x8": (20.00, "A100", 8, 80),
    "h200": (5.00, "H200", 1, 141),
    "h200x2": (10.00, "H200", 2, 141),
    "h200x4": (20.00, "H200", 4, 141),
    "h200x8": (40.00, "H200", 8, 141),
    "rtx-pro-6000": (2.75, "RTX PRO 6000", 1, 96),
    "rtx-pro-6000x2": (5.50, "RTX PRO 6000", 2, 96),
    "rtx-pro-6000x4": (11.00, "RTX PRO 6000", 4, 96),
    "rtx-pro-6000x8": (22.00, "RTX PRO 6000", 8, 96),
}


def micro_per_minute(flavor: str) -> int:
    return round(HARDWARE[flavor][0] * 1_000_000 / 60)


def listing() -> list[dict[str, Any]]:
    """The answer of GET /api/jobs/hardware."""
    return [_item(flavor) for flavor in HARDWARE]


def _item(flavor: str) -> dict[str, Any]:
    micro = micro_per_minute(flavor)
    return {
        "name": flavor,
        "prettyName": flavor.replace("-", " ").title(),
        "cpu": "8 vCPU",
        "ram": "32 GB",
        "ephemeralStorage": "50 GB",
        "accelerator": _accelerator(flavor),
        "unitCostMicroUSD": micro,
        "unitCostUSD": micro / 1_000_000,
        "unitLabel": "minute",
    }


def _accelerator(flavor: str) -> dict[str, str] | None:
    _, model, count, memory_gb = HARDWARE[flavor]
    if not count:
        return None
    memory = f"{count * memory_gb} GB"
    return {"type": "gpu", "model": model, "quantity": str(count), "vram": memory, "manufacturer": "Nvidia"}
