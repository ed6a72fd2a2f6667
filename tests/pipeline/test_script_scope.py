"""What a script really trains is read from its syntax tree and its arguments, and no change of it goes unseen."""

from __future__ import annotations

from typing import Any

import pytest

from mlresearch.pipeline import script_scope
from mlresearch.pipeline.script_scope import Facts

SCRIPT = """
import argparse, os
import trackio
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

SMOKE = os.environ.get("SMOKE") == "1"
parser = argparse.ArgumentParser()
parser.add_argument("--model", default="Qwen/Qwen2-0.5B")
parser.add_argument("--dataset", default="trl-lib/Capybara")
parser.add_argument("--max-length", type=int, default=2048)
parser.add_argument("--steps", type=int, default=500)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--accumulation", type=int, default=8)
args = parser.parse_args()
data = load_dataset(args.dataset, split="train")
if SMOKE:
    data = data.select(range(8))
config = SFTConfig(
    output_dir="out",
    max_length=64 if SMOKE else args.max_length,
    max_steps=1 if SMOKE else args.steps,
    per_device_train_batch_size=args.batch_size,
    gradient_accumulation_steps=args.accumulation,
    report_to="trackio",
)
trainer = SFTTrainer(args.model, config, train_dataset=data, peft_config=LoraConfig(r=8))
trainer.train()
"""
BASELINE: dict[str, Any] = {
    "model": "Qwen/Qwen2-0.5B",
    "dataset": "trl-lib/Capybara",
    "method": "sft",
    "adapter": "lora",
    "sequenceLength": 2048,
    "revision": None,
}


def facts(text: str = SCRIPT, *args: str) -> Facts:
    return script_scope.read(text.encode(), args)


def test_a_script_that_does_what_was_asked_departs_from_nothing() -> None:
    assert script_scope.departures(BASELINE, facts()) == []


def test_arguments_count_before_defaults() -> None:
    assert facts(SCRIPT, "--max-length", "512").lengths == {"512"}
    assert facts(SCRIPT, "--model=gpt2").models == {"gpt2"}


def test_what_only_a_smoke_run_does_is_no_fact_of_the_full_run() -> None:
    found = facts()
    assert found.lengths == {"2048"}
    assert found.steps == {"500"}
    assert found.amounts == frozenset()


def test_the_rungs_of_the_memory_ladder_keep_the_effective_batch() -> None:
    smaller = facts(SCRIPT, "--batch-size", "4", "--accumulation", "16")
    assert script_scope.changes(facts(), smaller) == []
    assert facts().effective_batch == {"64"}


CHEATS = {
    "length inside the script": (
        '"--max-length", type=int, default=2048',
        '"--max-length", type=int, default=1024',
        "lengths",
    ),
    "length by a constant": ("64 if SMOKE else args.max_length", "1024", "lengths"),
    "length behind a name": ("64 if SMOKE else args.max_length", "SHORT", "lengths"),
    "fewer rows by a slice": ('split="train")', 'split="train[:1000]")', "amounts"),
    "fewer rows by select": ("trainer = ", "data = data.select(range(1000))\ntrainer = ", "amounts"),
    "fewer rows by shard": ("trainer = ", "data = data.shard(10, 0)\ntrainer = ", "amounts"),
    "fewer steps": ("default=500", "default=50", "steps"),
    "another model": ('default="Qwen/Qwen2-0.5B"', 'default="Qwen/Qwen2-0.5B-Instruct"', "models"),
    "another model in the trainer": ("SFTTrainer(args.model", 'SFTTrainer("gpt2"', "models"),
    "another data set": ("load_dataset(args.dataset", 'load_dataset("stas/openwebtext-10k"', "datasets"),
    "full training in place of LoRA": (", peft_config=LoraConfig(r=8)", "", "adapters"),
    "LoRA turned to QLoRA": ("config = SFT", "b = BitsAndBytesConfig(load_in_4bit=True)\nconfig = SFT", "adapters"),
    "another trainer": ("SFTTrainer(args", "RewardTrainer(args", "methods"),
    "another revision": (
        "SFTTrainer(args.model",
        'x = M.from_pretrained(args.model, revision="old")\nSFTTrainer(args.model',
        "revisions",
    ),
    "monitoring removed": ('report_to="trackio"', 'report_to="none"', "monitoring"),
    "another effective batch": (
        '"--accumulation", type=int, default=8',
        '"--accumulation", type=int, default=1',
        "effective batch",
    ),
    "a line out of a text": ("trainer = ", "exec(text)\ntrainer = ", "hidden"),
    "length by assignment": ("config = SFT", "args.max_length = 512\nconfig = SFT", "lengths"),
    "length by a key": ("trainer = ", 'vars(args)["max_length"] = 512\ntrainer = ', "lengths"),
    "length by setattr": ("trainer = ", 'setattr(config, "max_length", 512)\ntrainer = ', "lengths"),
    "length halved in place": ("trainer = ", "args.max_length //= 2\ntrainer = ", "lengths"),
    "length by a spread dictionary": ("max_length=64 if SMOKE else args.max_length", '**{"max_length": 9}', "lengths"),
    "length by the parser": ("args = parser", "parser.set_defaults(max_length=512)\nargs = parser", "lengths"),
    "length of the tokenizer": ("trainer = ", "tokenizer.model_max_length = 512\ntrainer = ", "lengths"),
    "fewer rows by a filter": ("trainer = ", "data = data.filter(keep)\ntrainer = ", "amounts"),
    "fewer rows by a slice of the rows": ("trainer = ", "data = data[:100]\ntrainer = ", "amounts"),
    "another data set by a file": (
        'load_dataset(args.dataset, split="train")',
        'load_dataset("json", data_files="a.json")',
        "datasets",
    ),
    "another model by assignment": ("trainer = ", 'args.model = "gpt2"\ntrainer = ', "models"),
    "a model that is named at run time": ("SFTTrainer(args.model", "SFTTrainer(f'{os.getcwd()}'", "models"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_change_of_what_was_asked_is_seen(name: str) -> None:
    old, new, field = CHEATS[name]
    text = SCRIPT.replace(old, new)
    assert text != SCRIPT
    told = script_scope.changes(facts(), facts(text))
    assert [line.split(":")[0] for line in told] == [field], told


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('os.environ.get("SMOKE") == "1"', "True"),
        ('os.environ.get("SMOKE") == "1"', 'os.environ.get("SMOKE") != "1"'),
        ("SMOKE = ", 'os.environ["SMOKE"] = "1"\nSMOKE = '),
    ],
)
def test_a_smoke_run_that_is_switched_on_for_good_hides_nothing(old: str, new: str) -> None:
    text = SCRIPT.replace(old, new)
    assert "64" in facts(text).lengths
    assert facts(text).amounts
    assert not script_scope.knows_smoke(text.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parser.parse_args()", 'parser.parse_args(["--max-length", "512"])'),
        ("args = parser", "import sys\nsys.argv += given()\nargs = parser"),
    ],
)
def test_a_script_that_writes_its_own_arguments_is_known_at_run_time_only(old: str, new: str) -> None:
    told = script_scope.unknowns(facts(SCRIPT.replace(old, new)))
    assert [line.split(":")[0] for line in told] == ["models", "datasets", "lengths", "steps"]


def test_a_path_is_told_without_the_place_where_the_job_runs() -> None:
    found = facts(SCRIPT, "--dataset={root}/data/train.jsonl", "--model", "{src}/model")
    assert found.datasets == {"data/train.jsonl"}
    assert found.models == {"model"}


def test_a_rank_of_nothing_is_full_training() -> None:
    text = SCRIPT.replace("args = parser", 'parser.add_argument("--lora-rank", type=int, default=8)\nargs = parser')
    assert facts(text).adapters == {"lora"}
    assert facts(text, "--lora-rank", "0").adapters == {"full"}


def test_rows_a_step_stay_when_fewer_are_held_at_once() -> None:
    text = SCRIPT.replace("args = parser", 'parser.add_argument("--micro-batch-size", type=int)\nargs = parser')
    assert script_scope.changes(facts(text), facts(text, "--micro-batch-size", "2")) == []
    assert script_scope.changes(facts(text), facts(text, "--batch-size", "2"))


def test_a_change_that_the_task_allows_is_none() -> None:
    calmer = SCRIPT.replace('output_dir="out",', 'output_dir="out", learning_rate=1e-5, gradient_checkpointing=True,')
    assert script_scope.changes(facts(), facts(calmer)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "gpt2"), ("dataset", "a/b"), ("sequenceLength", 512), ("adapter", "full"), ("method", "dpo")],
)
def test_a_departure_from_the_users_words_is_named(key: str, value: Any) -> None:
    told = script_scope.departures({**BASELINE, key: value}, facts())
    assert len(told) == 1
    assert str(value) in told[0]


def test_what_the_user_left_open_may_be_anything() -> None:
    nothing = dict.fromkeys(BASELINE) | {"method": "sft"}
    assert script_scope.departures(nothing, facts()) == []


def test_a_script_without_monitoring_departs() -> None:
    told = script_scope.departures(BASELINE, facts(SCRIPT.replace('report_to="trackio"', "report_to=[]")))
    assert told == ["monitoring: no tracker is wired"]


def test_a_reward_model_is_no_classification() -> None:
    text = "m = AutoModelForSequenceClassification.from_pretrained('a')\nRewardTrainer(model=m)"
    assert facts(text).methods == {"reward"}
    assert facts(text).models == {"a"}


def test_data_of_the_project_is_the_same_from_wherever_it_is_named() -> None:
    assert facts(SCRIPT, "--dataset", "{root}/data/train.csv").datasets == {"data/train.csv"}
    assert facts(SCRIPT, "--dataset", "data/train.csv").datasets == {"data/train.csv"}
