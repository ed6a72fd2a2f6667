"""Prints documentation pages, as JSON, out of the docstrings of the libraries of the templates' environment."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from importlib.metadata import version

PAGES = {
    "trl/sft_trainer": ("SFT Trainer", "trl", ("SFTTrainer", "SFTConfig")),
    "trl/dpo_trainer": ("DPO Trainer", "trl", ("DPOTrainer", "DPOConfig")),
    "trl/reward_trainer": ("Reward Trainer", "trl", ("RewardTrainer", "RewardConfig")),
    "peft/package_reference/lora": ("LoRA", "peft", ("LoraConfig", "get_peft_model", "PeftModel")),
    "transformers/main_classes/trainer": ("Trainer", "transformers", ("Trainer", "TrainingArguments")),
    "transformers/model_doc/auto": ("Auto classes", "transformers", ("AutoModelForCausalLM", "AutoTokenizer")),
    "datasets/loading": ("Load", "datasets", ("load_dataset", "Dataset")),
}
METHODS = ("train", "evaluate", "push_to_hub", "save_model", "from_pretrained", "train_test_split")


def page(title: str, library: str, names: tuple[str, ...]) -> str:
    parts = [f"# {title}", f"{library} {version(library)}"]
    for name in names:
        thing = getattr(importlib.import_module(library), name)
        parts += [f"## {name}", f"```python\n{name}{_signature(thing)}\n```", inspect.getdoc(thing) or ""]
        for method in METHODS if inspect.isclass(thing) else ():
            if hasattr(thing, method):
                found = getattr(thing, method)
                parts += [f"### {name}.{method}", f"`{method}{_signature(found)}`", inspect.getdoc(found) or ""]
    return "\n\n".join(parts) + "\n"


def _signature(thing: object) -> str:
    try:
        return str(inspect.signature(thing))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"


if __name__ == "__main__":
    json.dump({name: page(*told) for name, told in PAGES.items()}, sys.stdout)
