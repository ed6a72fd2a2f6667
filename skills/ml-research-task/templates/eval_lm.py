# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "accelerate==1.15.0",
#     "datasets==5.2.0",
#     "huggingface_hub==2.4.0",
#     "peft==0.21.2",
#     "torch==2.13.0",
#     "trackio==0.43.0",
#     "transformers==5.23.0",
# ]
# ///
"""Measure a language model on held-out rows, beside a baseline: accuracy at a task, and perplexity.

Rows hold prompt and completion, or messages, or text. A completion is right when greedy decoding would write it, token
for token. Perplexity is exp of the mean over rows of the mean loss of a row's tokens: those of the completion, of all
that the assistant says in messages, or of the whole text.
The model is loaded as a user would load it: from the Hub or a folder; an adapter brings its base model.

Prints `metric: value` lines, then one line of JSON with n, standard error, and the difference to the baseline on the
same rows. SMOKE=1: 8 rows on the CPU. Exit status: 0 done, 143 stopped by SIGTERM (no numbers then).
"""

import argparse
import json
import math
import os
import random
import resource
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import load_dataset, load_from_disk
from huggingface_hub import constants
from transformers import AutoModelForCausalLM, AutoTokenizer

COLUMNS = (("prompt", "completion"), ("messages",), ("text",))


# --- discipline: the same in every evaluation template, byte for byte --------------------------------------
SMOKE = os.environ.get("SMOKE") == "1"

stop_asked: list[int] = []  # filled by SIGTERM; looked at between rows


def options(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, allow_abbrev=False)
    parser.add_argument("--model", required=True, help="Hub id or folder of the model that was trained")
    parser.add_argument("--baseline", help="Hub id or folder of what it must beat, measured on the same rows")
    parser.add_argument("--data", required=True, help="Hub id, folder or file (jsonl, csv, parquet)")
    parser.add_argument("--split", default="test", help="of the data, where it has splits")
    parser.add_argument("--output", type=Path, required=True, help="folder for metrics.json")
    parser.add_argument("--rows", type=int, default=0, help="rows, drawn by --seed; 0 is all of them")
    parser.add_argument("--seed", type=int, default=0, help="decides which rows are drawn")
    parser.add_argument("--project", default="templates", help="Trackio project")
    return parser


def load_rows(args: argparse.Namespace, choices: tuple[tuple[str, ...], ...]) -> Any:
    """The rows of one split, with the columns of the first choice that the data has, and no others."""
    path = Path(args.data)
    if path.is_file():
        kind = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}[path.suffix]
        rows = load_dataset(kind, data_files=str(path), split="train")
    elif (path / "dataset_dict.json").exists():
        rows = load_from_disk(str(path))[args.split]
    else:
        rows = load_dataset(args.data, split=args.split)
    columns = next((choice for choice in choices if set(choice) <= set(rows.column_names)), None)
    if columns is None or not len(rows):
        allowed = " or ".join("+".join(choice) for choice in choices)
        sys.exit(f"{args.data} has {len(rows)} rows of {rows.column_names}; allowed: {allowed}; next: rename or build")
    wanted = 8 if SMOKE else args.rows
    rows = rows.shuffle(seed=args.seed).select(range(wanted)) if 0 < wanted < len(rows) else rows
    return rows.select_columns(list(columns))


def summary(values: list[float]) -> dict[str, float | int | None]:
    stderr = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"value": statistics.fmean(values), "n": len(values), "stderr": stderr}


def compare(ours: list[float], theirs: list[float]) -> dict[str, float | int | None]:
    """The difference row by row: its standard error is far smaller than that of two separate means."""
    return summary([one - other for one, other in zip(ours, theirs, strict=True)])


def track(args: argparse.Namespace, numbers: dict[str, float]) -> None:
    """Trackio on this machine: a Space, server or token in the environment would carry the metrics out."""
    for remote in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_WEBHOOK_URL"):
        os.environ.pop(remote, None)
    os.environ.setdefault("TRACKIO_DIR", str(args.output / "trackio"))
    import trackio

    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    trackio.init(args.project, "/".join(args.output.parts[-2:]), embed=False, auto_log_gpu=False, auto_log_cpu=False)
    constants.HF_HUB_OFFLINE = offline  # else init() asks the Hub, and waits for ever, whose token this is
    trackio.log(numbers)
    trackio.finish()


def run(args: argparse.Namespace, rows: Any, score: Any, shown: Any = None) -> int:
    """Score the model, then the baseline, on the same rows; print, track and save; the exit status.

    `score(args, name, rows)` yields one dictionary of numbers a row, the headline metric first. `shown` turns a
    summary into other terms (a mean loss into a perplexity).
    """
    signal.signal(signal.SIGTERM, lambda *_: stop_asked.append(1))
    begun, args.output = time.monotonic(), args.output.resolve()
    args.output.mkdir(parents=True, exist_ok=True)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    told: dict[str, list[dict[str, float]]] = {}
    for role, name in (("model", args.model), ("baseline", args.baseline)):
        told[role] = [numbers for numbers in score(args, name, rows) if not stop_asked] if name else []
    metrics: dict[str, dict[str, Any]] = {}
    for metric in told["model"][0] if told["model"] and not stop_asked else ():
        ours, theirs = ([numbers[metric] for numbers in told[role]] for role in ("model", "baseline"))
        metrics[metric] = summary(ours)
        if theirs:
            metrics[metric] |= {"baseline": summary(theirs), "difference": compare(ours, theirs)}
    metrics = shown(metrics) if shown and metrics else metrics
    head, first = next(iter(metrics.items()), (None, {"value": None, "n": 0, "stderr": None}))
    if metrics:
        track(args, {f"eval/{metric}": numbers["value"] for metric, numbers in metrics.items()})
    for metric, numbers in metrics.items():
        against = f" baseline {numbers['baseline']['value']:.6f}" if "baseline" in numbers else ""
        print(f"{metric}: {numbers['value']:.6f}")
        print(f"{metric} n {numbers['n']} stderr {numbers['stderr']}{against}")
    unit = 1024 if sys.platform == "linux" else 1024**2  # of ru_maxrss: KiB on Linux, bytes on macOS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    cost = {"steps": len(told["model"]), "seconds": round(time.monotonic() - begun, 2), "peak_memory_mb": memory}
    end = {"output": str(args.output / "metrics.json"), "ended": "stopped" if stop_asked else "done"}
    result = {"metric": head, **first, **cost, **end, "metrics": metrics}
    (args.output / "metrics.json").write_text(json.dumps(result))
    print(json.dumps(result), flush=True)
    return 128 + signal.SIGTERM if stop_asked else 0


# --- end of the discipline block ---------------------------------------------------------------------------


def pieces(tokenizer: Any, row: dict[str, Any]) -> list[tuple[list[int], bool]]:
    """The tokens of a row in parts, each with whether it counts.

    Parts are encoded apart: a tokenizer may join letters across the border, and the model never saw that where it
    begins to speak.
    """
    if "text" in row:
        return [(tokenizer(row["text"])["input_ids"], True)]
    if isinstance(row.get("prompt"), str):
        texts = [(row["prompt"], False), (row["completion"], True)]
    else:
        texts = turns(tokenizer, row["messages"] if "messages" in row else row["prompt"] + row["completion"])
        if "prompt" in row:  # what the assistant said within the prompt was given
            texts = [("".join(text for text, _ in texts[:-1]), False), texts[-1]]
    return [(tokenizer(text, add_special_tokens=False)["input_ids"], counts) for text, counts in texts]


def turns(tokenizer: Any, messages: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """A conversation as the template writes it, cut where the assistant begins and ends to speak."""
    found, told = list[tuple[str, bool]](), ""
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(messages[:place], add_generation_prompt=True, tokenize=False)
        after = tokenizer.apply_chat_template(messages[: place + 1], tokenize=False)
        if not (before.startswith(told) and after.startswith(before)):
            sys.exit(
                "the chat template rewrites earlier turns; allowed: rows of prompt and completion; next: build them"
            )
        found += [(before[len(told) :], False), (after[len(before) :], True)]
        told = after
    return found


def encode(tokenizer: Any, row: dict[str, Any], limit: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens of a row, (1, T), and for each but the first whether it is measured, (T - 1,)."""
    parts = pieces(tokenizer, row)
    if parts and not parts[0][0]:  # nothing before the first word that counts
        parts[0] = ([tokenizer.bos_token_id or tokenizer.eos_token_id], False)
    tokens = [token for part, _ in parts for token in part]
    counts = [count for part, count in parts for _ in part]
    return torch.tensor([tokens[:limit]], dtype=torch.long), torch.tensor(counts[1:limit], dtype=torch.bool)


def score(args: argparse.Namespace, name: str, rows: Any) -> Iterator[dict[str, float]]:
    gpu = torch.cuda.is_available() and not SMOKE
    tokenizer = AutoTokenizer.from_pretrained(name)
    # a base model may have no template of its own: it is then given the conversations in the same form
    tokenizer.chat_template = tokenizer.chat_template or AutoTokenizer.from_pretrained(args.model).chat_template
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.bfloat16 if gpu else torch.float32)
    model = model.to("cuda" if gpu else "cpu").eval()
    for row in rows:
        tokens, counts = encode(tokenizer, row, args.max_length)
        if not counts.any():
            sys.exit(f"a row has no token to measure within --max-length {args.max_length}: {str(row)[:200]}")
        tokens, counts = tokens.to(model.device), counts.to(model.device)
        with torch.inference_mode():
            logits = model(tokens).logits[0, :-1][counts].float()
        goal = tokens[0, 1:][counts]
        loss = float(torch.nn.functional.cross_entropy(logits, goal))
        right = (logits.argmax(-1) == goal).float()
        exact = {"accuracy": float(right.all())} if "completion" in row else {}
        yield {**exact, "perplexity": loss, "token_accuracy": float(right.mean())}


def shown(metrics: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean losses become perplexities: exp of the mean, and the standard error that belongs to it."""
    told = metrics["perplexity"]
    for part in (told, *([told["baseline"]] if "baseline" in told else [])):
        part["value"] = math.exp(min(part["value"], 700))
        part["stderr"] = part["stderr"] and part["stderr"] * part["value"]
    if "difference" in told:  # of the losses: below 0 the model is better, and it is what the error belongs to
        told["difference_of_losses"] = told.pop("difference")
    return metrics


def main() -> int:
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--max-length", type=int, default=2048, help="tokens of a row; the rest is cut")
    args = parser.parse_args()
    return run(args, load_rows(args, COLUMNS), score, shown)


if __name__ == "__main__":
    sys.exit(main())
