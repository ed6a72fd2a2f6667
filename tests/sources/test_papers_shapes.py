"""Well-formed answers in wrong shapes: whatever stands in any one place, the contract holds."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.papers_server import PapersServer
from fakes.papers_server.answers import Answer
from sources.conftest import Papers

WRONG: tuple[Any, ...] = (None, 3, "x", [], {}, [1], True, -1.5, {"name": [None]})
COMMANDS = {
    "hf-search": ("search", "LoRA", "--source", "hf", "--limit", "1"),
    "hf-linked": ("linked", "2502.02737", "--limit", "1"),
    "s2-search": ("search", "LoRA", "--source", "s2", "--limit", "1"),
    "s2-cites": ("cites", "2305.11206", "--source", "s2", "--limit", "1"),
    "s2-snippets": ("snippets", "rank", "--limit", "1"),
    "s2-recommend": ("recommend", "2305.11206", "--limit", "1"),
    "openalex-search": ("search", "LoRA", "--source", "openalex", "--limit", "1"),
    "openalex-references": ("references", "2402.09353", "--source", "openalex", "--limit", "1"),
}
Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in the answer, itself first; words of an abstract aside, which are all alike."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        if "abstract_inverted_index" not in at:
            yield from places(each, (*at, key))


def put(value: Any, at: Place, wrong: Any) -> Any:
    if not at:
        return wrong
    changed = copy.deepcopy(value)
    held = changed
    for key in at[:-1]:
        held = held[key]
    held[at[-1]] = wrong
    return changed


class Changer:
    """Changes the answers' n-th place; knows how many places it saw."""

    def __init__(self, number: int) -> None:
        self.number, self.most = number, 0

    def __call__(self, answer: Answer) -> Answer:
        value = json.loads(answer.body)
        found = list(places(value))
        self.most = max(self.most, len(found))
        if self.number >= len(found):
            return answer
        wrong = WRONG[self.number % len(WRONG)]
        return Answer(json.dumps(put(value, found[self.number], wrong)).encode(), answer.status, answer.kind)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_answer_in_a_wrong_shape_is_read_or_refused(
    papers: Papers, server: PapersServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, name: str
) -> None:
    number, most = 0, 1
    while number < most:
        server.change = changer = Changer(number)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / str(number)))
        done = papers(*COMMANDS[name])
        assert done.code in (0, 1), done.err
        assert set(done.data) == {"error", "fallback"} or done.code == 0
        most, number = max(most, changer.most), number + 1
    assert most >= 10


@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_told_with_a_good_status_is_not_kept(papers: Papers, server: PapersServer, name: str) -> None:
    server.change = lambda answer: Answer(b'{"error": "try again"}')
    assert papers(*COMMANDS[name]).code == 1
    server.change = None
    assert papers(*COMMANDS[name]).code == 0
