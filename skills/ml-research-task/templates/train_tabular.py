# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1", "trackio==0.43.0"]
# ///
"""Train a small neural network on a table, or on short texts, for a fixed number of optimisation steps.

Reads train.npz and val.npz in --data: X holds numbers, or strings, which become character n-grams; y holds
floats for a regression, anything else for a classification. Standardise a regression target when you prepare
the data: an RMSE of 1.0 is then what always guessing the mean would score. The defaults are a plain baseline.

Leaves model.pkl (features and network, one scikit-learn pipeline) and metrics.json in --out. Prints a line a
report, the metric, and last one line of JSON. Metrics and alerts go to Trackio on this machine. SMOKE=1: one
training step and one evaluation on 64 examples. Exit status: 0 done, 3 diverged (see the ERROR alert),
143 stopped by SIGTERM (the same call with --resume goes on and ends with the same numbers).
"""

import argparse
import json
import math
import os
import pickle
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

REPORTS = 20  # points on the curve of one run
LEAST = 50  # steps without a gain that make a plateau: fewer tell nothing
DIVERGED_AT = 10.0  # a loss this many times the first one does not come back
SMOKE = os.environ.get("SMOKE") == "1"

stop_asked: list[int] = []  # filled by SIGTERM; looked at between reports, so that no step is saved half done


class Point(NamedTuple):
    step: int
    loss: float
    train: float
    val: float
    stderr: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on a table.", allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.npz and val.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.pkl and metrics.json")
    parser.add_argument("--seed", type=int, default=0, help="decides the first weights and the order of rows")
    parser.add_argument("--steps", type=int, default=400, help="optimisation steps: the budget of one run")
    parser.add_argument("--resume", action="store_true", help="go on from model.pkl in --out, if it is there")
    parser.add_argument("--project", default="tabular", help="Trackio project")
    parser.add_argument("--hidden", type=int, default=32, help="units of the hidden layer")
    parser.add_argument("--activation", choices=["logistic", "relu", "tanh"], default="logistic")
    parser.add_argument("--solver", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--learning-rate", type=float, default=0.002, dest="learning_rate_init")
    parser.add_argument("--alpha", type=float, default=0.0001, help="L2 penalty on the weights")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--scaling", choices=["maxabs", "standard", "none"], default="maxabs")
    parser.add_argument("--ngrams", type=int, default=2, help="longest character n-gram (texts only)")
    return parser.parse_args()


def load(folder: Path, split: str) -> tuple[Any, Any]:
    with np.load(folder / f"{split}.npz") as file:  # refuses pickled objects: data must not run code
        return (file["X"][:64], file["y"][:64]) if SMOKE else (file["X"], file["y"])


def build_features(args: argparse.Namespace, is_text: bool) -> Any:
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, args.ngrams), max_features=2000)
    # centring would fill a sparse matrix
    scalers = {"standard": StandardScaler(with_mean=not is_text), "maxabs": MaxAbsScaler()}
    return make_pipeline(grams if is_text else "passthrough", scalers.get(args.scaling, "passthrough"))


def build_network(args: argparse.Namespace, is_regression: bool) -> Any:
    """A fresh network, or with --resume the saved one, if it was trained with the same settings."""
    same_names = ("activation", "solver", "learning_rate_init", "alpha", "batch_size")
    settings = {name: getattr(args, name) for name in same_names}
    settings |= {"hidden_layer_sizes": (args.hidden,), "random_state": args.seed, "shuffle": False}
    network, saved = (MLPRegressor if is_regression else MLPClassifier)(**settings), args.out / "model.pkl"
    if not (args.resume and saved.exists()):
        return network
    old = pickle.loads(saved.read_bytes())[-1]
    if old.get_params() != network.get_params():
        sys.exit(f"{saved} was trained with other settings; allowed: its own flags; next: drop --resume")
    return old


def advance(network: Any, x: Any, y: Any, known: dict[str, Any]) -> float:
    """One optimisation step a batch; the mean loss, NaN once the weights overflow."""
    try:
        return float(network.partial_fit(x, y, **known).loss_)
    except ValueError as error:
        if "non-finite" not in str(error):
            raise
        return math.nan


def score(model: Any, x: Any, y: Any) -> tuple[float, float]:
    """Accuracy, or RMSE where y holds floats, and its standard error over the examples."""
    if y.dtype.kind != "f":
        right = model.predict(x) == y
        return float(right.mean()), float(right.std() / math.sqrt(len(y)))
    squares = (model.predict(x) - y) ** 2
    rmse = math.sqrt(squares.mean())
    return rmse, float(squares.std() / math.sqrt(len(y)) / (2 * rmse or 1))


def alert_for(curve: list[Point], sign: int) -> tuple[str, str, str] | None:
    """Level, title and text that the curve calls for: the numbers first, then what to do."""
    now, best = curve[-1], max(curve, key=lambda point: sign * point.val)
    if not now.loss <= DIVERGED_AT * curve[0].loss:  # true for NaN as well
        return "ERROR", "divergence_nan", f"loss {now.loss:.4g} at step {now.step}: divide --learning-rate by 10"
    seen = f"val {now.val:.4f} at step {now.step}, best {best.val:.4f} at step {best.step}"
    if sign * (now.train - now.val) > 0.1 and sign * (best.val - now.val) > 0.01:
        return "WARN", "overfitting", f"train {now.train:.4f}, {seen}: raise --alpha or lower --hidden"
    if len(curve) - curve.index(best) > REPORTS // 2 and now.step - best.step >= LEAST:
        return "INFO", "plateau", f"{seen}: lower --steps, or change another lever"
    return None


def start_tracking(args: argparse.Namespace) -> Any:
    """Trackio on this machine, or in the private Space that a job was given: else nothing carries the metrics out."""
    space = os.environ.get("TRACKIO_SPACE_ID") if "ML_RESEARCH_JOB" in os.environ and not SMOKE else None
    for remote in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_WEBHOOK_URL"):
        os.environ.pop(remote, None)
    if space is None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # init() would ask the Hub whose token this is
    os.environ.setdefault("TRACKIO_DIR", str(args.out / "trackio"))
    import trackio

    name, config = "/".join(args.out.parts[-2:]), {flag: str(value) for flag, value in vars(args).items()}
    quiet: dict[str, Any] = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False, "private": True}
    trackio.init(args.project, name, config=config, resume="allow" if args.resume else "never", space_id=space, **quiet)
    return trackio


def train(args: argparse.Namespace, train_set: Any, val_set: Any, trackio: Any) -> tuple[str, list[Point]]:
    """How it ended ("done", "diverged", "stopped") and the curve; saves the model at every report."""
    (x, y), (x_val, y_val) = train_set, val_set
    is_regression, few, alerted = y.dtype.kind == "f", slice(len(y_val)), set[str]()
    known = {} if is_regression else {"classes": np.unique(y)}
    features = build_features(args, x.dtype.kind == "U").fit(x)
    x, x_val = features.transform(x), features.transform(x_val)
    network = build_network(args, is_regression)
    step = getattr(network, "t_", 0) // args.batch_size  # the network counts the examples it has seen

    def measure(loss: float) -> Point:
        return Point(step, loss, score(network, x[few], y[few])[0], *score(network, x_val, y_val))

    curve = [measure(network.loss_)] if step else []
    while step < args.steps and not stop_asked:
        until = min(step + max(1, args.steps // REPORTS), args.steps)
        draw = np.random.default_rng([args.seed, step])  # so that a resumed run draws the same rows
        rows = draw.integers(len(y), size=(until - step) * args.batch_size)
        loss, step = advance(network, x[rows], y[rows], known), until
        curve.append(measure(loss))
        print("step {} loss {:.4f} train {:.4f} val {:.4f}".format(*curve[-1]), flush=True)
        numbers = {"loss": loss, "train": curve[-1].train, "val": curve[-1].val}
        trackio.log({name: value for name, value in numbers.items() if math.isfinite(value)}, step=step)
        alert = alert_for(curve, sign=-1 if is_regression else 1)
        if alert and alert[1] not in alerted:
            trackio.alert(*alert[1:], level=trackio.AlertLevel[alert[0]])  # a plain string is not stored
            alerted.add(alert[1])
        if "divergence_nan" in alerted:
            return "diverged", curve
        (args.out / "model.part").write_bytes(pickle.dumps(make_pipeline(features, network)))
        (args.out / "model.part").replace(args.out / "model.pkl")  # whole or not at all
    return "done" if step >= args.steps else "stopped", curve


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: stop_asked.append(1))
    begun, args = time.monotonic(), arguments()
    args.out, args.steps = args.out.resolve(), 1 if SMOKE else args.steps
    args.out.mkdir(parents=True, exist_ok=True)
    train_set, val_set = load(args.data, "train"), load(args.data, "val")
    trackio = start_tracking(args)
    ended, curve = train(args, train_set, val_set, trackio)
    trackio.finish()  # Trackio writes every 0.5 s: without this the last alert is lost

    unit = 1024 if sys.platform == "linux" else 1024**2  # of ru_maxrss: KiB on Linux, bytes on macOS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    cost = {"steps": curve[-1].step if curve else 0, "seconds": round(time.monotonic() - begun, 2)}
    name = "val_rmse" if val_set[1].dtype.kind == "f" else "val_accuracy"
    value, stderr = (curve[-1].val, curve[-1].stderr) if ended == "done" else (None, None)
    result = {"metric": name, "value": value, "n": len(val_set[1]), "stderr": stderr, **cost}
    result |= {"peak_memory_mb": memory, "output": str(args.out / "model.pkl"), "ended": ended}
    finite = [point for point in curve if math.isfinite(point.loss)]
    (args.out / "metrics.json").write_text(json.dumps({**result, "curve": finite}))
    print(*([f"{name}: {value:.6f}"] if ended == "done" else []), json.dumps(result), sep="\n", flush=True)
    return {"done": 0, "diverged": 3, "stopped": 128 + signal.SIGTERM}[ended]


if __name__ == "__main__":
    sys.exit(main())
