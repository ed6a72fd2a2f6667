# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Score a model of train_tabular.py on data that training never saw.

The model file comes from a script that may have been edited, and is opened beside the sealed labels. So only
scikit-learn's classes, arrays and plain containers come out of it, and it can not name other code to run.
Prints the metric, and last one line of JSON.
"""

import argparse
import json
import math
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_regressor

CONTAINERS = {"builtins": {"set", "frozenset", "slice"}, "collections": {"OrderedDict", "defaultdict"}}
ARRAY_MAKERS = {
    "_reconstruct",
    "_frombuffer",
    "scalar",
    "__randomstate_ctor",
    "__bit_generator_ctor",
    "MT19937",
}


class PlainModel(pickle.Unpickler):
    """Loads what scikit-learn's training leaves; raises UnpicklingError at the name of anything else."""

    def find_class(self, module: str, name: str) -> Any:
        package = module.split(".")[0]
        if "." not in name and package in {"numpy", "scipy", "sklearn", *CONTAINERS}:
            found = super().find_class(module, name)
            if name in CONTAINERS.get(package, ()) or self.is_array_part(package, name, found):
                return found
            if isinstance(found, type) and found.__module__.startswith(("sklearn.", "scipy.sparse.")):
                return found
        raise pickle.UnpicklingError(
            f"the model names {module}.{name}; allowed: classes of scikit-learn, arrays, plain containers; "
            "next: train with such parts alone"
        )

    @staticmethod
    def is_array_part(package: str, name: str, found: Any) -> bool:
        if package != "numpy":
            return False
        is_type = isinstance(found, type) and issubclass(found, (np.generic, np.dtype))
        return is_type or found is np.ndarray or name in ARRAY_MAKERS


def score(model: Any, x: Any, y: Any) -> tuple[float, float]:
    """Accuracy, or RMSE of a regression, and its standard error over the examples."""
    if not is_regressor(model):
        right = model.predict(x) == y
        return float(right.mean()), float(right.std() / math.sqrt(len(y)))
    squares = (model.predict(x) - y) ** 2
    rmse = math.sqrt(squares.mean())
    return rmse, float(squares.std() / math.sqrt(len(y)) / (2 * rmse or 1))


def main() -> int:
    parser = argparse.ArgumentParser(description="Score a trained model on held-out data.", allow_abbrev=False)
    parser.add_argument("--model", type=Path, required=True, help="model.pkl of train_tabular.py")
    parser.add_argument("--data", type=Path, required=True, help="an .npz file, or a folder with test.npz")
    args = parser.parse_args()
    with args.model.open("rb") as file:
        model = PlainModel(file).load()
    path = args.data / "test.npz" if args.data.is_dir() else args.data
    with np.load(path) as examples:
        x, y = examples["X"], examples["y"]
    value, stderr = score(model, x, y)
    name = f"{path.stem}_{'rmse' if is_regressor(model) else 'accuracy'}"
    print(f"{name}: {value:.6f}")
    print(json.dumps({"metric": name, "value": value, "n": len(y), "stderr": stderr}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
