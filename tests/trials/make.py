"""Writes a small Qwen2 with random weights, its tokenizer, and conversations in two splits. Runs where torch is.

    python make.py FOLDER

FOLDER/model is what `from_pretrained` loads; FOLDER/train.jsonl and test.jsonl hold messages. The same each time.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

ROWS = {"train": 480, "test": 96}
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINGS = [
    "a kettle",
    "a lighthouse",
    "a bicycle",
    "a violin",
    "a glacier",
    "a beehive",
    "a sundial",
    "a harbour",
    "a compass",
    "a loom",
]
ASKS = ["How does {} work?", "Who would need {}?", "Tell me something odd about {}.", "What is {} made of?"]
SAYS = (
    "Think of {} as a small machine: it takes {} and turns it into {}.",
    "{} is used where people care about {} more than about {}.",
    "An odd thing about {} is that {} matters less there than {}.",
)
PARTS = [
    "light",
    "patience",
    "iron",
    "wind",
    "salt",
    "memory",
    "wood",
    "silence",
    "heat",
    "water",
    "distance",
    "rhythm",
    "glass",
    "weight",
    "time",
]


def talk(draw: random.Random) -> list[dict[str, str]]:
    """Two to six messages about one thing."""
    thing, messages = draw.choice(THINGS), []
    for _ in range(draw.randint(1, 3)):
        messages.append({"role": "user", "content": draw.choice(ASKS).format(thing)})
        said = draw.choice(SAYS).format(thing, *draw.sample(PARTS, 2))
        more = " ".join(draw.choice(PARTS) for _ in range(draw.randint(2, 9)))
        messages.append({"role": "assistant", "content": f"{said} Remember: {more}."})
    return messages


def rows() -> dict[str, list[dict[str, object]]]:
    """Different talks throughout: no row of one split is in the other."""
    draw, seen, found = random.Random(0), set[str](), dict[str, list[dict[str, object]]]()
    for split, count in ROWS.items():
        found[split] = []
        while len(found[split]) < count:
            messages = talk(draw)
            key = json.dumps(messages)
            if key not in seen:
                seen.add(key)
                found[split].append({"source": "Made", "messages": messages, "num_turns": len(messages) // 2})
    return found


def tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    trained = Tokenizer(BPE(unk_token=None))
    trained.pre_tokenizer, trained.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = ByteLevel.alphabet()
    trained.train_from_iterator(texts, BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=alphabet))
    return PreTrainedTokenizerFast(
        tokenizer_object=trained,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=32768,
        chat_template=TEMPLATE,
    )


def model(vocabulary: int) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        dtype="float32",
    )
    return Qwen2ForCausalLM(config)


def main(folder: Path) -> None:
    made = rows()
    for split, found in made.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    speaks = tokenizer([str(message["content"]) for row in made["train"] for message in row["messages"]])  # type: ignore[attr-defined]
    speaks.save_pretrained(folder / "model")
    model(len(speaks)).save_pretrained(folder / "model")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
