"""Functions that bring a column into the form a method reads. Each stands by itself: the answer hands out its source.

They refuse to guess: a value that is not in the form they read raises, so that a broken row is met when the data is
mapped and not in training.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def sharegpt_to_messages(turns: Any) -> Any:
    """[{"from", "value"}] to [{"role", "content"}]."""
    roles = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
    return [{"role": roles.get(turn["from"].lower(), turn["from"].lower()), "content": turn["value"]} for turn in turns]


def json_to_messages(text: Any) -> Any:
    """A conversation written as JSON text, in either spelling, to [{"role", "content", …}]."""
    import json

    roles = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
    turns = json.loads(text)
    return [
        turn
        if "role" in turn
        else {"role": roles.get(turn["from"].lower(), turn["from"].lower()), "content": turn["value"]}
        for turn in turns
    ]


def turns_before_answer(messages: Any) -> Any:
    """The conversation without its closing assistant turns: what a model is asked."""
    end = len(messages)
    while end and messages[end - 1]["role"] == "assistant":
        end -= 1
    return messages[:end]


def closing_answer(messages: Any) -> Any:
    """The closing assistant turns of a conversation: what a model should say."""
    end = len(messages)
    while end and messages[end - 1]["role"] == "assistant":
        end -= 1
    return messages[end:]


def shared_opening(chosen: Any, rejected: Any) -> Any:
    """The turns both conversations begin with: the prompt of a preference pair."""
    end = 0
    while end < min(len(chosen), len(rejected)) and chosen[end] == rejected[end]:
        end += 1
    while end and chosen[end - 1]["role"] == "assistant":
        end -= 1
    return chosen[:end]


def own_ending(messages: Any, other: Any) -> Any:
    """What a conversation holds after the turns it shares with `other`: one side of a preference pair."""
    end = 0
    while end < min(len(messages), len(other)) and messages[end] == other[end]:
        end += 1
    while end and messages[end - 1]["role"] == "assistant":
        end -= 1
    return messages[end:]


def as_user_turn(text: Any) -> Any:
    """A plain prompt as a conversation of one turn."""
    return [{"role": "user", "content": text}]


def as_assistant_turn(text: Any) -> Any:
    """A plain answer as a conversation of one turn."""
    return [{"role": "assistant", "content": text}]


def joined_prompt(instruction: Any, given: Any) -> Any:
    """An instruction and the input it is about, as one prompt."""
    return f"{instruction}\n\n{given}" if given else instruction


def to_flag(label: Any) -> Any:
    """0 or 1 as false or true; a missing label stays missing."""
    return None if label is None else bool(label)


def flag_to_class(flag: Any) -> Any:
    """False or true as class 0 or 1."""
    return None if flag is None else int(flag)


def text_to_class(label: Any, names: Any) -> Any:
    """A label's place among the names seen in the sample; raises for a name that was not."""
    return None if label is None else names.index(label)


def bytes_to_image(data: Any) -> Any:
    """An image's bytes as the struct that dataset.cast_column(NAME, datasets.Image()) reads."""
    return None if data is None else {"bytes": data, "path": None}


def path_to_image(path: Any) -> Any:
    """An image's path as the struct that dataset.cast_column(NAME, datasets.Image()) reads."""
    return None if path is None else {"bytes": None, "path": path}


def unpair_preferences(row: Any) -> Any:
    """A preference pair as two judged completions."""
    return [
        {"prompt": row["prompt"], "completion": row["chosen"], "label": True},
        {"prompt": row["prompt"], "completion": row["rejected"], "label": False},
    ]


def source(conversion: Callable[..., Any]) -> str:
    """The function's own text, without our annotations."""
    text = inspect.getsource(conversion)
    return text.replace(": Any", "").replace(" -> Any", "")
