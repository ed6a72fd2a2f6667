"""papers.py in this process, its store in a temporary folder, every source on a loopback port."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.utils._http import default_client_factory

from fakes.papers_server import PapersServer
from mlresearch.cli import papers as command

TOKENS = {
    "HF_TOKEN": "hf_" + "Secret0Hub" * 4,
    "S2_API_KEY": "s2-Secret0Scholar0Key",
    "OPENALEX_API_KEY": "alex-Secret0Open0Key",
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.out)
        return value


Papers = Callable[..., Done]


@pytest.fixture
def elsewhere() -> Iterator[PapersServer]:
    """A host that no key may reach."""
    with PapersServer() as server:
        yield server


@pytest.fixture
def server(elsewhere: PapersServer) -> Iterator[PapersServer]:
    with PapersServer(elsewhere=elsewhere.url + "/s2/trap") as server:
        yield server


@pytest.fixture
def here(server: PapersServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder; the sources at the server, a short line, keys set."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    variables = {**server.environment, **TOKENS, "XDG_DATA_HOME": str(tmp_path / "data")}
    variables |= {"ML_RESEARCH_PACE_S": "0", "ML_RESEARCH_HTTP_LIMIT_S": "20"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield folder
    huggingface_hub.set_client_factory(default_client_factory)


@pytest.fixture
def papers(here: Path, capsys: pytest.CaptureFixture[str]) -> Papers:
    """Runs one command as the script does, with --json."""

    def run(*words: str) -> Done:
        code = command.run([*words, "--json"])
        found = capsys.readouterr()
        return Done(code, found.out, found.err)

    return run
