# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "accelerate==1.15.0",
#     "datasets==5.2.0",
#     "huggingface_hub==2.4.0",
#     "torch==2.13.0",
#     "trackio==0.43.0",
#     "transformers==5.23.0",
# ]
# ///
"""Fine-tune an encoder to sort texts into classes, for a fixed number of steps.

Rows hold text and label (a number or a name). The metric is eval_accuracy on the validation rows. Leaves the model,
with the names of its classes, and metrics.json in --output.

Prints the model, a line a report, the metric, last one line of JSON. Metrics and alerts go to Trackio on this machine.
SMOKE=1: one training and one evaluation step on the CPU; with --model tiny nothing is downloaded. Exit status:
0 done, 3 diverged, 4 out of memory (see the ERROR alert), 143 stopped by SIGTERM (--resume goes on).
"""

import argparse
import contextlib
import json
import math
import os
import re
import resource
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import ClassLabel, load_dataset, load_from_disk
from huggingface_hub import constants, snapshot_download
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DataCollatorWithPadding,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

COLUMNS = (("text", "label"),)


# --- discipline: the same in every training template, byte for byte ---------------------------------------
SMOKE = os.environ.get("SMOKE") == "1"
REPORTS = 20  # points on the curve of one run
LEAST = 50  # steps without a gain that make a plateau: fewer tell nothing
EXIT = {"done": 0, "diverged": 3, "out_of_memory": 4, "stopped": 128 + signal.SIGTERM}

stop_asked: list[int] = []  # filled by SIGTERM; looked at between steps, so that no step is saved half done


def options(about: str, learning_rate: float, steps: int, batch_size: int) -> argparse.ArgumentParser:
    """The options that every training template has; --output or --hub-model-id must say where the model goes."""
    parser = argparse.ArgumentParser(description=about, allow_abbrev=False)
    parser.add_argument("--model", required=True, help="Hub id or folder; `tiny` builds one here, with no download")
    parser.add_argument("--data", required=True, help="Hub id, folder or file (jsonl, csv, parquet)")
    parser.add_argument("--output", type=Path, help="folder for the model and its checkpoints")
    parser.add_argument("--hub-model-id", help="OWNER/NAME to push the model to (private unless --public)")
    parser.add_argument("--public", action="store_true", help="make the pushed model public")
    parser.add_argument("--seed", type=int, default=0, help="decides new weights, dropout and the order of rows")
    parser.add_argument("--steps", type=int, default=steps, help="optimisation steps: the budget of one run")
    parser.add_argument("--resume", action="store_true", help="go on from the last whole checkpoint of as many --steps")
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--warmup-steps", type=int, default=0)
    parser.add_argument("--optimizer", default="adamw_torch", help="a name of transformers' OptimizerNames")
    parser.add_argument("--batch-size", type=int, default=batch_size, help="rows a step, whatever the memory")
    parser.add_argument("--micro-batch-size", type=int, help="rows at once: lower it when memory runs out")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory for about 20 %% more time")
    parser.add_argument("--eval-rows", type=int, default=256, help="validation rows that are used, at most")
    parser.add_argument("--eval-steps", type=int, help="steps between evaluations (a tenth of --steps)")
    parser.add_argument("--save-steps", type=int, help="steps between checkpoints (a tenth of --steps)")
    parser.add_argument("--project", default="templates", help="Trackio project")
    parser.add_argument("--trackio-space", help="OWNER/NAME of a private Space for the metrics")
    return parser


def checked(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    if not (args.output or args.hub_model_id):
        parser.error("say where the model goes: --output FOLDER, or --hub-model-id OWNER/NAME, or both")
    if args.hub_model_id and not re.fullmatch(r"[\w.-]+/[\w.-]+", args.hub_model_id):
        parser.error(f"--hub-model-id {args.hub_model_id} is not of the form OWNER/NAME")
    args.output = (args.output or Path("output")).resolve()
    args.steps = 1 if SMOKE else args.steps
    args.batch_size = min(args.batch_size, 4) if SMOKE else args.batch_size
    at_once = min(args.micro_batch_size or args.batch_size, args.batch_size)
    at_once *= int(os.environ.get("WORLD_SIZE", "1"))
    if args.batch_size % at_once:
        parser.error(f"--batch-size {args.batch_size} is no multiple of the {at_once} rows that are held at once")
    args.accumulation = args.batch_size // at_once
    args.micro_batch_size = args.batch_size // args.accumulation // int(os.environ.get("WORLD_SIZE", "1"))
    return args


def load_rows(args: argparse.Namespace, choices: tuple[tuple[str, ...], ...], also: tuple[str, ...] = ()) -> Any:
    """Training and validation rows with the columns of the first choice that the data has, and no others.

    Without a validation split, a tenth of the training rows is held out, the same tenth for every seed. A test
    split is never touched.
    """
    path = Path(args.data)
    if path.is_file():
        kind = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}[path.suffix]
        splits = load_dataset(kind, data_files={"train": str(path)})
    elif (path / "dataset_dict.json").exists():
        splits = load_from_disk(str(path))
    else:
        splits = load_dataset(args.data)
    train, val = splits["train"], splits.get("validation")
    if val is None:
        train, val = train.train_test_split(test_size=0.1, seed=0).values()
    columns = next((choice for choice in choices if set(choice) <= set(train.column_names)), None)
    if columns is None:
        allowed = " or ".join("+".join(choice) for choice in choices)
        sys.exit(f"{args.data} has columns {train.column_names}; allowed: {allowed}; next: rename or build them")
    kept = [name for name in train.column_names if name in (*columns, *also)]
    n = min(len(val), 8 if SMOKE else args.eval_rows)
    val = val.select(range(n - n % 8 if n > 8 else n))  # whole batches: the mean over batches is the mean over rows
    train = train.select(range(min(len(train), 16))) if SMOKE else train
    return train.select_columns(kept), val.select_columns(kept)


def common(args: argparse.Namespace, eval_rows: int) -> dict[str, Any]:
    """The settings that every trainer takes; the effective batch is --batch-size whatever the memory allows."""
    gpu, tenth = torch.cuda.is_available() and not SMOKE, max(1, args.steps // 10)
    return {
        "output_dir": str(args.output), "max_steps": args.steps, "seed": args.seed, "data_seed": args.seed,
        "per_device_train_batch_size": args.micro_batch_size, "gradient_accumulation_steps": args.accumulation,
        "per_device_eval_batch_size": math.gcd(eval_rows, args.micro_batch_size),
        "gradient_checkpointing": args.gradient_checkpointing, "use_cpu": not gpu, "bf16": gpu,
        "learning_rate": args.learning_rate, "weight_decay": args.weight_decay, "optim": args.optimizer,
        "warmup_steps": args.warmup_steps, "lr_scheduler_type": "linear", "disable_tqdm": True,
        "logging_steps": max(1, args.steps // REPORTS), "logging_nan_inf_filter": False,  # True would hide a NaN
        "logging_first_step": True,  # its loss is that of the weights as they came: what divergence is judged by
        "eval_strategy": "steps", "eval_steps": args.eval_steps or tenth, "save_total_limit": 2,
        "save_strategy": "steps", "save_steps": args.save_steps or tenth,
        "push_to_hub": bool(args.hub_model_id) and not SMOKE, "hub_model_id": args.hub_model_id,
        "hub_private_repo": not args.public, "hub_strategy": "checkpoint",
        "report_to": "none", "trackio_static_space_id": False,  # Watch reports; else metrics become a public Space
    }  # fmt: skip


class Watch(TrainerCallback):
    """Prints, tracks and judges a run: stops it when it diverges or when SIGTERM asked, and alerts once a title."""

    def __init__(self, trackio: Any, judged_by: str, maximize: bool = False, checks: tuple[Any, ...] = ()) -> None:
        self.trackio, self.judged_by, self.sign, self.checks = trackio, judged_by, -1 if maximize else 1, checks
        self.ended, self.alerted, self.evaluation = "done", set[str](), dict[str, float]()
        self.losses: list[tuple[int, float]] = []
        self.costs: list[tuple[int, float]] = []  # the judging metric, signed so that lower is better
        self.rates: list[float] = []  # steps a second, one a report
        self.clock, self.clock_step = time.monotonic(), 0

    def alert(self, level: str, title: str, text: str) -> None:
        if title not in self.alerted:
            self.alerted.add(title)
            self.trackio.alert(title, text, level=self.trackio.AlertLevel[level])  # a plain string is not stored

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.clock, self.clock_step = time.monotonic(), state.global_step

    on_save = on_train_begin  # time spent on saving is not the throughput of training

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if stop_asked:
            self.ended, control.should_save, control.should_training_stop = "stopped", True, True
        elif state.global_step >= state.max_steps:
            control.should_evaluate = control.should_log = True
            control.should_save = False  # resumed at its last step, the Trainer would take one more

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" not in logs or not state.is_world_process_zero:
            return
        now, steps = time.monotonic(), state.global_step - self.clock_step
        self.rates.append(steps / max(now - self.clock, 1e-9))
        self.clock, self.clock_step = now, state.global_step
        self.losses.append((state.global_step, logs["loss"]))
        memory = memory_share()
        print(f"step {state.global_step} loss {logs['loss']:.6g} lr {logs.get('learning_rate', 0):.3g}", flush=True)
        told = {f"train/{name}": value for name, value in logs.items() if isinstance(value, int | float)}
        self.trackio.log({**told, "train/memory_share": memory, "train/steps_per_second": self.rates[-1]},
                         step=state.global_step)  # fmt: skip
        for found in (diverged(self.losses), slow(self.rates), full(memory), *(check(logs) for check in self.checks)):
            if found:
                self.alert(*found)
        if "divergence_nan" in self.alerted:
            self.ended, control.should_training_stop = "diverged", True
            control.should_save = control.should_evaluate = False

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        if state.is_world_process_zero:
            self.evaluation = metrics
            self.costs.append((state.global_step, self.sign * metrics[self.judged_by]))
            print(f"eval {state.global_step} {self.judged_by} {metrics[self.judged_by]:.6g}", flush=True)
            told = {name.replace("eval_", "eval/", 1): value for name, value in metrics.items()}
            self.trackio.log(told, step=state.global_step)
            if found := overfitting(self.costs, self.losses) or plateau(self.costs):
                self.alert(*found)
        self.clock, self.clock_step = time.monotonic(), state.global_step


def diverged(losses: list[tuple[int, float]]) -> tuple[str, str, str] | None:
    (step, now), first = losses[-1], losses[0][1]
    bound, lost = 3 * max(1.0, *(loss for _, loss in losses[:3])), max(2 * first, first + 1)
    if len(losses) > 5 and min(loss for _, loss in losses[-5:]) > lost:  # five reports far above the beginning
        bound = lost
    if now <= bound:  # false for NaN
        return None
    return "ERROR", "divergence_nan", f"loss {now:.4g} at step {step}, bound {bound:.4g}: divide --learning-rate by 10"


def overfitting(costs: list[tuple[int, float]], losses: list[tuple[int, float]]) -> tuple[str, str, str] | None:
    at, best = min(costs, key=lambda cost: cost[1])
    then = [loss for step, loss in losses if step <= at][-1:]
    worse = len(costs) > 2 and min(cost for _, cost in costs[-2:]) > best + max(0.05 * abs(best), 0.01)
    if not (worse and then and losses[-1][1] < then[0]):
        return None
    seen = f"validation {costs[-1][1]:.4g} at step {costs[-1][0]}, best {best:.4g} at step {at}"
    return "WARN", "overfitting", f"{seen}, training loss {losses[-1][1]:.4g}: lower --steps to {at} or get more rows"


def plateau(costs: list[tuple[int, float]]) -> tuple[str, str, str] | None:
    best = min(cost for _, cost in costs)
    first = min(step for step, cost in costs if cost <= best + 0.01 * abs(best))  # a gain under 1 % is none
    stale = [step for step, _ in costs if step > first]
    if len(stale) < 5 or stale[-1] - first < LEAST:
        return None
    text = f"validation {costs[-1][1]:.4g} at step {costs[-1][0]}, within 1 % of the best since step {first}"
    return "INFO", "plateau", f"{text}: lower --steps, or change another lever"


def slow(rates: list[float]) -> tuple[str, str, str] | None:
    usual = statistics.median(rates[1:-1]) if len(rates) > 5 else 0.0  # the first report holds the warming up
    if rates[-1] >= usual / 5:
        return None
    text = f"{rates[-1]:.3g} steps/s, {usual:.3g} before: look at the machine and at how rows are read"
    return "WARN", "throughput_collapse", text


def full(share: float) -> tuple[str, str, str] | None:
    if share <= 0.92:
        return None
    text = f"{100 * share:.0f} % of the memory is in use: halve --micro-batch-size (--batch-size stays as it is)"
    return "WARN", "memory_pressure", f"{text}, then --gradient-checkpointing, then a larger flavor"


def memory_share() -> float:
    """The most that was held at once, as a share of the device (or of $MEMORY_LIMIT_MB)."""
    limit = float(os.environ.get("MEMORY_LIMIT_MB", "0")) * 2**20
    if torch.cuda.is_available() and not SMOKE:
        return torch.cuda.max_memory_reserved() / (limit or torch.cuda.get_device_properties(0).total_memory)
    return peak_memory() * 2**20 / (limit or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def peak_memory() -> int:
    """MiB: of the accelerator where there is one, else of this process."""
    if torch.cuda.is_available() and not SMOKE:
        return torch.cuda.max_memory_allocated() // 2**20
    unit = 1024 if sys.platform == "linux" else 1024**2  # of ru_maxrss: KiB on Linux, bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def last_checkpoint(args: argparse.Namespace) -> str | None:
    """The newest checkpoint of a run of as many steps, written to its end: trainer_state.json is the last file of one.

    A run of other --steps, such as a preflight, has another schedule of the learning rate: it is no part of this one.
    """
    if args.hub_model_id and not SMOKE and not args.output.exists():
        snapshot_download(args.hub_model_id, allow_patterns="last-checkpoint/*", local_dir=args.output)
    found: dict[int, str] = {}
    for state in args.output.glob("*checkpoint*/trainer_state.json"):
        with contextlib.suppress(ValueError, KeyError):
            told = json.loads(state.read_text())
            if told["max_steps"] == args.steps:
                found[told["global_step"]] = str(state.parent)
            else:
                print(f"{state.parent} is of a run of {told['max_steps']} steps: passed over", flush=True)
    return found[max(found)] if found else None


def start_tracking(args: argparse.Namespace) -> Any:
    """Trackio on this machine, or in the private Space of --trackio-space, else the one that the job was given.

    Outside a job, what the environment names would carry the metrics out unasked.
    """
    if "ML_RESEARCH_JOB" in os.environ:
        args.trackio_space = args.trackio_space or os.environ.get("TRACKIO_SPACE_ID")
    space = args.trackio_space if not SMOKE else None
    for remote in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_WEBHOOK_URL"):
        os.environ.pop(remote, None)
    os.environ.setdefault("TRACKIO_DIR", str(args.output / "trackio"))
    import trackio

    name, config = "/".join(args.output.parts[-2:]), {flag: str(value) for flag, value in vars(args).items()}
    quiet: dict[str, Any] = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False, "private": True}
    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE or not space
    trackio.init(args.project, name, config=config, resume="allow" if args.resume else "never", space_id=space, **quiet)
    constants.HF_HUB_OFFLINE = offline  # else init() asks the Hub, and waits for ever, whose token this is
    return trackio


def described(name: str, model: torch.nn.Module) -> str:
    """What is trained, and where: the log of a run shows by it whether that is what was asked for."""
    parts = list(model.parameters())
    whole, trained = sum(part.numel() for part in parts), sum(part.numel() for part in parts if part.requires_grad)
    return f"model {name} has {whole} parameters, {trained} trained, on {parts[0].device}"


def run(args: argparse.Namespace, build: Any, measure: Any, **judged: Any) -> int:
    """Build the trainer, train it under the Watch, measure, save, push; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: stop_asked.append(1))
    begun, checkpoint = time.monotonic(), last_checkpoint(args) if args.resume else None
    args.output.mkdir(parents=True, exist_ok=True)
    set_seed(args.seed)
    trackio = start_tracking(args)  # before anything imports Trackio: it reads its folder from the environment then
    trainer = build(args)
    print(described(args.model, trainer.model), flush=True)
    watch = Watch(trackio, **judged)
    trainer.add_callback(watch)
    trainer.remove_callback(PrinterCallback)
    scores: dict[str, Any] = {"metric": None, "value": None, "n": 0, "stderr": None}
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
        if watch.ended == "done":
            scores = measure(trainer, watch.evaluation)
            trainer.save_model(str(args.output))
            if trainer.args.push_to_hub:
                trainer.push_to_hub(blocking=True)
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError; so is the CPU's
        if not isinstance(error, MemoryError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        watch.ended = "out_of_memory"
        watch.alert("ERROR", "oom", f"{str(error)[:200]}: halve --micro-batch-size {args.micro_batch_size}")
    finally:
        trackio.finish()  # Trackio writes every 0.5 s: without this the last alert is lost
    cost = {"steps": trainer.state.global_step, "seconds": round(time.monotonic() - begun, 2)}
    where = args.hub_model_id if trainer.args.push_to_hub else str(args.output)
    result = {**scores, **cost, "peak_memory_mb": peak_memory(), "output": where, "ended": watch.ended}
    (args.output / "metrics.json").write_text(json.dumps(result))
    said = [f"{scores['metric']}: {scores['value']:.6f}"] if watch.ended == "done" else []
    print(*said, json.dumps(result), sep="\n", flush=True)
    return EXIT[watch.ended]


# --- end of the discipline block ---------------------------------------------------------------------------


def tiny(folder: Path) -> str:
    """A two-layer encoder over bytes, made here, so that a smoke run downloads nothing."""
    marks = ["[PAD]", "[CLS]"]
    letters = [*marks, *sorted(ByteLevel.alphabet())]
    core = Tokenizer(BPE({letter: number for number, letter in enumerate(letters)}, []))
    core.pre_tokenizer = ByteLevel(add_prefix_space=False)
    core.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", cls_token="[CLS]").save_pretrained(folder)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    BertModel(BertConfig(vocab_size=len(letters), pad_token_id=0, **sizes)).save_pretrained(folder)
    return str(folder)


def arguments() -> argparse.Namespace:
    parser = options(__doc__.split("\n")[0], learning_rate=5e-5, steps=500, batch_size=32)
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text; the rest is cut")
    return checked(parser)


def build(args: argparse.Namespace) -> Trainer:
    train, val = load_rows(args, COLUMNS)
    named = isinstance(train.features["label"], ClassLabel)
    labels = train.features["label"].names if named else sorted({*train["label"], *val["label"]})
    numbers = {label: number for number, label in enumerate(range(len(labels)) if named else labels)}
    names = [str(label) for label in labels]
    name = tiny(args.output / "tiny") if args.model == "tiny" else args.model
    tokenizer = AutoTokenizer.from_pretrained(name)
    classes = {"id2label": dict(enumerate(names)), "label2id": {label: number for number, label in enumerate(names)}}
    # the new head is drawn here: the seed was set just before
    model = AutoModelForSequenceClassification.from_pretrained(
        name, num_labels=len(names), dtype=torch.float32, **classes
    )

    def prepare(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            **tokenizer(rows["text"], truncation=True, max_length=args.max_length),
            "labels": [numbers[label] for label in rows["label"]],
        }

    trainer = Trainer(
        model,
        args=TrainingArguments(**common(args, len(val))),
        train_dataset=train.map(prepare, batched=True, remove_columns=train.column_names),
        eval_dataset=val.map(prepare, batched=True, remove_columns=val.column_names),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=lambda said: {"accuracy": float((said.predictions.argmax(-1) == said.label_ids).mean())},
    )
    # the Trainer takes a model that accepts any argument for one that divides its loss by the accumulation itself
    trainer.model_accepts_loss_kwargs = False
    return trainer


def measure(trainer: Trainer, evaluation: dict[str, float]) -> dict[str, Any]:
    share, n = evaluation["eval_accuracy"], len(trainer.eval_dataset)
    return {"metric": "eval_accuracy", "value": share, "n": n, "stderr": math.sqrt(share * (1 - share) / n)}


if __name__ == "__main__":
    sys.exit(run(arguments(), build, measure, judged_by="eval_loss"))
