"""The Hub and the viewer on one loopback port; files are handed out by a second port, as the Hub's CDN does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.hf_jobs.faults import Fault, Faults
from fakes.hf_jobs.prices import listing
from fakes.hub_server.datasets import Dataset
from fakes.hub_server.models import Model


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it; header names in lower case."""

    place: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


class HubServer:
    """The service while the `with` block lasts. `files` are further addresses and what they hold, such as
    `/owner/model/resolve/main/tokenizer.json`; `asked` is every request so far, the CDN's as `cdn /…`.
    """

    def __init__(self) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.models: dict[str, Model] = {}
        self.files: dict[str, bytes] = {}
        self.faults = Faults()
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._servers = [_Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self, "cdn": c})) for c in (0, 1)]
        self.url, self.cdn_url = (f"http://127.0.0.1:{each.server_address[1]}" for each in self._servers)

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, dataset: Dataset) -> Dataset:
        self.datasets[dataset.id] = dataset
        return dataset

    def add_model(self, model: Model) -> Model:
        self.models[model.id] = model
        return model

    def variables(self) -> dict[str, str]:
        """What points the commands here."""
        return {"HF_ENDPOINT": self.url, "ML_RESEARCH_VIEWER_URL": self.url}

    def answer(self, asked: Asked) -> Answer:
        for pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, asked.place)
            if found:
                return handler(self, asked, *map(unquote, found.groups()))
        return _error(404, "Entry not found", "EntryNotFound")

    def model(self, asked: Asked, name: str, revision: str = "main") -> Answer:
        model = self._open_model(name, asked)
        if isinstance(model, Answer):
            return model
        if not model.holds(revision):
            return _error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return _json(model.record(asked.query.get("blobs") == "true"))

    def model_file(self, asked: Asked, name: str, revision: str, path: str) -> Answer:
        """Weights come from the CDN, small files from here."""
        model = self._open_model(name, asked)
        if isinstance(model, Answer):
            return model
        if not model.is_open_to(asked.token):
            told = f"Access to model {name} is restricted."
            return _error(403 if asked.token else 401, told, "GatedRepo")
        if path not in model.files or not model.holds(revision):
            return _error(404, "Entry not found", "EntryNotFound")
        if path.endswith(".safetensors"):
            return Answer(302, b"", {"location": f"{self.cdn_url}/weights/{name}/{path}"})
        return Answer(200, model.files[path], {})

    def hardware(self, asked: Asked) -> Answer:
        return _json(listing())

    def _open_model(self, name: str, asked: Asked) -> Model | Answer:
        model = self.models.get(name)
        if model is None or (model.private and not model.is_open_to(asked.token)):
            if asked.token:
                return _error(404, "Repository not found", "RepoNotFound")
            return _error(401, "Invalid username or password.", "RepoNotFound")
        return model

    def _open(self, name: str, asked: Asked) -> Dataset | Answer:
        """The data set, when this caller may know of it."""
        dataset = self.datasets.get(name)
        if dataset is None or (dataset.private and not dataset.is_open_to(asked.token)):
            if asked.token:
                return _error(404, "Repository not found", "RepoNotFound")
            return _error(401, "Invalid username or password.", "RepoNotFound")
        return dataset

    def record(self, asked: Asked, name: str) -> Answer:
        found = self._open(name, asked)
        return found if isinstance(found, Answer) else _json(found.record())

    def converted(self, asked: Asked, name: str) -> Answer:
        found = self._open(name, asked)
        if isinstance(found, Answer):
            return found
        return _json(found.converted(self.url)) if found.is_open_to(asked.token) else _gated(name)

    def file(self, asked: Asked, name: str, revision: str, path: str) -> Answer:
        found = self._open(name, asked)
        if isinstance(found, Answer):
            return found
        if not found.is_open_to(asked.token):
            return _gated(name)
        if revision == "main":  # what the owner pushed, before any conversion
            split = re.fullmatch(r"data/(.+)-00000\.parquet", path)
            path = f"default/{split[1]}/0000.parquet" if split else path
        return self._redirect(found, path)

    def numbered(self, asked: Asked, name: str, config: str, folder: str) -> Answer:
        found = self._open(name, asked)
        return found if isinstance(found, Answer) else self._redirect(found, f"{config}/{folder}/0000.parquet")

    def _redirect(self, dataset: Dataset, path: str) -> Answer:
        if path not in dataset.files:
            return _error(404, "Entry not found", "EntryNotFound")
        return Answer(302, b"", {"location": f"{self.cdn_url}/blob/{dataset.id}/{path}"})

    def blob(self, asked: Asked) -> bytes | None:
        """What the CDN holds at a place."""
        weights = re.fullmatch(r"cdn /weights/([^/]+/[^/]+)/(.+)", asked.place)
        if weights:
            return self.models[weights[1]].files.get(weights[2])
        found = re.fullmatch(r"cdn /blob/([^/]+/[^/]+)/(.+)", asked.place)
        return self.datasets[found[1]].files.get(found[2]) if found else None

    def viewer(self, asked: Asked, what: str) -> Answer:
        name = asked.query.get("dataset", "")
        dataset = self.datasets.get(name)
        if dataset is None or not dataset.is_open_to(asked.token):
            code = "ExternalAuthenticatedError" if asked.token else "ExternalUnauthenticatedError"
            return _error(404 if asked.token else 401, "The dataset does not exist, or is not accessible", code)
        if dataset.viewer == "busy":
            return _error(500, "The server is busier than usual", "ResponseNotReadyError")
        if dataset.viewer == "off":
            return _error(501, "The viewer is disabled", "DatasetInBlockListError")
        config, split = asked.query.get("config"), asked.query.get("split")
        if what != "splits" and (config is None or config not in dataset.configs):
            return _error(404, "Not found.", "ResponseNotFound")
        return self._told(dataset, what, asked, str(config), str(split))

    def _told(self, dataset: Dataset, what: str, asked: Asked, config: str, split: str) -> Answer:
        if what == "splits":
            return _json(dataset.split_list(asked.query.get("config")))
        if what == "parquet":
            return _json(dataset.parquet_files(config, self.url))
        if what in ("rows", "first-rows"):
            offset, length = int(asked.query.get("offset", 0)), int(asked.query.get("length", 100))
            return _json(dataset.rows(config, split, offset, min(100, length)))
        if what == "statistics":
            return _json(dataset.statistics(config, split))
        return _json({"info": dataset.info, "size": dataset.sizes}[what](config))


_NAME = r"([^/]+/[^/]+)"
_ROUTES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    (f"/api/datasets/{_NAME}(?:/revision/[^/]+)?", HubServer.record),
    (f"/api/datasets/{_NAME}/parquet", HubServer.converted),
    (f"/api/datasets/{_NAME}/parquet/([^/]+)/([^/]+)/0.parquet", HubServer.numbered),
    (f"/datasets/{_NAME}/resolve/([^/]+)/(.+)", HubServer.file),
    (f"/api/models/{_NAME}", HubServer.model),
    (f"/api/models/{_NAME}/revision/([^/]+)", HubServer.model),
    (f"/{_NAME}/resolve/([^/]+)/(.+)", HubServer.model_file),
    ("/api/jobs/hardware", HubServer.hardware),
    (r"/(splits|info|size|parquet|rows|first-rows|statistics)", HubServer.viewer),
)


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})


def _error(status: int, told: str, code: str) -> Answer:
    headers = {"content-type": "application/json", "x-error-code": code, "x-error-message": told}
    return Answer(status, json.dumps({"error": told}).encode(), headers)


def _gated(name: str) -> Answer:
    told = f"Access to dataset {name} is restricted and you are not in the authorized list."
    return _error(403, told, "GatedRepo")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    cdn: int
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        asked = Asked(f"cdn {place.path}" if self.cdn else place.path, query, headers)
        self.hub.asked.append(asked)
        fault = self.hub.faults.take(f"GET {asked.place}")
        if fault is not None:
            self._fail(fault)
        elif self.cdn or asked.place in self.hub.files:
            self._file(self.hub.files.get(asked.place) if not self.cdn else self.hub.blob(asked))
        else:
            self._send(self.hub.answer(asked))

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "status":
            headers = {"content-type": "application/json", **fault.headers}
            body = {"error": fault.error} if fault.body is None else fault.body
            return self._send(
                Answer(fault.status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
            )
        if fault.kind == "cut_stream":  # half an answer
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"splits": [')
        if fault.kind == "hang":
            self.hub.closing.wait(fault.seconds)
        self.close_connection = True

    def _file(self, data: bytes | None) -> None:
        """A file, or the range of it that was asked for."""
        if data is None:
            return self._send(_error(404, "Entry not found", "EntryNotFound"))
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if span is None:
            return self._send(Answer(200, data, {}))
        begin, end = int(span[1]), min(int(span[2]), len(data) - 1)
        self._send(Answer(206, data[begin : end + 1], {"content-range": f"bytes {begin}-{end}/{len(data)}"}))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
