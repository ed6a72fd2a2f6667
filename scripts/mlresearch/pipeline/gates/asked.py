"""What the words of a task ask for, as far as words alone tell it: names, method, adapter, length, revision.

Owns the reading of a person's sentence. It finds contradictions and never fills in what was left open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlresearch.pipeline.gates.looking import mentions

_WORD = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_NAME = re.compile(rf"(?<![\w./:@-])({_WORD}/{_WORD})(?![\w/])")
_HUB_PLACE = re.compile(rf"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?:datasets/|models/)?({_WORD}/{_WORD})\S*")
_URL = re.compile(r"https?://\S+")
_ORDINARY = re.compile(r"[A-Za-z]+/[A-Za-z]+|\d+/\d+")
_METHODS: Mapping[str, str] = {
    "sft": r"\bsft\b|supervised fine-?\s?tun",
    "dpo": r"\bdpo\b|direct preference",
    "grpo": r"\bgrpo\b|group relative",
    "kto": r"\bkto\b|kahneman",
    "reward": r"\breward model",
    "pretraining": r"\bpre-?train(?:ing)? from scratch",
    "embedding": r"\bembedding model|\bsentence[- ]transformer",
}
_NEGATED = re.compile(r"\b(?:no|not|without|instead of|rather than)\s+(?:use\s+|using\s+)?q?lora\b", re.I)
_ADAPTERS: Mapping[str, str] = {
    "qlora": r"\bq-?lora\b",
    "lora": r"\blora\b",
    "full": r"\bfull(?:y)?[- ]?(?:parameter |weight )?fine-?\s?tun|\ball (?:the )?(?:weights|parameters)\b",
}
_LENGTH = re.compile(
    r"(?:max(?:imum)?[\s_-]*(?:seq(?:uence)?[\s_-]*)?len(?:gth)?|(?:seq(?:uence)?|context)[\s_-]*len(?:gth)?|block[\s_-]*size)"
    r"[^\w]{0,4}(?:of|is|to|at|be)?[^\w]{0,4}(\d[\d,]*)\s*(k\b)?",
    re.I,
)
_REVISION = re.compile(r"\brevision[\s=:]+[\"'`]?([\w.-]*\w)|\w@([0-9a-f]{7,40})\b", re.I)
_WORK = re.compile(
    r"\b(?:re)?(?:train|fine-?\s?tun|tune|evaluat|benchmark|distil|quanti[sz]|pre-?train|align|measure|adapt)\w*", re.I
)
_QUESTION = re.compile(r"\s*(?:how|what|which|why|who|where|when|is|are|can|could|does|do|should|explain)\b", re.I)


def names(text: str) -> list[str]:
    """Every owner/name, those of addresses on the Hub too, in order; a word such as `and/or` among them."""
    found = [match[1] for match in _HUB_PLACE.finditer(text)]
    return list(dict.fromkeys([*found, *(match[1] for match in _NAME.finditer(_URL.sub(" ", text)))]))


def may_be_ordinary(name: str) -> bool:
    """True for `input/output`, `SFT/DPO` and `1/2`: letters alone or digits alone, which a name could also be."""
    return _ORDINARY.fullmatch(name) is not None


def _words(text: str) -> str:
    """The text without names and addresses: a data set that is called dpo-mix asks for no method."""
    return _NAME.sub(" ", _URL.sub(" ", text))


def methods(text: str) -> set[str]:
    return {name for name, pattern in _METHODS.items() if re.search(pattern, _words(text), re.I)}


def adapters(text: str) -> set[str]:
    negated = _NEGATED.search(_words(text))
    text = _NEGATED.sub(" ", _words(text))
    found = {name for name, pattern in _ADAPTERS.items() if re.search(pattern, text, re.I)}
    return found or ({"full"} if negated else set())


def lengths(text: str) -> set[int]:
    return {int(number.replace(",", "")) * (1024 if k else 1) for number, k in _LENGTH.findall(_words(text))}


def revisions(text: str) -> set[str]:
    return {one or other for one, other in _REVISION.findall(text)}


def is_work(text: str) -> bool:
    """Whether something is to be trained or measured; a question about it is a question."""
    is_question = text.rstrip().endswith("?") and _QUESTION.match(text) is not None
    return not is_question and _WORK.search(text) is not None


def says(text: str, name: str) -> bool:
    """Whether the text names it, in full or without its owner."""
    return mentions(text, name) or mentions(text, name.rpartition("/")[2])
