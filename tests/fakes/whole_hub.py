"""One address for all of the Hub that a task meets: jobs that really run, models, data sets, repositories to write to.

A job's container reaches this Hub and nothing else, and has the Hub's own client installed.
"""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow

from e2e.client import path_with_uv
from fakes.hf_jobs import Emulator
from fakes.hub_repos import HubRepos
from fakes.hub_server import Dataset, HubServer, Model
from fakes.hub_server import server as pages
from fakes.hub_server.models import safetensors
from fakes.table_server import Answer, Asked

TOKEN = "hf_" + "EmulatedTokenOfNobodyAtAll01234567"


class WholeHub:
    """The service while the `with` block lasts; its account is `ada`."""

    def __init__(self, jobs_in: Path) -> None:
        self.jobs, self.pages, self.repos = Emulator(execute_in=jobs_in), HubServer(), HubRepos("ada", TOKEN)
        self.jobs.others = self._answer
        image = sysconfig.get_paths()["purelib"]
        self.jobs.variables = {"HF_ENDPOINT": self.jobs.url, "HF_HUB_OFFLINE": "0", "PYTHONPATH": image}
        self.jobs.variables["PATH"] = path_with_uv()  # the image has uv, whether or not this machine's PATH does

    def __enter__(self) -> Self:
        self.jobs.__enter__()
        self.pages.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.jobs.__exit__(kind, error, at)
        self.pages.__exit__(kind, error, at)

    @property
    def environment(self) -> dict[str, str]:
        """What points the commands here."""
        return {"HF_ENDPOINT": self.jobs.url, "ML_RESEARCH_VIEWER_URL": self.pages.url, "HF_TOKEN": TOKEN}

    def add(self, model: str, dataset: str) -> None:
        """A model of a few weights, and conversations in two splits."""
        weights = safetensors({"model.embed.weight": ("F32", [8, 4])})
        config = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "max_position_embeddings": 32768}
        files = {"config.json": json.dumps(config).encode(), "model.safetensors": weights}
        self.pages.add_model(Model(model, files, more={"safetensors": {"parameters": {"F32": 32}, "total": 32}}))
        tables = {split: _talks(split, count) for split, count in (("train", 30), ("test", 6))}
        self.pages.add(Dataset(dataset, {"default": tables}))

    def _answer(self, asked: Asked) -> Answer:
        """Repositories that were written here first, then those that stand here from the beginning."""
        if asked.method == "POST" or any(f"/{name}" in asked.path for _, name in self.repos.repos):
            return self.repos.answer(asked)
        found = self._page(asked)
        is_documentation = asked.path.startswith(("/docs", "/api/docs", "/.well-known"))
        return self.repos.answer(asked) if found.status == 404 and is_documentation else found

    def _page(self, asked: Asked) -> Answer:
        found = self.pages.answer(pages.Asked(asked.path, asked.query, asked.headers))
        kind = found.headers.get("content-type", "application/octet-stream")
        return Answer(found.body, found.status, kind, found.headers)


def _talks(split: str, count: int) -> pyarrow.Table:
    rows = [
        [
            {"role": "user", "content": f"say {split} {number}"},
            {"role": "assistant", "content": f"{split} {number}"},
        ]
        for number in range(count)
    ]
    return pyarrow.table({"messages": rows})
