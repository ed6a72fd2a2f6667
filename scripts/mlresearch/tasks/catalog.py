"""The tasks of a first campaign, in the words of their program.md. Data only: nothing here runs or reads a file.

Each task has single levers worth more than four noise units (one unit: the spread of the baseline over seeds),
measured over ten seeds at the script's defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlresearch.errors import UsageError

Value = str | int | float | bool
Parameter = Mapping[str, Value | list[str]]  # one entry of Run: parameters

TRAIN, EVALUATE, PREPARE = "train_tabular.py", "evaluate_tabular.py", "prepare.py"
SEALED_DATA = "sealed/test.npz"  # where PREPARE leaves it, relative to the program


def _number(flag: str, low: float, high: float, default: float, kind: str = "float") -> Parameter:
    log = kind == "float" or high / low > 10
    return {"flag": flag, "kind": kind, "low": low, "high": high, "log": log, "default": default}


def _choice(flag: str, default: str, *others: str) -> Parameter:
    return {"flag": flag, "kind": "choice", "choices": [default, *others], "default": default}


# strongest first, because levers take turns
LEVERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "learning_rate": _number("--learning-rate", 0.0005, 0.1, 0.002),
        "activation": _choice("--activation", "logistic", "relu", "tanh"),
        "scaling": _choice("--scaling", "maxabs", "standard", "none"),
        "hidden": _number("--hidden", 8, 128, 32, kind="int"),
        "alpha": _number("--alpha", 0.00001, 0.3, 0.0001),
        "solver": _choice("--solver", "adam", "sgd"),
    }
)
TEXT_LEVERS: Mapping[str, Parameter] = MappingProxyType({"ngrams": _number("--ngrams", 1, 5, 2, kind="int"), **LEVERS})


@dataclass(frozen=True)
class Task:
    """What program.md says of one task; `min_effect` is in the metric's unit."""

    name: str
    story: str
    metric: str
    direction: str
    min_effect: float
    parameters: Mapping[str, Parameter]
    steps: int = 400

    @property
    def metric_pattern(self) -> str:
        return rf"^{self.metric}: (\S+)$"

    @property
    def final_metric_pattern(self) -> str:
        return rf"^{self.metric.replace('val_', 'test_', 1)}: (\S+)$"

    @property
    def train_args(self) -> tuple[str, ...]:
        return ("--data", "{root}/data", "--out", "{out}", "--project", self.name)

    @property
    def evaluate_args(self) -> tuple[str, ...]:
        return ("--model", "{run}/model.pkl", "--data", "{sealed}/" + SEALED_DATA)

    @property
    def protected(self) -> Mapping[str, Value]:
        """A longer run or a larger batch would read more data: that buys budget instead of finding something."""
        return {"--steps": self.steps, "--batch-size": 32}


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task(
                name="digits",
                story="Which of ten digits is it? 1,797 handwritten ones, 8 by 8 pixels (scikit-learn).",
                metric="val_accuracy",
                direction="maximize",
                min_effect=0.01,
                parameters=LEVERS,
            ),
            Task(
                name="diabetes",
                story="How far has the disease got in a year? 442 patients, ten measurements each (scikit-learn). "
                "The error is in standard deviations: 1.0 is what guessing the mean would score.",
                metric="val_rmse",
                direction="minimize",
                min_effect=0.02,
                parameters=LEVERS,
            ),
            Task(
                name="names",
                story="Is it a woman's or a man's name, by its letters? 5,160 first names of the US census of 1990 "
                "(names on PyPI); 78 % are women's.",
                metric="val_accuracy",
                direction="maximize",
                min_effect=0.01,
                parameters=TEXT_LEVERS,
            ),
        )
    }
)
DEFAULT = "digits"


def find(name: str) -> Task:
    """The task of that name; raises UsageError that lists the others."""
    if name not in TASKS:
        raise UsageError(f"task {name!r} is unknown", ", ".join(TASKS))
    return TASKS[name]
