"""What every template must do, told from its syntax tree, so that it holds for the next one too.

- all: a script header with exact pins, no abbreviated options, and last on stdout one line of strict JSON.
- all that run long (train_*, eval_*): a handler for SIGTERM and a smoke run.
- train_*: training that a tracker sees. Anything else trains nothing.
- all: in order for the submit invariant as a paid job, as they stand and when they push where they may.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlresearch import monitoring
from mlresearch.invariant import MINIMUM_S, Paid, faults
from mlresearch.script_facts import Script, header, name_of

FOLDER = Path(__file__).parents[2] / "skills" / "ml-research-task" / "templates"
ALL = sorted(FOLDER.glob("*.py"))
TRAINING = [path for path in ALL if path.name.startswith("train_")]
OTHERS = [path for path in ALL if path not in TRAINING]
LONG = [path for path in ALL if path.name.startswith(("train_", "eval_"))]
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.!+]+(\s*;.+)?")
PUSHES = ("--hub-model-id", "ada/run-1", "--trackio-space", "ada/run-curves")
ELSEWHERE = ("--hub-model-id", "eve/run-1", "--trackio-space", "eve/curves")

every = pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
training = pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.name)
others = pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
long = pytest.mark.parametrize("path", LONG, ids=lambda path: path.name)


def script(path: Path) -> Script:
    return Script(path.read_bytes(), {}, {})


def calls(tree: ast.AST, text: str) -> Iterator[ast.Call]:
    """Calls of `text`, such as json.dumps, inside a part of a file."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return (call for call in found if ast.unparse(call.func) == text)


def paid(path: Path, *args: str, **env: str) -> Paid:
    return Paid(
        files=((path.name, path.read_bytes()),),
        args=args,
        env=env,
        timeout_s=MINIMUM_S,
        root="/srv/project",
        repos="ada/run-*",
        writable=lambda repo: repo.startswith("ada/run-"),
        exists=lambda name: False,
        holds_secret=lambda text: False,
    )


def test_there_are_templates_of_both_kinds() -> None:
    assert TRAINING
    assert OTHERS


@every
def test_dependencies_are_pinned_in_the_header(path: Path) -> None:
    found = header(path.read_text())
    assert found
    assert found["requires-python"].startswith(">=")
    assert found["dependencies"]
    assert [name for name in found["dependencies"] if not PIN.fullmatch(name)] == []


@every
def test_an_option_is_not_abbreviated(path: Path) -> None:
    parsers = [call for call in script(path).calls() if name_of(call) == "ArgumentParser"]
    assert parsers
    for call in parsers:
        assert {word.arg: ast.unparse(word.value) for word in call.keywords}["allow_abbrev"] == "False"


@every
def test_the_last_thing_printed_is_json(path: Path) -> None:
    """In one function, by its last print, whose last argument is json.dumps; so no later line can follow it there."""
    functions = [node for node in ast.walk(script(path).tree) if isinstance(node, ast.FunctionDef)]
    telling = [one for one in functions if any(_tells(call) for call in calls(one, "print"))]
    assert len(telling) == 1
    assert _tells(max(calls(telling[0], "print"), key=lambda call: call.lineno))


def _tells(call: ast.Call) -> bool:
    """True for a print whose last argument is json.dumps(...), or a name (which the smoke run then shows)."""
    return bool(call.args) and any(calls(call.args[-1], "json.dumps"))


@long
def test_sigterm_is_handled(path: Path) -> None:
    """`signal.signal(signal.SIGTERM, something)`, where something is not a way to ignore or to die of it."""
    handlers = [
        ast.unparse(call.args[1])
        for call in calls(script(path).tree, "signal.signal")
        if ast.unparse(call.args[0]) == "signal.SIGTERM"
    ]
    assert len(handlers) == 1
    assert handlers[0] not in ("signal.SIG_IGN", "signal.SIG_DFL")


@long
def test_a_smoke_run_is_understood(path: Path) -> None:
    asked = [call for call in calls(script(path).tree, "os.environ.get") if ast.unparse(call.args[0]) == "'SMOKE'"]
    assert asked


@training
def test_training_is_seen_by_a_tracker(path: Path) -> None:
    found = script(path)
    assert monitoring.trains(found) is not None
    assert monitoring.is_monitored(found)


@others
def test_only_training_templates_train(path: Path) -> None:
    assert monitoring.trains(script(path)) is None


@every
def test_a_template_may_be_paid_for_as_it_stands(path: Path) -> None:
    assert faults(paid(path)) == []


@training
def test_a_template_pushes_only_where_it_may(path: Path) -> None:
    text = path.read_text()
    has_options = "--hub-model-id" in text and "--trackio-space" in text
    assert faults(paid(path, *(PUSHES if has_options else ()))) == []
    found = faults(paid(path, *ELSEWHERE)) if has_options else []
    assert has_options is any("eve/run-1" in fault.wrong for fault in found)
    assert has_options is any("eve/curves" in fault.wrong for fault in found)


@training
def test_a_job_s_curves_go_only_to_a_space_that_may_be_written(path: Path) -> None:
    assert faults(paid(path, TRACKIO_SPACE_ID="ada/run-curves")) == []
    assert any("eve/curves" in fault.wrong for fault in faults(paid(path, TRACKIO_SPACE_ID="eve/curves")))


def smoke(path: Path, *args: str) -> dict[str, Any]:
    """The last line of a real run, which must be strict JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKIO", "HF_"))}
    done = subprocess.run(
        [sys.executable, str(path), *args],
        env={**kept, "SMOKE": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1], parse_constant=pytest.fail)
    return found


def test_the_tabular_templates_end_with_their_json(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    for split in ("train", "val", "test"):
        np.savez(tmp_path / f"{split}.npz", X=rows, y=(rows[:, 0] > 0).astype(int))
    trained = smoke(FOLDER / "train_tabular.py", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    model = str(tmp_path / "out" / "model.pkl")
    scored = smoke(FOLDER / "evaluate_tabular.py", "--model", model, "--data", str(tmp_path / "test.npz"))
    assert (trained["metric"], trained["ended"], trained["output"]) == ("val_accuracy", "done", model)
    assert (scored["metric"], scored["n"]) == ("test_accuracy", 200)
