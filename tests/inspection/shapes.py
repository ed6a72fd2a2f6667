"""Data sets of every shape, small, as Arrow tables; how to put them on this machine and on the emulated Hub."""

from __future__ import annotations

import contextlib
import io
import json
import math
import struct
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
from PIL import Image
from pyarrow import parquet

from fakes.hub_server import Dataset, HubServer
from mlresearch.cli import inspect_dataset

Splits = dict[str, pyarrow.Table]
Put = Callable[[str], str]


@dataclass(frozen=True)
class Shape:
    splits: Splits
    features: Mapping[str, Any] = field(default_factory=dict)

    def put_here(self, folder: Path) -> str:
        """As parquet files with the notes that the `datasets` library writes beside the schema."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.splits.items():
            noted = {b"huggingface": json.dumps({"info": {"features": self.features}})}
            held = table.replace_schema_metadata(noted) if self.features else table
            parquet.write_table(held, folder / f"{name}-00000-of-00001.parquet")
        return str(folder)

    def put_on(self, hub: HubServer, name: str = "ada/data", **more: Any) -> str:
        hub.add(Dataset(name, {"default": self.splits}, self.features, **more))
        return name


def ask(*words: str) -> tuple[int, dict[str, Any]]:
    """The command in this process: its exit status and its JSON."""
    out, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
        code = inspect_dataset.run(["show", *words, "--json"])
    return code, json.loads(out.getvalue())


def read(*words: str) -> str:
    """What a person is shown by a call that must succeed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert inspect_dataset.run(["show", *words]) == 0
    return out.getvalue()


def look(*words: str) -> dict[str, Any]:
    """The answer of a call that must succeed."""
    code, data = ask(*words)
    assert code == 0, data
    return data


def table(**columns: Any) -> pyarrow.Table:
    return pyarrow.table(columns)


def picture(color: int, size: tuple[int, int] = (8, 6)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, (color, 0, 0)).save(held, "PNG")
    return held.getvalue()


def sound(seconds: float) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        count = int(8000 * seconds)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(at / 9))) for at in range(count)))
    return held.getvalue()


def turns(place: int, *more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"question {place}"}, *more]


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _chat_with_tools() -> Shape:
    call = [{"type": "function", "function": {"name": "clock", "arguments": "{}"}}]
    rows = [
        [
            {"role": "system", "content": "You may call tools.", "tool_calls": None},
            {"role": "user", "content": f"what time is it, {place}?", "tool_calls": None},
            {"role": "assistant", "content": None, "tool_calls": call},
            {"role": "tool", "content": "noon", "tool_calls": None},
            {"role": "assistant", "content": "It is noon.", "tool_calls": None},
        ]
        for place in range(30)
    ]
    tools = [json.dumps([{"type": "function", "function": {"name": "clock"}}])] * 30
    return Shape({"train": table(messages=rows, tools=tools)})


def _preference() -> Shape:
    pairs = {
        "prompt": [f"prompt {place}" for place in range(20)],
        "chosen": [f"good {place}" for place in range(20)],
        "rejected": [f"bad {place}" for place in range(20)],
    }
    return Shape({"train": table(**pairs)})


def _implicit_preference() -> Shape:
    chosen = [turns(place, answer("good")) for place in range(20)]
    rejected = [turns(place, answer("bad")) for place in range(20)]
    return Shape({"train": table(chosen=chosen, rejected=rejected)})


def _nested() -> Shape:
    deep = [[[1, 2], [3]], [[]], None] * 5
    tree = [{"name": "a", "parts": [{"id": place, "tags": ["x", "y"]}]} for place in range(15)]
    return Shape({"train": table(deep=deep, tree=tree)})


def _images() -> Shape:
    cells = [{"bytes": picture(place), "path": f"{place}.png"} for place in range(12)]
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    return Shape({"train": table(image=cells, label=[place % 2 for place in range(12)])}, features)


def _audio() -> Shape:
    cells = [{"bytes": sound(0.1 + place / 100), "path": f"{place}.wav"} for place in range(6)]
    features = {"audio": {"sampling_rate": 8000, "_type": "Audio"}}
    return Shape({"train": table(audio=cells, text=[f"said {place}" for place in range(6)])}, features)


def _classes() -> Shape:
    features = {"label": {"names": ["neg", "neutral", "pos"], "_type": "ClassLabel"}}
    rows = {"text": [f"text {place}" for place in range(40)], "label": [0] * 30 + [2] * 10}
    test = {"text": ["text 0", "new"], "label": [0, 2]}
    return Shape({"train": table(**rows), "test": table(**test)}, features)


def _broken_json() -> Shape:
    cells = ['{"a": 1}'] * 28 + ['{"a": ', "[1, 2"]
    return Shape({"train": table(payload=cells, text=[f"t{place}" for place in range(30)])})


def _empty_split() -> Shape:
    text = pyarrow.array([], pyarrow.string())
    return Shape({"train": table(text=["a", "b"]), "test": pyarrow.table({"text": text})})


def _unicode() -> Shape:
    columns = {"名前": ["a", "b", "c"], "größe 🙂": [1.5, 2.5, None], " text ": ["x", "y", "z"]}
    return Shape({"train": pyarrow.table(columns)})


def _sharegpt() -> Shape:
    rows = [[{"from": "human", "value": f"hello {place}"}, {"from": "gpt", "value": "good day"}] for place in range(10)]
    return Shape({"train": table(conversations=rows)})


def _nulls() -> Shape:
    empty = pyarrow.array([None] * 10, pyarrow.string())
    some: list[str | None] = [None, "a"] * 5
    return Shape({"train": pyarrow.table({"prompt": empty, "completion": some})})


SHAPES: dict[str, Callable[[], Shape]] = {
    "chat with tools": _chat_with_tools,
    "preference": _preference,
    "implicit preference": _implicit_preference,
    "nested": _nested,
    "images": _images,
    "audio": _audio,
    "classes": _classes,
    "broken json": _broken_json,
    "empty split": _empty_split,
    "unicode": _unicode,
    "sharegpt": _sharegpt,
    "nulls": _nulls,
}
