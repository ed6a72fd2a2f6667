"""The newcomer's tasks: their data is split by a key, and their catalog says what the scripts really do."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlresearch.errors import UsageError
from mlresearch.sampler import Parameter
from mlresearch.tasks import catalog, prepare

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "skills" / "ml-research-task" / "templates"
SCRIPT = ROOT / "scripts" / "mlresearch" / "tasks" / catalog.PREPARE
SCHEMA = ROOT / "scripts" / "mlresearch" / "schemas" / "program.schema.json"
KEY, OTHER_KEY = "5eed" * 8, "0ff5e7" * 6
SIZES = {"digits": 1797, "diabetes": 442, "names": 5160}
TASKS = sorted(catalog.TASKS)
# without its bytecode, importing scikit-learn takes 2.4 s instead of 1.0 s
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Prepared:
    folder: Path
    report: dict[str, Any]

    def examples(self, split: str) -> tuple[Any, Any]:
        with np.load(self.folder / prepare.SPLITS[split]) as file:
            return file["X"], file["y"]


def prepared(task: str, folder: Path, key: str = KEY) -> Prepared:
    words = [sys.executable, str(SCRIPT), "--task", task, "--out", str(folder), "--key", key]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return Prepared(folder, json.loads(done.stdout))


@pytest.fixture(scope="session", params=TASKS)
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(request.param, tmp_path_factory.mktemp(request.param))


def contents(made: Prepared, split: str) -> set[bytes]:
    return set(map(prepare.content, made.examples(split)[0]))


def test_every_example_stands_in_exactly_one_split(data: Prepared) -> None:
    splits = [contents(data, split) for split in prepare.SPLITS]
    size = SIZES[data.report["task"]]
    assert data.report["repeated"] == 0
    assert len(set.union(*splits)) == sum(map(len, splits)) == size
    assert data.report["counts"] == dict(zip(prepare.SPLITS, map(len, splits), strict=True))
    assert [round(len(split) / size, 1) for split in splits] == [0.6, 0.2, 0.2]


def test_the_key_decides_the_split_and_the_bytes_of_its_files(data: Prepared, tmp_path: Path) -> None:
    task = data.report["task"]
    same, other = prepared(task, tmp_path / "same"), prepared(task, tmp_path / "other", OTHER_KEY)
    assert same.report == data.report
    moved = contents(data, "test") - contents(other, "test")
    assert len(moved) > len(contents(data, "test")) / 2


def test_a_report_counts_each_class_of_each_split(data: Prepared) -> None:
    for split, sizes in data.report["classes"].items():
        y = data.examples(split)[1]
        assert (sizes == {}) == (y.dtype.kind == "f")
        assert sizes == ({} if y.dtype.kind == "f" else {str(label): int((y == label).sum()) for label in set(y)})


def test_a_regression_target_is_scaled_by_the_training_part_alone(tmp_path: Path) -> None:
    made = prepared("diabetes", tmp_path)
    y = made.examples("train")[1]
    assert (y.mean(), y.std()) == pytest.approx((0, 1))
    assert made.examples("test")[1].mean() != pytest.approx(0, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
    key=st.binary(min_size=16, max_size=32),
)
def test_equal_examples_land_on_one_side(rows: list[tuple[int, int]], key: bytes) -> None:
    x = np.array(rows, dtype="<f4")
    parts = prepare.split(key, (x, np.arange(len(x))))
    homes = [{tuple(row) for row in part[0]} for part in parts.values()]
    assert sum(len(part[0]) for part in parts.values()) == len(rows)
    assert sum(map(len, homes)) == len(set(rows))


Splits = dict[str, tuple[list[float], list[str]]]
FAULTY: dict[str, tuple[Splits, str]] = {
    "an example in two splits": (
        {"train": ([1, 2], ["a", "b"]), "val": ([3, 4], ["a", "b"]), "test": ([2, 5], ["a", "b"])},
        "one example stands in both train and test",
    ),
    "a class in one split alone": (
        {"train": ([1, 2], ["a", "b"]), "val": ([3, 4], ["a", "b"]), "test": ([5], ["a"])},
        "lacks a class",
    ),
    "an empty split": ({"train": ([1], ["a"]), "val": ([], []), "test": ([2], ["a"])}, "is empty"),
}


@pytest.mark.parametrize(("splits", "complaint"), FAULTY.values(), ids=FAULTY)
def test_the_audit_refuses(splits: Splits, complaint: str, tmp_path: Path) -> None:
    for name, (x, y) in splits.items():
        prepare.write(tmp_path / prepare.SPLITS[name], (np.array(x).reshape(-1, 1), np.array(y, dtype="<U1")))
    with pytest.raises(SystemExit, match=complaint):
        prepare.audit(tmp_path)


@pytest.mark.parametrize(
    "key", ["", "abcd", "not hexadecimal, but long enough for it"], ids=["empty", "short", "words"]
)
def test_a_key_that_could_be_guessed_is_refused(key: str, tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT), "--task", "digits", "--out", str(tmp_path), "--key", key]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "next: openssl rand -hex 32" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_catalog_and_the_preparation_know_the_same_tasks() -> None:
    assert set(catalog.TASKS) == set(prepare.SOURCES) == set(SIZES)
    assert catalog.DEFAULT in catalog.TASKS
    assert prepare.SPLITS["test"] == catalog.SEALED_DATA


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'mnist'") as refusal:
        catalog.find("mnist")
    assert refusal.value.allowed == ", ".join(catalog.TASKS)


def trainer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_tabular", TEMPLATES / catalog.TRAIN)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LEVERS = [(task, lever) for task in TASKS for lever in catalog.TASKS[task].parameters]


@pytest.mark.parametrize(("task", "lever"), LEVERS, ids=[f"{task}-{lever}" for task, lever in LEVERS])
def test_a_lever_is_an_option_of_the_script_with_its_default(
    task: str, lever: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter = dict(catalog.TASKS[task].parameters[lever])
    program = json.loads(SCHEMA.read_text())
    Draft202012Validator(program["$defs"]["parameter"] | {"$defs": program["$defs"]}).validate(parameter)
    choices = parameter.pop("choices", [])
    assert isinstance(choices, list)
    Parameter(choices=tuple(choices), **parameter)  # type: ignore[arg-type]  # the sampler checks its ranges
    module = trainer()
    values = [parameter["default"], *choices, *(parameter[end] for end in ("low", "high") if end in parameter)]
    for value in values:
        monkeypatch.setattr(sys, "argv", ["train", "--data", ".", "--out", ".", str(parameter["flag"]), str(value)])
        given_value = vars(module.arguments())
        if value == parameter["default"]:
            monkeypatch.setattr(sys, "argv", ["train", "--data", ".", "--out", "."])
            assert vars(module.arguments()) == given_value


# single levers that ten seeds put more than four noise units above the baseline
BETTER = {"digits": ("learning_rate", 0.01), "diabetes": ("scaling", "standard"), "names": ("ngrams", 4)}


def score(script: str, pattern: str, words: tuple[str, ...], places: dict[str, str]) -> float:
    filled = [word.format(**places) for word in words]
    done = subprocess.run(
        [sys.executable, str(TEMPLATES / script), *filled], env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (found,) = re.findall(pattern, done.stdout, re.MULTILINE)
    return float(found)


def test_a_single_lever_beats_the_baseline_and_the_sealed_score_agrees(data: Prepared, tmp_path: Path) -> None:
    task = catalog.find(data.report["task"])
    lever, value = BETTER[task.name]
    fixed = tuple(str(word) for pair in task.protected.items() for word in pair)
    scores = {}
    for name, change in (("baseline", ()), ("better", (str(task.parameters[lever]["flag"]), str(value)))):
        places = {"root": str(data.folder), "out": str(tmp_path / name), "run": str(tmp_path / name)}
        places |= {"sealed": str(data.folder)}
        words = (*task.train_args, "--seed", "1", *change, *fixed)
        val = score(catalog.TRAIN, task.metric_pattern, words, places)
        test = score(catalog.EVALUATE, task.final_metric_pattern, task.evaluate_args, places)
        scores[name] = (val, test)
    sign = 1 if task.direction == "maximize" else -1
    assert all(
        sign * (better - before) > task.min_effect
        for before, better in zip(scores["baseline"], scores["better"], strict=True)
    )
