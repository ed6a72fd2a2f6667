"""Prints, as JSON, how the weights of two saved models differ: name → share of numbers that differ, largest difference.

python compare_weights.py FOLDER FOLDER
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any


def tensors(folder: Path) -> dict[str, Any]:
    load = importlib.import_module("safetensors.torch").load_file
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        # a model with a head names its base before the weights of it
        found |= {re.sub(r"^(bert|vit)\.", "", name): weight for name, weight in load(path).items()}
    return found


def main() -> None:
    old, new = (tensors(Path(folder)) for folder in sys.argv[1:3])
    told = {}
    for name in sorted(set(old) & set(new)):
        gap = (new[name] - old[name]).abs()
        told[name] = [float((gap > 0).float().mean()), float(gap.max())]
    print(json.dumps({"shared": told, "only_new": sorted(set(new) - set(old))}))


if __name__ == "__main__":
    main()
