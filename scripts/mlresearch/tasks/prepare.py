# /// script
# requires-python = ">=3.11"
# dependencies = ["names==0.3.0", "numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Writes a task's data as OUT/data/{train,val}.npz and OUT/sealed/test.npz, split by a secret key.

Each example goes where HMAC-SHA256(key, its features) sends it: the same key gives the same bytes, nobody
without the key can tell which examples are sealed, and equal examples land on one side. Refuses to download
anything, and to report a split that it has not read back and audited.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SPLITS = {"train": "data/train.npz", "val": "data/val.npz", "test": "sealed/test.npz"}
TRAIN_END, VAL_END = 0.6, 0.8  # shares of the examples: 60 % train, 20 % val, 20 % test
KEY_BYTES = 16  # what nobody can guess

Examples = tuple[Any, Any]


def digits() -> Examples:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data.astype("<f4"), bunch.target


def diabetes() -> Examples:
    """In the units the clinic used: how to scale them is a lever of the campaign."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return bunch.data.astype("<f4"), bunch.target.astype("<f8")


def names() -> Examples:
    """A name on both lists goes to the sex that bears it more often; one borne equally often is left out."""
    import names as package

    share: dict[str, Counter[str]] = {}
    for sex in ("female", "male"):
        for line in Path(package.FILES[f"first:{sex}"]).read_text().splitlines():
            name, frequency = line.split()[:2]
            share.setdefault(name.lower(), Counter())[sex] = round(1000 * float(frequency))
    owners = {name: sexes.most_common(2) for name, sexes in sorted(share.items())}
    kept = {name: top[0][0] for name, top in owners.items() if len(top) == 1 or top[0][1] > top[1][1]}
    return np.array(list(kept)), np.array(list(kept.values()))


SOURCES: dict[str, Callable[[], Examples]] = {"digits": digits, "diabetes": diabetes, "names": names}


def content(example: Any) -> bytes:
    return str(example).encode() if isinstance(example, str) else bytes(example.tobytes())


def split_of(key: bytes, example: Any) -> str:
    share = int.from_bytes(hmac.digest(key, content(example), "sha256")[:8], "big") / 2**64
    return "train" if share < TRAIN_END else "val" if share < VAL_END else "test"


def split(key: bytes, examples: Examples) -> dict[str, Examples]:
    x, y = examples
    side = np.array([split_of(key, example) for example in x])
    return {name: (x[side == name], y[side == name]) for name in SPLITS}


def standardised(parts: dict[str, Examples]) -> dict[str, Examples]:
    """A regression target in standard deviations of the training part: RMSE 1.0 is then guessing the mean."""
    target = parts["train"][1]
    if target.dtype.kind != "f":
        return parts
    return {name: (x, (y - target.mean()) / target.std()) for name, (x, y) in parts.items()}


def write(path: Path, examples: Examples) -> str:
    """The file's sha256; equal examples give equal bytes, which numpy.savez does not (it stores the time)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in zip("Xy", examples, strict=True):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def audit(out: Path) -> dict[str, Any]:
    """What the written files hold; exits 1 if an example stands in two of them, or a class in one alone."""
    home: dict[bytes, str] = {}
    counts, classes = {}, {}
    for name, place in SPLITS.items():
        with np.load(out / place) as file:
            x, y = file["X"], file["y"]
        for example in map(content, x):
            if home.setdefault(example, name) != name:
                sys.exit(f"one example stands in both {home[example]} and {name}; next: report this as a fault")
        counts[name] = len(x)
        classes[name] = {} if y.dtype.kind == "f" else dict(sorted(Counter(y.tolist()).items()))
    if not all(counts.values()) or len({tuple(sizes) for sizes in classes.values()}) > 1:
        sys.exit(f"a split is empty or lacks a class: {counts} {classes}; next: take another --key")
    return {"counts": counts, "classes": classes, "repeated": sum(counts.values()) - len(home)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a task's data, split by a key.", allow_abbrev=False)
    parser.add_argument("--task", choices=sorted(SOURCES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="gets data/ and sealed/")
    parser.add_argument("--key", required=True, help=f"at least {KEY_BYTES} random bytes in hexadecimal")
    args = parser.parse_args()
    try:
        key = bytes.fromhex(args.key)
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        parser.error(f"--key is not {KEY_BYTES} bytes or more in hexadecimal; next: openssl rand -hex 32")
    parts = standardised(split(key, SOURCES[args.task]()))
    files = {place: write(args.out / place, parts[name]) for name, place in SPLITS.items()}
    print(json.dumps({"task": args.task, **audit(args.out), "files": files}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
