"""All of the services that a task meets, for an agent and for jobs that train for real with the templates."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow

from fakes import github_server
from fakes.hub_repos import Repo, library
from fakes.hub_server import Dataset, Model
from fakes.hub_server.models import SHA
from fakes.papers_server import answers as papers
from fakes.table_server import Answer, Asked, told
from fakes.whole_hub import WholeHub

MODEL, DATASET = "Qwen/Qwen2-0.5B", "trl-lib/Capybara"
_FILES = re.compile(r"/(resolve|tree|paths-info)/(?!refs)")
_CARD = "---\nlicense: apache-2.0\n---\n"


class TrialHub(WholeHub):
    """What `made` holds (see make.py) stands under the real names; `pages` is what docs.py printed."""

    def __init__(self, jobs_in: Path, made: Path, pages: Mapping[str, str]) -> None:
        super().__init__(jobs_in)
        self._texts = dict(pages)
        self._held = (self._hold_model(made), self._hold_dataset(made))
        # a job brings its own libraries, from the same places as this machine
        del self.jobs.variables["PYTHONPATH"]
        trusted = {name: value for name, value in os.environ.items() if name.startswith(("SSL_CERT_", "UV_"))}
        self.jobs.variables |= {**trusted, "UV_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "ML_RESEARCH_PACE_S": "0"}

    def _hold_model(self, made: Path) -> str:
        files = {path.name: path.read_bytes() for path in sorted((made / "model").iterdir())}
        count = (len(files["model.safetensors"]) - 2000) // 4
        more = {
            "safetensors": {"parameters": {"F32": count}, "total": count},
            "cardData": {"license": "apache-2.0"},
            "pipeline_tag": "text-generation",
        }
        files["README.md"] = _CARD.encode()
        self.pages.add_model(Model(MODEL, files, more=more))
        self.repos.add(Repo(MODEL, "model", files=files, pinned=SHA))
        return MODEL

    def _hold_dataset(self, made: Path) -> str:
        tables = {split: _table(made / f"{split}.jsonl") for split in ("train", "test")}
        licence = {"cardData": {"license": "apache-2.0"}}
        held = self.pages.add(Dataset(DATASET, {"default": tables}, more=licence))
        files = {"README.md": _CARD.encode()}
        for path, body in held.files.items():
            files[f"data/{path.split('/')[1]}-00000-of-00001.parquet"] = body
        self.repos.add(Repo(DATASET, "dataset", files=files, pinned=held.record()["sha"]))
        return DATASET

    def _answer(self, asked: Asked) -> Answer:
        if any(f"/{name}" in asked.path for name in self._held) and not _FILES.search(asked.path):
            return self._page(asked)
        if asked.path.startswith(("/docs/", "/api/docs")):
            return self._documentation(asked)
        if asked.path.startswith(("/api/papers", "/papers/", "/api/daily_papers")) or {"filter", "item"} & set(
            asked.query
        ):
            found = papers.hub(asked.path, asked.query)
            return Answer(found.body, found.status, found.kind)
        return super()._answer(asked)

    def _documentation(self, asked: Asked) -> Answer:
        """Searches by words over all sections; the rest as the recorded documentation does it."""
        name = asked.path.removeprefix("/docs/").removesuffix(".md")
        if name in self._texts:
            return Answer(self._texts[name].encode(), 200, "text/markdown; charset=utf-8")
        if name.endswith("/llms.txt"):
            under = [page for page in self._texts if page.startswith(name.removesuffix("llms.txt"))]
            lines = [f"- [{page.rpartition('/')[2]}](https://huggingface.co/docs/{page}.md)" for page in under]
            return Answer("\n".join(["# Docs", *lines]).encode(), 200 if under else 404, "text/plain")
        if asked.path == "/api/docs":
            names = sorted({page.split("/")[0] for page in self._texts})
            return told([{"id": name, "url": f"/docs/{name}", "category": "Libraries"} for name in names])
        if asked.path == "/api/docs/search":
            return told(self._search(asked.query["q"], asked.query.get("product")))
        return library.answer(asked)

    def _search(self, query: str, product: str | None) -> list[dict[str, str]]:
        words = {word for word in re.findall(r"\w+", query.lower()) if len(word) > 2}
        scored = []
        for page, text in self._texts.items():
            for part in text.split("\n## ") if product in (None, page.split("/")[0]) else ():
                score = sum(word in part.lower() for word in words)
                scored.append((score, page, part))
        best = sorted((one for one in scored if one[0]), key=lambda one: -one[0])[:5]
        return [_hit(page, part) for _, page, part in best]


def _hit(page: str, part: str) -> dict[str, str]:
    heading, _, text = part.partition("\n")
    about = {"heading1": heading.strip("# "), "source_page_title": page}
    address = f"https://huggingface.co/docs/{page}"
    return {"text": text.strip()[:600], "product": page.split("/")[0], "source_page_url": address, **about}


def _table(path: Path) -> pyarrow.Table:
    return pyarrow.Table.from_pylist([json.loads(line) for line in path.read_text().splitlines()])


def publish_examples(site_packages: Path) -> None:
    """The scripts that come with the libraries, where their repositories have them."""
    held = {f"trl/scripts/{path.name}": path.read_bytes() for path in (site_packages / "trl" / "scripts").glob("*.py")}
    held |= {"examples/scripts/sft.py": held["trl/scripts/sft.py"], "README.md": b"# TRL\n"}
    github_server.FILES["huggingface/trl"] = held
