"""Commands in this process against a recorded service: what they printed, and who saw a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from fakes.table_server import Asked, TableServer

GITHUB_TOKEN = "ghp_" + "Secret0Hub" * 4
HF_TOKEN = "hf_" + "Secret0Hub" * 4
LIMIT_S = "1.0"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Command = Callable[..., Done]


def runner(run: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command as its script does; with --json unless `plain` is true."""

    def call(*words: str, plain: bool = False) -> Done:
        code = run([*words, *([] if plain else ["--json"])])
        found = capsys.readouterr()
        return Done(code, found.out, found.err)

    return call


def speaks_no_secret(done: Done) -> None:
    assert "Traceback" not in done.err
    assert not any(token in done.out + done.err for token in (GITHUB_TOKEN, HF_TOKEN))


def saw_no_token(servers: Iterable[TableServer]) -> None:
    for server in servers:
        for each in server.asked:
            assert not _tokens(each), f"{each.path} was given a token"


def _tokens(asked: Asked) -> list[str]:
    whole = repr((asked.path, asked.query, asked.headers, asked.body))
    return [token for token in (GITHUB_TOKEN, HF_TOKEN) if token in whole]
