"""What a tokenizer's files say: class, vocabulary, special tokens, and what a chat template takes. Encodes nothing.

Roles and tools are found by the words in the template, which is not run: a role that it takes without naming it is not
seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mlresearch.model_facts.place import Place, table_of

ROLES = ("system", "developer", "user", "assistant", "model", "tool", "function", "ipython", "observation")
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
_LARGEST_LENGTH = 10**9


def facts(place: Place, folder: str = "") -> dict[str, Any] | None:
    """The tokenizer beside the config, or at the top; None when there is none."""
    at = next((each for each in (folder, "") if _path(each, "tokenizer_config.json") in place.files), folder)
    config = table_of(place, _path(at, "tokenizer_config.json"))
    whole = table_of(place, _path(at, "tokenizer.json"))
    kept = [name for name in ("vocab.json", "vocab.txt", "spiece.model", "tokenizer.model", "tekken.json")]
    files = [name for name in kept if _path(at, name) in place.files]
    if not (config or whole or files):
        return None
    limit = config.get("model_max_length")
    return {
        "class": config.get("tokenizer_class"),
        "model": _table(whole.get("model")).get("type"),
        "vocabulary": _size(whole),
        "special_tokens": {name: token for name in SPECIAL if (token := _token(config.get(name))) is not None},
        "longest": limit if isinstance(limit, int) and limit < _LARGEST_LENGTH else None,
        "chat_template": template_facts(_templates(place, at, config)),
        "not_read": [] if whole else files,
    }


def _path(folder: str, name: str) -> str:
    return str(PurePosixPath(folder, name))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _token(value: object) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _size(whole: Mapping[str, Any]) -> int | None:
    """One more than the highest id, as an embedding table must have rows."""
    vocabulary = _table(whole.get("model")).get("vocab")
    if isinstance(vocabulary, Mapping):
        ids = [each for each in vocabulary.values() if type(each) is int]
    elif isinstance(vocabulary, list):
        ids = [len(vocabulary) - 1]
    else:
        return None
    added = whole.get("added_tokens")
    ids += [each["id"] for each in added if type(_table(each).get("id")) is int] if isinstance(added, list) else []
    return max(ids, default=-1) + 1


def _templates(place: Place, folder: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Every chat template by name, from its own file first, which wins over the config's."""
    found: dict[str, str] = {}
    told = config.get("chat_template")
    if isinstance(told, list):
        found |= {str(each.get("name")): str(each.get("template")) for each in told if isinstance(each, Mapping)}
    elif isinstance(told, str):
        found["default"] = told
    old = table_of(place, _path(folder, "chat_template.json")).get("chat_template")
    if isinstance(old, str):
        found["default"] = old
    path = _path(folder, "chat_template.jinja")
    if path in place.files:
        found["default"] = place.read(path).decode("utf-8", "replace")
    return found


def template_facts(templates: Mapping[str, str]) -> dict[str, Any] | None:
    if not templates:
        return None
    text = "\n".join(templates.values())
    return {
        "names": sorted(templates),
        "roles": [role for role in ROLES if re.search(rf"['\"]{role}['\"]", text)],
        "tools": bool(re.search(r"\btools\b", text)),
        "tool_calls": "tool_calls" in text,
        "documents": bool(re.search(r"\bdocuments\b", text)),
        "thinking": bool(re.search(r"enable_thinking|reasoning_content|<think>", text)),
        "marks_generation": bool(re.search(r"\{%-?\s*generation\b", text)),
        "generation_prompt": "add_generation_prompt" in text,
        "found": "by the words in the template, which was not run",
    }
