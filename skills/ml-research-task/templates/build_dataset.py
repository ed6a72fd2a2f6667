# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "datasets==5.2.0",
# ]
# ///
"""Build a data set that a training template reads: rename, drop what is broken or doubled, split without overlap.

--method names the columns that must come out; --map NEW=OLD renames. Rows with a missing or empty value go, and of
rows with the same content (case and spaces aside) the first stays. A row's split follows from its content alone:
the same row lands in the same split whatever else is in the data, so a later build leaks nothing into the test.

Leaves train.jsonl, validation.jsonl, test.jsonl and metrics.json in --output. Prints counts, the metric (rows kept)
and last one line of JSON. SMOKE=1: 64 rows. Exit status: 0 done, 1 no row is left, 143 stopped by SIGTERM.
"""

import argparse
import hashlib
import json
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset

# What the rows of a method hold; where there are several ways, the first that fits is taken.
METHODS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sft": (("messages",), ("prompt", "completion"), ("text",)),
    "dpo": (("prompt", "chosen", "rejected"),),
    "reward": (("chosen", "rejected"),),
    "grpo": (("prompt",),),
    "classification": (("text", "label"),),
    "embedding": (("anchor", "positive", "negative"), ("anchor", "positive"), ("sentence1", "sentence2", "score")),
    "vision": (("image", "label"),),
}
SMOKE = os.environ.get("SMOKE") == "1"

stop_asked: list[int] = []  # filled by SIGTERM; looked at between rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--data", required=True, help="Hub id, folder or file (jsonl, csv, parquet)")
    parser.add_argument("--split", default="train", help="of the data, where it has splits")
    parser.add_argument("--method", required=True, choices=sorted(METHODS))
    parser.add_argument("--map", action="append", default=[], metavar="NEW=OLD", help="rename a column")
    parser.add_argument("--keep", action="append", default=[], help="one more column to carry along")
    parser.add_argument("--key", action="append", default=[], help="column that decides split and sameness (all)")
    parser.add_argument("--validation", type=float, default=0.1, help="share of rows")
    parser.add_argument("--test", type=float, default=0.1, help="share of rows")
    parser.add_argument("--seed", type=int, default=0, help="decides which rows go to which split")
    parser.add_argument("--output", type=Path, required=True, help="folder for the splits")
    parser.add_argument("--hub-dataset-id", help="OWNER/NAME to push the splits to (private)")
    args = parser.parse_args()
    if args.hub_dataset_id and not re.fullmatch(r"[\w.-]+/[\w.-]+", args.hub_dataset_id):
        parser.error(f"--hub-dataset-id {args.hub_dataset_id} is not of the form OWNER/NAME")
    if wrong := [pair for pair in args.map if pair.count("=") != 1]:
        parser.error(f"--map {wrong[0]} is not of the form NEW=OLD")
    if args.method == "vision":
        parser.error("images do not go into jsonl; next: one folder a class, which train_vision.py reads as it is")
    return args


def load(args: argparse.Namespace) -> tuple[Any, list[str]]:
    """The rows, renamed, and the columns that the method needs."""
    path = Path(args.data)
    if path.is_file():
        kind = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}[path.suffix]
        rows = load_dataset(kind, data_files=str(path), split="train")
    else:
        rows = load_dataset(args.data, split=args.split)
    rows = rows.rename_columns({old: new for new, old in (pair.split("=") for pair in args.map)})
    columns = next((choice for choice in METHODS[args.method] if set(choice) <= set(rows.column_names)), None)
    if columns is None:
        allowed = " or ".join("+".join(choice) for choice in METHODS[args.method])
        sys.exit(f"{args.data} has columns {rows.column_names}; allowed: {allowed}; next: --map NEW=OLD")
    kept = [*columns, *(name for name in args.keep if name not in columns)]
    return rows.select_columns(kept).select(range(min(len(rows), 64)) if SMOKE else range(len(rows))), kept


def is_broken(value: Any) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def place(content: str, args: argparse.Namespace) -> str:
    """The split of a row, from its content and the seed alone."""
    drawn = int.from_bytes(hashlib.sha256(f"{args.seed} {content}".encode()).digest()[:8]) / 2**64
    if drawn < args.test:
        return "test"
    return "validation" if drawn < args.test + args.validation else "train"


def build(args: argparse.Namespace, rows: Any, columns: list[str]) -> tuple[dict[str, list[Any]], Counter[str]]:
    splits: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
    seen, counts = set[str](), Counter[str]()
    for row in rows:
        if stop_asked:
            break
        counts["read"] += 1
        content = json.dumps([row[name] for name in args.key or columns], ensure_ascii=False).casefold()
        content = re.sub(r"(\\[nrt]|\s)+", " ", content)
        if any(is_broken(row[name]) for name in columns):
            counts["broken"] += 1
        elif content in seen:
            counts["doubled"] += 1
        else:
            seen.add(content)
            splits[place(content, args)].append(row)
    return splits, counts


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: stop_asked.append(1))
    begun, args = time.monotonic(), arguments()
    args.output = args.output.resolve()
    args.output.mkdir(parents=True, exist_ok=True)
    rows, columns = load(args)
    splits, counts = build(args, rows, columns)
    for name, kept in splits.items() if not stop_asked else ():
        part = args.output / f"{name}.part"
        part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), encoding="utf-8")
        part.replace(args.output / f"{name}.jsonl")  # whole or not at all
        counts[name] = len(kept)
        print(f"{name}: {len(kept)}")
    for name in ("read", "broken", "doubled"):
        print(f"{name}: {counts[name]}")
    total = sum(len(kept) for kept in splits.values())
    where = str(args.output)
    if args.hub_dataset_id and total and not SMOKE and not stop_asked:
        parts = DatasetDict({name: Dataset.from_list(kept) for name, kept in splits.items() if kept})
        parts.push_to_hub(args.hub_dataset_id, private=True)
        where = args.hub_dataset_id
    unit = 1024 if sys.platform == "linux" else 1024**2  # of ru_maxrss: KiB on Linux, bytes on macOS
    cost = {"steps": counts["read"], "seconds": round(time.monotonic() - begun, 2)}
    cost["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    ended = "stopped" if stop_asked else "done" if total else "empty"
    scores = {"metric": "rows", "value": float(total) if ended == "done" else None, "n": counts["read"], "stderr": None}
    result = {**scores, **cost, "output": where, "ended": ended, "counts": counts, "columns": columns}
    (args.output / "metrics.json").write_text(json.dumps(result))
    print(*([f"rows: {total:.6f}"] if ended == "done" else []), json.dumps(result), sep="\n", flush=True)
    return {"done": 0, "empty": 1, "stopped": 128 + signal.SIGTERM}[ended]


if __name__ == "__main__":
    sys.exit(main())
