"""What one line of a job's log says of its training: a step, losses, other metrics, an alert. Remembers nothing.

Knows the lines of our templates (`step 20 loss 0.69 val 0.81`), of nanoGPT and its kin (`iter 20: loss 2.5, time 3ms`),
dictionaries of the Transformers Trainer and of JSON, progress bars of tqdm, and the alerts that Trackio prints. It
refuses to take a word such as `step 3: loading data` for training: a step counts with a metric beside it. Nor is a
bar of `Tokenizing train dataset` one of training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST = 4_000  # characters of a line that are looked at
LONGEST_BAR = 500
LONGEST_TEXT = 300  # of an alert's title or text: a job wrote it, and a model will read it

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)"
_STEP = re.compile(r"\b(?:global[ _])?(?:step|iter|iteration)s?\b\s*[=:#]?\s*(\d{1,15})(?:\s*/\s*(\d{1,15}))?", re.I)
_EPOCH = re.compile(r"\bepoch\b\s*[=:#]?\s*\d", re.I)
_PAIR = re.compile(
    r"(?<![\w/.-])((?:(?:train|training|val|valid|validation|eval|test)[ ])?[A-Za-z_][\w/.@-]{0,60}?)"
    rf"\s*(?:[=:]\s*|\s)({_NUMBER})(?![\w.]*\w)",
    re.I,
)
_ITEM = re.compile(rf"[\"']([A-Za-z_][\w/.@ -]{{0,60}})[\"']\s*:\s*[\"']?({_NUMBER})[\"']?\s*(?=[,}}])", re.I)
_BAR = re.compile(r"^(.*?)\|?\s*(\d{1,15})/(\d{1,15})\s*\[\d[\d:]*<([^\]]*)\]")
_PERCENT = re.compile(r"\s*\d{1,3}%\s*$|\s*\d{1,3}%\|.*$")
_WORD = re.compile(r"\b[^\W\d]\w*")
_TRAINING = re.compile(r"train|training|epochs?|steps?|iters?|iterations?", re.I)
_BESIDE = re.compile(r"of|model|progress|loop|batch|batches|nan|inf", re.I)
_METRIC = re.compile(
    r"(?:^|[/_. ])(?:loss|acc|accuracy|train|val|valid|eval|test|ppl|perplexity|rewards?|score|f1|auc|rmse|mae|mse|"
    r"bleu|rouge|bpb|bpc|wer|map|iou|error|err|lr|learning_rate|grad_norm|entropy|kl|return)$",
    re.I,
)
_LOSS = re.compile(r"(?:^|[/_. ])loss$", re.I)
_ALERT = re.compile(r"^\[TRACKIO (INFO|WARN|ERROR)\] (.*?)(?: \(step (\d{1,15})\))?\s*$")
_OVER = re.compile(r"[\"']train_runtime[\"']\s*:")


@dataclass(frozen=True)
class Alert:
    """`level` is info, warn or error. `timestamp` is as Trackio wrote it, `line` counts the log's lines from 1.

    An alert has the one or the other, or both.
    """

    level: str
    title: str
    text: str
    step: int | None
    timestamp: str | None = None
    line: int | None = None

    @property
    def key(self) -> tuple[str, str, int | None]:
        """Same for one alert whether it is read from Trackio or from the log, which joins title and text."""
        return self.level, " ".join(self.said.split())[:LONGEST_TEXT], self.step

    @property
    def said(self) -> str:
        return ": ".join(filter(None, (self.title, self.text)))


@dataclass(frozen=True)
class Reading:
    """`step` of `total`; `counter` tells one bar or count from another; `is_training` says that a step was done."""

    step: int | None = None
    total: int | None = None
    counter: str = ""
    is_training: bool = False
    is_over: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    alert: Alert | None = None

    @property
    def losses(self) -> dict[str, float]:
        return {name: value for name, value in self.metrics.items() if _LOSS.search(name)}


NOTHING = Reading()


def read(line: str) -> Reading:
    """The reading of one line, or NOTHING. Only the last state of a line that was drawn over is looked at."""
    text = plain(line)[:LONGEST]
    found = _ALERT.match(text)
    if found:
        step = None if found[3] is None else int(found[3])
        title, _, said = found[2].partition(": ")
        return Reading(alert=alert(found[1].lower(), title, said, step))
    dictionary = text.find("{")
    if dictionary >= 0 and (items := _ITEM.findall(text, dictionary)):
        return _of_items({name.strip(): float(value) for name, value in items}, bool(_OVER.search(text)))
    bar = _BAR.match(text[:LONGEST_BAR])
    return _of_bar(bar) if bar else _of_words(text)


def plain(line: str) -> str:
    """Without colours and other control characters."""
    if line.isprintable():
        return line.strip()
    return "".join(letter for letter in _ESCAPES.sub("", line) if letter.isprintable() or letter == "\t").strip()


def alert(level: str, title: str, text: str, step: int | None, timestamp: str | None = None) -> Alert:
    """An alert whose words are short and hold no control characters."""
    return Alert(level, plain(title)[:LONGEST_TEXT], plain(text)[:LONGEST_TEXT], step, timestamp)


def _of_items(items: dict[str, float], is_over: bool) -> Reading:
    """A configuration is a dictionary too: only one with a loss, or with a step or epoch and a number more, counts."""
    step = next((items[name] for name in ("step", "global_step") if _is_count(items.get(name))), None)
    rest = {name: value for name, value in items.items() if name not in ("step", "global_step", "epoch")}
    has_loss = any(_LOSS.search(name) for name in rest)
    if not has_loss and not (rest and (step is not None or "epoch" in items)):
        return Reading(is_over=is_over)
    # an epoch is rounded and may stand for long: each report without a step is progress by itself
    place = "" if step is None else "step"
    return Reading(None if step is None else int(step), None, place, True, is_over, rest)


def _is_count(value: float | None) -> bool:
    return value is not None and 0 <= value < 1e15 and value == int(value)


def _of_bar(found: re.Match[str]) -> Reading:
    """A bar without a name, or with one of training alone, counts steps; another one is a sign of life."""
    name = _PERCENT.sub("", found[1]).strip(" :|")
    step, total = int(found[2]), int(found[3])
    is_training = step > 0 and (not name or _is_of_training(name))
    # the bar of an epoch ends many times: only one without a name says by its end that training has ended
    return Reading(step, None if name else total, f"{name}/{total}", is_training, metrics=_metrics(found[4]))


def _is_of_training(name: str) -> bool:
    """`Epoch 2/3 loss=0.5` is: words of training and metrics alone. What is done to the train split is not."""
    first, *rest = _WORD.findall(name) or [""]
    return bool(_TRAINING.fullmatch(first)) and all(
        _TRAINING.fullmatch(word) or _BESIDE.fullmatch(word) or _METRIC.search(word) for word in rest
    )


def _metrics(text: str) -> dict[str, float]:
    return {name.lower(): float(value) for name, value in _PAIR.findall(text) if _METRIC.search(name)}


def _of_words(text: str) -> Reading:
    metrics = _metrics(text)
    if not metrics:
        return NOTHING
    step = _STEP.search(text)
    if step:
        return Reading(int(step[1]), int(step[2]) if step[2] else None, "step", True, metrics=metrics)
    if _EPOCH.search(text) or any(_LOSS.search(name) for name in metrics):
        return Reading(is_training=True, metrics=metrics)
    return NOTHING
