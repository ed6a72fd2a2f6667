"""Trains with a template's own build(), and prints as JSON which weights of the model in memory are not the saved ones.

    python train_and_compare.py TEMPLATE [the template's options; --model names a folder]

What counts is the model that the trainer holds after training, with the adapter beside it.
"""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    template = runpy.run_path(sys.argv.pop(1), run_name="template")
    args = template["arguments"]()
    trainer = template["build"](args)
    trainer.train()
    saved = importlib.import_module("safetensors.torch").load_file(Path(args.model) / "model.safetensors")
    held = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): weight.detach()
        for name, weight in trainer.model.named_parameters()
        if ".lora_" not in name
    }
    lora = [weight for name, weight in trainer.model.named_parameters() if ".lora_B" in name]
    changed = [name for name, weight in saved.items() if not bool((held[name] == weight).all())]
    moved = sum(bool(weight.abs().sum() > 0) for weight in lora)
    print(json.dumps({"compared": len(saved), "changed": changed, "adapters": len(lora), "adapters_moved": moved}))


if __name__ == "__main__":
    main()
