"""One laboratory a test process, and small generated data that a tiny model can learn in seconds."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_digits

from templates.lab import DATA, Lab

NOUNS = ("cat", "dog", "bird", "fish")
STRANGE = ("gnu", "yak", "emu", "ibex")
GOOD, BAD = ("good", "fine", "nice", "great"), ("bad", "poor", "awful", "sad")
NEUTRAL = ("the", "film", "was", "a", "play", "of", "one", "hour")


def sentence(draw: random.Random, nouns: tuple[str, ...]) -> str:
    return f"the {draw.choice(nouns)} {draw.choice(('eats', 'sees', 'likes'))} the {draw.choice(nouns)}."


def opinion(draw: random.Random, words: tuple[str, ...]) -> str:
    return " ".join([*draw.sample(NEUTRAL, 3), draw.choice(words), *draw.sample(NEUTRAL, 2)])


def rows_of(name: str, draw: random.Random) -> list[dict[str, Any]]:
    if name == "strange":
        return [{"text": sentence(draw, STRANGE)} for _ in range(300)]
    if name == "language":
        return [{"text": sentence(draw, NOUNS)} for _ in range(300)]
    if name == "preferences":
        return [
            {"prompt": f"say {turn % 7}: ", "chosen": draw.choice(GOOD), "rejected": draw.choice(BAD)}
            for turn in range(200)
        ]
    if name == "pairs":
        return [{"chosen": opinion(draw, GOOD), "rejected": opinion(draw, BAD)} for _ in range(200)]
    if name == "prompts":
        return [{"prompt": f"say {turn % 7}: ", "answer": "e"} for turn in range(60)]
    if name == "opinions":
        kinds = [draw.random() < 0.5 for _ in range(400)]
        return [{"text": opinion(draw, GOOD if good else BAD), "label": "good" if good else "bad"} for good in kinds]
    mixed = [(draw.choice(NOUNS), draw.choice(STRANGE), number) for number in range(200)]
    return [{"anchor": f"{one} {two} {number}", "positive": f"{number} {two} {one}"} for one, two, number in mixed]


def write_digits(path: Path) -> None:
    """Real handwritten digits, as encoded images: a JSON file whose image column holds a path to each."""
    from PIL import Image

    digits, buffer = load_digits(), io.BytesIO()
    folder = path.parent / "digits"
    folder.mkdir()
    lines = []
    for number, (pixels, label) in enumerate(zip(digits.images[:300], digits.target[:300], strict=True)):
        buffer = io.BytesIO()
        Image.fromarray((pixels * 15.9).astype("uint8")).save(buffer, "PNG")
        (folder / f"{number}.png").write_bytes(buffer.getvalue())
        lines.append(json.dumps({"image": str(folder / f"{number}.png"), "label": int(label)}))
    path.write_text("\n".join(lines))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("lab")
    for name in ("strange.jsonl", *DATA.values()):
        draw = random.Random(name)
        if name.startswith("digits"):
            write_digits(home / name)
        else:
            rows = rows_of(name.removesuffix(".jsonl"), draw)
            (home / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    laboratory = Lab(home)
    yield laboratory
    laboratory.close()
