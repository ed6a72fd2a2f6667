"""Honest answers for every step of a small task, and the scripts that they speak of; the scripts run on this machine.

`Honest` makes the answer of a step from the task as it stands: evidence is written under work/, hashes are those of the
files, numbers are those of a log. A test changes one thing of it, and knows then what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fakes.pipeline_world import DATASET, MODEL, REVISION
from mlresearch.pipeline import results
from mlresearch.pipeline.task import State

TEXT = f"Fine-tune {MODEL} on {DATASET} with SFT and LoRA at a maximum sequence length of 1024"
OUTPUT = "me/capybara-lora"
PAPER, PAGE, CODE = "2106.09685", "https://huggingface.co/docs/trl/sft_trainer", "huggingface/trl"
QUOTE = "LoRA reduces the number of trainable parameters by 10,000 times"
Answer = dict[str, Any]

TRAIN = '''"""A fine-tuning that takes no time: the names are real, the training is not."""

import argparse
import json
import os
from pathlib import Path

trackio = None
if os.environ.get("WITH_TRACKIO"):
    import trackio

SMOKE = os.environ.get("SMOKE") == "1"
parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--hub-model-id")
parser.add_argument("--output", default="model")
parser.add_argument("--max-length", type=int, default=1024)
parser.add_argument("--steps", type=int, default=500)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--micro-batch-size", type=int)
parser.add_argument("--gradient-checkpointing", action="store_true")
parser.add_argument("--learning-rate", type=float, default=1e-4)


def load_dataset(name):
    return [{"messages": name}] * 8


class LoraConfig:
    def __init__(self, r):
        self.r = r


class SFTTrainer:
    def __init__(self, model, rows, peft_config, max_length, max_steps):
        self.rows, self.steps = rows, max_steps

    def train(self):
        for step in range(1, self.steps + 1):
            print(f"step {step} loss {2.0 - step / (10 * self.steps):.4f}", flush=True)
            if trackio and not SMOKE:
                trackio.log({"train/loss": 2.0}, step=step)


args = parser.parse_args()
args.steps = 1 if SMOKE else args.steps
if trackio and not SMOKE:
    trackio.init(project="capybara")
rows = load_dataset(args.data)
trainer = SFTTrainer(args.model, rows, LoraConfig(r=8), max_length=args.max_length, max_steps=args.steps)
trainer.train()
if args.hub_model_id and not SMOKE:
    from huggingface_hub import HfApi

    HfApi().create_repo(args.hub_model_id, exist_ok=True)
    HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="model.safetensors", repo_id=args.hub_model_id)
elif not SMOKE:
    Path(args.output).mkdir(parents=True, exist_ok=True)
    Path(args.output, "model.safetensors").write_text("weights")
scores = {"metric": "eval_loss", "value": 1.9, "n": 200, "stderr": 0.01}
print(json.dumps({**scores, "steps": args.steps, "seconds": 0.5, "output": args.output, "ended": "done"}))
'''
EVALUATE = '''"""An evaluation that takes no time."""

import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--baseline")
parser.add_argument("--data", required=True)
args = parser.parse_args()
scores = {"value": 1.9, "n": 200, "stderr": 0.01, "baseline": {"value": 2.4, "n": 200, "stderr": 0.02}}
print(f"eval_loss: {scores['value']}")
print(json.dumps({"metric": "eval_loss", **scores, "ended": "done", "metrics": {"eval_loss": scores}}))
'''


def log_of(steps: int, seconds: float = 0.5) -> str:
    """What TRAIN prints."""
    lines = [f"step {step} loss {2.0 - step / (10 * steps):.4f}" for step in range(1, steps + 1)]
    end = {"metric": "eval_loss", "value": 1.9, "n": 200, "stderr": 0.01, "steps": steps, "seconds": seconds}
    return "\n".join([*lines, json.dumps({**end, "output": "model", "ended": "done"})])


def log_of_evaluation(value: float = 1.9, baseline: float = 2.4) -> str:
    """What EVALUATE prints."""
    scores = {"value": value, "n": 200, "stderr": 0.01, "baseline": {"value": baseline, "n": 200, "stderr": 0.02}}
    end = {"metric": "eval_loss", **scores, "ended": "done", "metrics": {"eval_loss": scores}}
    return f"eval_loss: {value}\n{json.dumps(end)}"


def tail(log: Sequence[str], lines: int = 3) -> str:
    return "\n".join(log[-lines:])


class Honest:
    """The answers of one task. `output` is where its model goes: owner/name, or a folder under work/."""

    def __init__(self, root: str, task: str, output: str = OUTPUT, flavor: str = "l4x1") -> None:
        self.root, self.task, self.output, self.flavor = Path(root), task, output, flavor
        self.work = f"work/{task}"

    def write(self, name: str, text: str) -> str:
        """A file of the task; its path as an answer gives it."""
        path = self.root / self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return f"{self.work}/{name}"

    def evidence(self, name: str, *words: str) -> str:
        return self.write(f"evidence/{name}.json", json.dumps({"found": [*words]}))

    def source(self, kind: str, name: str, url: str) -> Answer:
        file = self.evidence(f"{kind}-{name.replace('/', '_').replace(':', '')}", name, url, QUOTE)
        return {"kind": kind, "id": name, "url": url, "title": f"about {name}", "evidence": file}

    def plan(self) -> Answer:
        baseline = {"model": MODEL, "dataset": DATASET, "method": "sft", "adapter": "lora"}
        return {
            "isTrivial": False,
            "directAnswer": None,
            "taskType": "llm",
            "baseline": {**baseline, "sequenceLength": 1024, "revision": None},
            "steps": ["look at the data", "write the scripts", "train", "evaluate"],
            "successMetric": {"name": "eval_loss", "direction": "minimize", "target": None},
            "assumptions": ["the test split is for the evaluation"],
        }

    def finder(self) -> Answer:
        sources = [self.source("paper", PAPER, f"https://arxiv.org/abs/{PAPER}"), self.source("docs", PAGE, PAGE)]
        finding = {
            "claim": "few weights are enough for a fine-tuning",
            "quote": QUOTE,
            "source": 0,
            "use": "train with LoRA at rank 8 or more",
        }
        return {"findings": [finding], "sources": sources, "fidelity": "full", "notSeen": []}

    def recipe(self) -> Answer:
        entry = {
            "result": "eval loss 1.9 on Capybara",
            "model": MODEL,
            "dataset": DATASET,
            "method": "sft",
            "hyperparameters": {"learning_rate": 1e-4, "batch_size": 16},
            "insight": "small adapters are enough for small data",
            "source": 0,
            "fits": "the same model and data",
        }
        pattern = {"what": "builds the trainer", "code": "SFTTrainer(model, args=config)", "source": 1}
        return {
            "recipe": [entry],
            "codePatterns": [pattern],
            "landscape": "small models are tuned with adapters today",
            "sources": [*self.finder()["sources"], self.source("code", CODE, f"https://github.com/{CODE}")],
            "citationGraphFidelity": "full",
        }

    def critic(self, state: State, step: str) -> Answer:
        """Nothing is wrong, and everything of the brief was read."""
        named = [PAPER, PAGE, CODE, DATASET, *results.scripts(state)]
        checked = [{"what": name, "command": f"looked up {name}", "found": "as claimed"} for name in named]
        reviewed = results.to_review(state, step)
        return {"ok": True, "mustReblock": False, "issues": [], "checked": checked, "reviewed": reviewed}

    def resource(self, kind: str) -> Answer:
        name = MODEL if kind == "model" else DATASET
        file = self.evidence(f"inspected-{kind}", name, REVISION)
        verified = {"id": name, "exists": True, "revision": REVISION, "gated": False, "licence": "apache-2.0"}
        of_model = {"parameters": 494_032_768, "contextLength": 32_768, "memoryGB": 6.5, "flavor": self.flavor}
        return {
            "kind": kind,
            "verified": {**verified, "evidence": file},
            "needsUserDecision": False,
            "question": None,
            "candidates": [],
            **(of_model if kind == "model" else dict.fromkeys(of_model)),
            "sources": [],
        }

    def data_audit(self) -> Answer:
        return {
            "dataset": DATASET,
            "config": None,
            "splits": {"train": 15_806, "test": 200},
            "columns": {"messages": "list of turns", "source": "string"},
            "requiredFields": ["messages"],
            "formatCompatible": True,
            "mappingNeeded": False,
            "mapping": {},
            "distributions": ["1 to 7 turns, 3 at the median"],
            "samples": ["user: hello", "user: how are you"],
            "notable": [],
            "evidence": self.evidence("data", DATASET),
        }

    def implement(self, train: str = TRAIN, evaluation: str = EVALUATE) -> Answer:
        self.write("train.py", train)
        self.write("evaluate.py", evaluation)
        is_hub = not self.output.startswith("work/")
        place = ["--hub-model-id", self.output] if is_hub else ["--output", "{root}/" + self.output]
        saved = self.output if is_hub else "{root}/" + self.output
        usual = ["--model", MODEL, "--data", DATASET, "--max-length", "1024", *place]
        return {
            "trainScript": f"{self.work}/train.py",
            "trainScriptContent": train,
            "evalScript": f"{self.work}/evaluate.py",
            "reference": {"what": "templates/train_sft.py", "url": None},
            "args": [*usual, "--steps", "500"],
            "preflightArgs": [*usual, "--steps", "10"],
            "evalArgs": ["--model", saved, "--baseline", MODEL, "--data", DATASET],
            "dependencies": [],
            "persistenceDest": self.output,
            "flavor": self.flavor,
            "timeoutHours": 1.5,
            "preflightFlavor": self.flavor,
            "preflightMinutes": 15,
            "evalFlavor": self.flavor,
            "evalMinutes": 30,
            "expectedSteps": 500,
            "monitoringWired": True,
            "smokeKnobs": ["one step"],
            "oomKnobs": ["--micro-batch-size", "--gradient-checkpointing"],
            "notes": [],
        }

    def smoke(self, job: str, log: Sequence[str]) -> Answer:
        return {"status": "success", "jobId": job, "usedProxyModel": False, "stepsRun": 1, "logTail": tail(log)}

    def job(self, job: str, log: Sequence[str], steps: int) -> Answer:
        return {
            "status": "success",
            "jobId": job,
            "healthy": True,
            "realModelLoaded": True,
            "alerts": [],
            "lastAlertTimestamp": None,
            "lastStep": steps,
            "dashboardUrl": None,
            "logTail": tail(log),
        }

    def checklist(self) -> Answer:
        names = ["referenceNamed", "datasetVerified", "preflightPassed", "realModelLoaded"]
        names += ["persistenceConcrete", "timeoutSized", "monitoringWired", "codeByValue"]
        items = {name: {"ok": True, "evidence": f"{self.work}/train.py"} for name in names}
        return {**items, "allSatisfied": True, "missing": []}

    def evaluation(self, job: str) -> Answer:
        is_hub = not self.output.startswith("work/")
        return {
            "evaluated": True,
            "confirmedWorks": True,
            "jobId": job,
            "metric": "eval_loss",
            "value": 1.9,
            "n": 200,
            "stderr": 0.01,
            "baselineValue": 2.4,
            "baselineStderr": 0.02,
            "baselineWhat": "the model before training",
            "baselineJobId": None,
            "difference": None,
            "modelUrl": f"https://huggingface.co/{self.output}" if is_hub else None,
            "modelPath": None if is_hub else self.output,
            "evalUrl": None,
            "dashboardUrl": None,
            "samples": ["hello -> hello to you"],
        }

    def completion(self) -> Answer:
        is_hub = not self.output.startswith("work/")
        where = f"https://huggingface.co/{self.output}" if is_hub else self.output
        return {
            "conforms": True,
            "missing": [],
            "artifacts": [{"what": "model", "where": where}, {"what": "script", "where": f"{self.work}/train.py"}],
            "checked": [{"what": "the model is there", "command": "inspect_model.py", "found": "it is"}],
        }
