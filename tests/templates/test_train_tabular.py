"""The tabular templates, run as a person or a job runs them: real processes, real training, real Trackio."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

TEMPLATES = Path(__file__).parents[2] / "skills" / "ml-research-task" / "templates"
TRAIN, EVALUATE = TEMPLATES / "train_tabular.py", TEMPLATES / "evaluate_tabular.py"
SCORE_LINE = re.compile(r"^val_\w+: (\S+)$", re.MULTILINE)
# enough steps that a signal sent at the first report arrives long before the last one
MANY_STEPS = ("--steps", "10000", "--batch-size", "4", "--hidden", "2", "--seed", "3")

Folder = Callable[[str], Path]


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Without remote places, and with bytecode: it makes importing scikit-learn take 1.0 s instead of 2.4 s."""
    dropped = ("TRACKIO", "HF_", "SMOKE", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "OMP_NUM_THREADS": "1", **(more or {})}


def command(data: Path, out: Path, *args: str) -> list[str]:
    return [sys.executable, str(TRAIN), "--data", str(data), "--out", str(out), *args]


def train(
    data: Path, out: Path, *args: str, code: int = 0, environ: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    """The JSON of the last line, which must be strict JSON, and all of stdout."""
    done = subprocess.run(
        command(data, out, *args), env=environment(environ), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    return strict_json(done.stdout.splitlines()[-1]), done.stdout


def strict_json(line: str) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    parsed: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return parsed


def evaluate(model: Path, data: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(EVALUATE), "--model", str(model), "--data", str(data)]
    return subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=120)


def trackio(out: Path, *words: str) -> dict[str, Any]:
    """What Trackio's own command line reads back."""
    start = [sys.executable, "-c", "from trackio.cli import main; main()", *words, "--project", "tabular", "--json"]
    env = environment({"TRACKIO_DIR": str(out / "trackio")})
    done = subprocess.run(start, env=env, capture_output=True, text=True, timeout=60, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def alerts(out: Path) -> list[dict[str, Any]]:
    return list(trackio(out, "list", "alerts")["alerts"])


def tracked_steps(out: Path) -> list[int]:
    found = trackio(out, "query", "project", "--sql", "select step from metrics order by step")
    return [row["step"] for row in found["rows"]]


def weights(out: Path) -> list[Any]:
    network = pickle.loads((out / "model.pkl").read_bytes())[-1]
    return [*network.coefs_, *network.intercepts_]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The data folder of one kind of task, from real data; made once."""
    digits, diabetes = load_digits(), load_diabetes()
    target = (diabetes.target - diabetes.target.mean()) / diabetes.target.std()
    words = np.array([f"{number:b}" for number in range(400)])
    examples = {
        "classification": (digits.data[:400], digits.target[:400]),
        "regression": (diabetes.data, target),
        "text": (words, np.array(["even" if word.endswith("0") else "odd" for word in words])),
    }
    made: dict[str, Path] = {}
    for kind, (x, y) in examples.items():
        made[kind] = tmp_path_factory.mktemp(kind)
        np.savez(made[kind] / "train.npz", X=x[:300], y=y[:300])
        np.savez(made[kind] / "val.npz", X=x[300:], y=y[300:])
    return made.__getitem__


@pytest.mark.parametrize("kind", ["classification", "regression", "text"])
def test_the_evaluation_repeats_the_score_that_training_printed(kind: str, folder: Folder, tmp_path: Path) -> None:
    result, log = train(folder(kind), tmp_path, "--scaling", "standard", "--steps", "100")
    expected = {"metric", "value", "n", "stderr", "steps", "seconds", "peak_memory_mb", "output", "ended"}
    assert set(result) == expected
    assert (result["steps"], result["ended"]) == (100, "done")
    assert SCORE_LINE.findall(log) == [f"{result['value']:.6f}"]
    assert len(re.findall(r"(?m)^step \d+ loss \S+ train \S+ val \S+$", log)) == 20
    again = evaluate(tmp_path / "model.pkl", folder(kind) / "val.npz")
    assert again.returncode == 0, again.stderr
    assert strict_json(again.stdout.splitlines()[-1]) == {
        key: result[key] for key in ("metric", "value", "n", "stderr")
    }


def test_a_seed_decides_the_result_and_repeats_it_to_the_last_bit(folder: Folder, tmp_path: Path) -> None:
    results = [
        train(folder("regression"), tmp_path / name, "--seed", seed, "--steps", "60")[0]["value"]
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_training_moves_every_weight_and_lowers_the_loss(folder: Folder, tmp_path: Path) -> None:
    for name, steps in (("one", "1"), ("many", "100")):
        train(folder("classification"), tmp_path / name, "--steps", steps, "--learning-rate", "0.01")
    before, after = weights(tmp_path / "one"), weights(tmp_path / "many")
    assert len(before) == 4
    assert all((old != new).mean() > 0.9 for old, new in zip(before, after, strict=True))
    losses = [loss for _, loss, *_ in json.loads((tmp_path / "many" / "metrics.json").read_text())["curve"]]
    assert losses[-1] < losses[0] / 2


def test_a_smoke_run_takes_one_step_on_64_examples(folder: Folder, tmp_path: Path) -> None:
    result, log = train(folder("classification"), tmp_path, environ={"SMOKE": "1"})
    assert (result["steps"], result["n"]) == (1, 64)
    assert len(re.findall(r"(?m)^step ", log)) == 1
    assert (tmp_path / "model.pkl").exists()


@pytest.fixture(scope="session")
def uninterrupted(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> float:
    value: float = train(folder("regression"), tmp_path_factory.mktemp("whole"), *MANY_STEPS)[0]["value"]
    return value


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_stopped_run_resumes_to_the_same_score(
    name: str, folder: Folder, tmp_path: Path, uninterrupted: float
) -> None:
    words = command(folder("regression"), tmp_path, *MANY_STEPS)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        while not next(running.stdout).startswith("step 1000 "):
            pass
        running.send_signal(signal.Signals[name])
        rest = running.stdout.read()
    assert running.returncode == (143 if name == "SIGTERM" else -signal.SIGKILL)
    if name == "SIGTERM":
        assert_stopped_cleanly(tmp_path, rest)
    resumed = train(folder("regression"), tmp_path, *MANY_STEPS, "--resume")[0]
    assert resumed["value"] == uninterrupted


def assert_stopped_cleanly(out: Path, rest: str) -> None:
    told = strict_json(rest.splitlines()[-1])
    assert (told["ended"], told["value"]) == ("stopped", None)
    assert 1000 <= told["steps"] < 10000
    assert not SCORE_LINE.search(rest)
    assert pickle.loads((out / "model.pkl").read_bytes())[-1].t_ == told["steps"] * 4
    assert tracked_steps(out)[-1] == told["steps"]


def test_a_resume_with_other_settings_is_refused(folder: Folder, tmp_path: Path) -> None:
    train(folder("text"), tmp_path, environ={"SMOKE": "1"})
    done = subprocess.run(
        command(folder("text"), tmp_path, "--resume", "--alpha", "0.5"),
        env=environment({"SMOKE": "1"}), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "was trained with other settings; allowed: its own flags; next: drop --resume" in done.stderr


def test_a_run_that_diverges_leaves_an_error_alert_and_no_score(folder: Folder, tmp_path: Path) -> None:
    wild = ("--solver", "sgd", "--activation", "relu", "--scaling", "standard", "--learning-rate", "1e4")
    result, log = train(folder("regression"), tmp_path, *wild, code=3)
    assert (result["ended"], result["value"]) == ("diverged", None)
    assert not SCORE_LINE.search(log)
    (alert,) = alerts(tmp_path)
    assert (alert["level"], alert["title"]) == ("error", "divergence_nan")
    assert "divide --learning-rate by 10" in alert["text"]


def test_a_run_that_overfits_leaves_a_warning_with_numbers_and_an_action(folder: Folder, tmp_path: Path) -> None:
    greedy = ("--hidden", "128", "--activation", "relu", "--scaling", "standard", "--learning-rate", "0.03")
    train(folder("regression"), tmp_path, *greedy)
    warned = [alert for alert in alerts(tmp_path) if alert["level"] == "warn"]
    assert [alert["title"] for alert in warned] == ["overfitting"]
    assert re.fullmatch(
        r"train 0\.\d+, val \d\.\d+ at step \d+, best \d\.\d+ at step \d+: raise --alpha or lower --hidden",
        warned[0]["text"],
    )


CURVES: dict[str, tuple[list[tuple[float, float, float]], int, str | None]] = {
    "learning": ([(1.0, 0.5, 0.5), (0.5, 0.8, 0.8)], 1, None),
    "loss is not a number": ([(1.0, 0.5, 0.5), (float("nan"), 0.5, 0.5)], 1, "divergence_nan"),
    "loss is not a number at once": ([(float("nan"), 0.5, 0.5)], 1, "divergence_nan"),
    "loss grew elevenfold": ([(1.0, 0.5, 0.5), (11.0, 0.5, 0.5)], 1, "divergence_nan"),
    "loss grew ninefold": ([(1.0, 0.5, 0.5), (9.0, 0.5, 0.5)], 1, None),
    "accuracy gap and falling": ([(1.0, 0.8, 0.8), (0.5, 0.95, 0.75)], 1, "overfitting"),
    "accuracy gap but still best": ([(1.0, 0.8, 0.7), (0.5, 0.95, 0.75)], 1, None),
    "error gap and rising": ([(1.0, 0.8, 0.8), (0.5, 0.5, 0.85)], -1, "overfitting"),
    "error falls on both": ([(1.0, 0.8, 0.8), (0.5, 0.5, 0.55)], -1, None),
    "ten reports without gain": ([(1.0, 0.8, 0.8)] + [(1.0, 0.8, 0.79)] * 10, 1, "plateau"),
    "nine reports without gain": ([(1.0, 0.8, 0.8)] + [(1.0, 0.8, 0.79)] * 9, 1, None),
}


@pytest.mark.parametrize(("numbers", "sign", "title"), CURVES.values(), ids=CURVES)
def test_the_curve_calls_for_the_alert(numbers: list[tuple[float, float, float]], sign: int, title: str | None) -> None:
    module = module_of(TRAIN)
    curve = [module.Point(10 * place, *scores, stderr=0.01) for place, scores in enumerate(numbers)]
    alert = module.alert_for(curve, sign)
    assert (alert and alert[1]) == title


@pytest.mark.parametrize(("steps", "title"), [(4, None), (5, "plateau")])
def test_a_plateau_is_one_of_fifty_steps_at_least(steps: int, title: str | None) -> None:
    module = module_of(TRAIN)
    curve = [module.Point(steps * place, 1.0, 0.8, 0.8 - 0.01 * (place > 0), stderr=0.01) for place in range(11)]
    alert = module.alert_for(curve, 1)
    assert (alert and alert[1]) == title


def test_nothing_leaves_the_machine_even_where_the_environment_says_so(folder: Folder, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        remote = {"SMOKE": "1", "HF_TOKEN": "hf_not_a_token", "HF_ENDPOINT": address}
        remote |= {"TRACKIO_SPACE_ID": "someone/space", "TRACKIO_WEBHOOK_URL": address}
        train(folder("classification"), tmp_path, environ=remote)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert tracked_steps(tmp_path) == [1]


class Names:
    """Pickles as a call of what it is given."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


def test_a_model_file_that_names_a_command_is_not_run(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Names(os.system, f"touch {tmp_path}/ran")))
    done = evaluate(tmp_path / "model.pkl", folder("text") / "val.npz")
    assert done.returncode == 1
    assert "allowed: classes of scikit-learn, arrays, plain containers" in done.stderr
    assert not (tmp_path / "ran").exists()


REFUSED = {
    "a builtin function": pickle.dumps(Names(eval, "1")),
    "a function of numpy that opens files": pickle.dumps(Names(np.load, "x.npz")),
    "a class of numpy that opens files": pickle.dumps(Names(np.memmap, "x.npz")),
    "a function of scikit-learn": pickle.dumps(Names(load_digits)),
    "a class of the standard library": pickle.dumps(Names(subprocess.Popen, "true")),
    "a method, by way of its class": pickle.dumps(Pipeline.fit, 4),
    "a class that scikit-learn imports from elsewhere": b"csklearn.pipeline\nislice\n.",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_a_model_file_holds_no_other_code(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(content)
    with (tmp_path / "model.pkl").open("rb") as file, pytest.raises(pickle.UnpicklingError, match="names"):
        module_of(EVALUATE).PlainModel(file).load()


@pytest.mark.parametrize("protocol", [4, 5], ids=["default to 3.13", "default from 3.14"])
def test_a_model_file_of_either_protocol_is_read(protocol: int, tmp_path: Path) -> None:
    x, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x[:200], y[:200])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model, protocol))
    with (tmp_path / "model.pkl").open("rb") as file:
        read = module_of(EVALUATE).PlainModel(file).load()
    assert (read.predict(x) == model.predict(x)).all()


@pytest.mark.parametrize("path", [TRAIN, EVALUATE], ids=["train", "evaluate"])
def test_the_header_pins_the_versions_that_the_tests_ran_with(path: Path) -> None:
    pins = re.findall(r'"([\w-]+)==([\w.]+)"', path.read_text().split("# ///", 2)[1])
    assert len(pins) >= 2
    assert pins == [(name, importlib.metadata.version(name)) for name, _ in pins]
