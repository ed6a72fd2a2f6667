"""Live prices, and the copy of them that the guard shows a person. Refuses a price that is no whole micro-dollar.

The copy is for the guard alone, which may not ask a network; whoever reserves money reads the backend itself.
"""

from __future__ import annotations

import os
import time
from typing import Any

from mlresearch import store
from mlresearch.backends import Backend
from mlresearch.errors import BackendError, SealError, shown

FREE_BACKENDS = ("local",)


def read(backend: Backend) -> dict[str, int]:
    """Micro-dollars a minute by flavor, as the backend tells them now; those of a paid one are left for the guard."""
    prices = backend.prices()
    for flavor, price in prices.items():
        if type(price) is not int or price < 0:
            raise BackendError(f"the price of {flavor} on {backend.name} is {shown(price)}", "micro-dollars a minute")
    if backend.name not in FREE_BACKENDS:
        path = os.path.join(store.base(), "prices.json")
        store.put(path, {**_known(path), backend.name: prices, "read_at": time.time()})
    return prices


def _known(path: str) -> dict[str, Any]:
    """What else the copy holds; nothing when it is damaged, since it is made anew."""
    try:
        known = store.get(path)
    except SealError:
        return {}
    return known if isinstance(known, dict) else {}
