"""build_dataset.py: what it keeps, what it drops, and that no content stands in two splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from templates.lab import Lab


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def splits(out: Path) -> dict[str, list[dict[str, Any]]]:
    names = ("train", "validation", "test")
    return {name: [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()] for name in names}


def test_columns_are_renamed_and_broken_or_doubled_rows_are_dropped(lab: Lab, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"question": f"q {number}", "reply": f"a {number}", "id": 1} for number in range(200)]
    rows += [{"question": "Q  1", "reply": "A 1", "id": 2}, {"question": " ", "reply": "x", "id": 3}]
    rows += [{"question": "q", "reply": None, "id": 4}]
    data = write(tmp_path / "raw.jsonl", rows)
    words = ("--data", data, "--method", "sft", "--map", "prompt=question", "--map", "completion=reply")
    told = lab.run("build_dataset", *words, "--output", tmp_path / "out", out=tmp_path).result
    assert (told["n"], told["value"]) == (203, 200)
    assert (told["counts"]["broken"], told["counts"]["doubled"]) == (2, 1)
    made = splits(tmp_path / "out")
    assert all(set(row) == {"prompt", "completion"} for kept in made.values() for row in kept)
    assert sum(map(len, made.values())) == 200
    assert len(made["test"]) in range(8, 35)
    assert len(made["validation"]) in range(8, 35)


def test_a_row_keeps_its_split_when_the_data_grows(lab: Lab, tmp_path: Path) -> None:
    rows = [{"text": f"text {number}"} for number in range(100)]
    for name, kept in (("small", rows[:60]), ("large", rows[::-1])):
        data = write(tmp_path / f"{name}.jsonl", kept)
        lab.run("build_dataset", "--data", data, "--method", "sft", "--output", tmp_path / name, out=tmp_path)
    small, large = splits(tmp_path / "small"), splits(tmp_path / "large")
    for name, kept in small.items():
        assert all(row in large[name] for row in kept)
    everything = [row["text"] for kept in large.values() for row in kept]
    assert len(everything) == len(set(everything)) == 100


def test_columns_that_do_not_fit_the_method_are_named(lab: Lab, tmp_path: Path) -> None:
    data = write(tmp_path / "raw.jsonl", [{"question": "a", "good": "b", "bad": "c"}])
    words = ("--data", data, "--method", "dpo", "--output", tmp_path / "out")
    done = lab.run("build_dataset", *words, out=tmp_path, code=1)
    assert "has columns ['question', 'good', 'bad']; allowed: prompt+chosen+rejected; next: --map NEW=OLD" in done.log


def test_a_training_template_reads_what_was_built(lab: Lab, tmp_path: Path) -> None:
    data = lab.home / "opinions.jsonl"
    lab.run("build_dataset", "--data", data, "--method", "classification", "--output", tmp_path / "built", out=tmp_path)
    done = lab.train("classifier", tmp_path / "model", "--data", tmp_path / "built", SMOKE="1")
    assert done.result["ended"] == "done"


def test_a_training_template_names_the_columns_that_it_needs(lab: Lab, tmp_path: Path) -> None:
    done = lab.train("dpo", tmp_path, "--data", lab.home / "language.jsonl", code=1, SMOKE="1")
    assert "has columns ['text']; allowed: prompt+chosen+rejected; next: rename or build them" in done.log
