"""The Hub's repositories as a client reads and writes them (create, preupload, commit, pull requests, files), and its
documentation.

Small files alone: `uploadMode` is always `regular`, so that neither LFS nor Xet is shown. A commit is kept whole, and
the documentation is recorded in its shapes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from fakes.hub_repos import library
from fakes.table_server import Answer, Asked, told

TOKEN = "hf_" + "Secret0Hub" * 4


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def blob_id(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


@dataclass
class Repo:
    """`commits` are the titles so far; `files` what the last one left. `pinned` names the last commit."""

    id: str
    kind: str = "model"
    private: bool = False
    gated: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["initial commit"])
    pulls: list[str] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    pinned: str = ""

    @property
    def sha(self) -> str:
        return self.pinned or _sha(f"{self.id} {len(self.commits)}")


class HubRepos:
    """All repositories; `answer` is what a TableServer takes. `token` may write where the owner is `owner`."""

    def __init__(self, owner: str = "me", token: str = TOKEN) -> None:
        self.owner, self.token = owner, token
        self.repos: dict[tuple[str, str], Repo] = {}
        self.created: list[dict[str, Any]] = []
        self.page_size = 1000
        self._lock = threading.Lock()

    def add(self, repo: Repo) -> Repo:
        self.repos[repo.kind, repo.id] = repo
        return repo

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            for method, pattern, handler in _ROUTES:
                found = re.fullmatch(pattern, asked.path)
                if found and asked.method == method:
                    return handler(self, asked, *found.groups())
        return library.answer(asked)

    def _open(self, asked: Asked, kind: str, name: str) -> Repo | Answer:
        repo = self.repos.get((kind, name))
        if repo is None or (repo.private and asked.token != self.token):
            return _error(404 if asked.token else 401, "Repository not found", "RepoNotFound")
        return repo

    def info(self, asked: Asked, kind: str, name: str) -> Answer:
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        return told({"_id": "1", "id": repo.id, "sha": repo.sha, "private": repo.private, "siblings": _names(repo)})

    def tree(self, asked: Asked, kind: str, name: str, revision: str, path: str | None) -> Answer:
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        if revision not in ("main", repo.sha):
            return _error(404, "Invalid rev id", "RevisionNotFound")
        under = f"{path}/" if path else ""
        is_whole = asked.query.get("recursive", "").lower() == "true"
        rows = [_row(place, body) for place, body in sorted(repo.files.items()) if place.startswith(under)]
        rows = rows if is_whole else _shallow(rows, under)
        if path and not rows:
            return _error(404, f"{path} does not exist on {revision}", "EntryNotFound")
        start = int(asked.query.get("cursor", 0))
        end = start + self.page_size
        host = f"http://{asked.headers['host']}{asked.path}?recursive=true&cursor={end}"
        more = {"Link": f'<{host}>; rel="next"'} if end < len(rows) else {}
        return told(rows[start:end], 200, more)

    def file(self, asked: Asked, prefix: str | None, name: str, revision: str, path: str) -> Answer:
        repo = self._open(asked, (prefix or "models/").rstrip("s/"), name)
        if isinstance(repo, Answer):
            return repo
        if repo.gated:
            return _error(403, "Access to model is restricted", "GatedRepo")
        if path not in repo.files:
            return _error(404, "Entry not found", "EntryNotFound")
        body = repo.files[path]
        named = {"ETag": f'"{blob_id(body)}"', "X-Repo-Commit": repo.sha}
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if span is None:
            return Answer(body, 200, "application/octet-stream", named)
        if not body:
            return Answer(b"", 416, "text/plain", {"Content-Range": "bytes */0"})
        part = body[int(span[1]) : int(span[2]) + 1]
        end = int(span[1]) + len(part) - 1
        return Answer(part, 206, "text/plain", {**named, "Content-Range": f"bytes {span[1]}-{end}/{len(body)}"})

    def paths(self, asked: Asked, kind: str, name: str, revision: str) -> Answer:
        """Those of the paths that were asked for which exist, as files or as folders."""
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        wanted = json.loads(asked.body) if asked.body.startswith(b"{") else parse_qs(asked.body.decode())
        rows: list[dict[str, Any]] = []
        for path in wanted["paths"]:
            if path in repo.files:
                rows.append(_row(path, repo.files[path]))
            elif any(place.startswith(f"{path}/") for place in repo.files):
                rows.append(_folder(path))
        return told(rows)

    def create(self, asked: Asked) -> Answer:
        given = json.loads(asked.body)
        name, kind = f"{given['organization']}/{given['name']}", given.get("type", "model")
        if asked.token != self.token or given["organization"] != self.owner:
            return _error(403, "You don't have the rights to create here", "Forbidden")
        if (kind, name) in self.repos:
            there = {"error": "You already created this repo", "url": f"https://huggingface.co/{name}"}
            return told(there, 409, {"X-Error-Code": "Conflict", "X-Error-Message": there["error"]})
        self.created.append(given)
        self.add(Repo(name, kind, private=given.get("visibility") == "private"))
        return told({"url": f"https://huggingface.co/{name}", "name": name, "id": "1"})

    def preupload(self, asked: Asked, kind: str, name: str, revision: str) -> Answer:
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        rows = [
            {
                "path": each["path"],
                "uploadMode": "regular",
                "shouldIgnore": each["path"] in repo.ignored,
                "oid": blob_id(repo.files[each["path"]]) if each["path"] in repo.files else None,
            }
            for each in json.loads(asked.body)["files"]
        ]
        return told({"files": rows})

    def commit(self, asked: Asked, kind: str, name: str, revision: str) -> Answer:
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        if asked.token != self.token or not name.startswith(f"{self.owner}/"):
            return _error(403, "Forbidden: you must have write access", "Forbidden")
        lines = [json.loads(line) for line in asked.body.splitlines()]
        header = next(each["value"] for each in lines if each["key"] == "header")
        if header.get("parentCommit") not in (None, repo.sha):
            return _error(412, "A commit has happened since. Please refresh and try again.", "Precondition")
        if asked.query.get("create_pr"):
            repo.pulls.append(header["summary"])
            url = f"https://huggingface.co/{name}/discussions/{len(repo.pulls)}"
            oid = _sha(url)
            place = f"https://huggingface.co/{name}/commit/{oid}"
            return told({"commitUrl": place, "commitOid": oid, "pullRequestUrl": url, "success": True})
        for each in lines:
            _apply(repo.files, each["key"], each["value"])
        repo.commits.append(header["summary"])
        url = f"https://huggingface.co/{name}/commit/{repo.sha}"
        return told({"commitUrl": url, "commitOid": repo.sha, "success": True, "hookOutput": ""})

    def discussions(self, asked: Asked, kind: str, name: str) -> Answer:
        repo = self._open(asked, kind, name)
        if isinstance(repo, Answer):
            return repo
        rows = [
            {
                "num": place,
                "title": title,
                "status": "open",
                "isPullRequest": True,
                "author": {"name": "me"},
                "createdAt": "2026-11-21T10:00:00.000Z",
                "repo": {"name": name, "type": kind},
            }
            for place, title in enumerate(repo.pulls, 1)
        ]
        return told({"discussions": rows, "count": len(rows), "start": 0})

    def yaml(self, asked: Asked) -> Answer:
        if "bad: [" in json.loads(asked.body)["content"]:
            return told({"errors": [{"message": "bad indentation"}], "warnings": []}, 400)
        return told({"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]})


def _row(path: str, body: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(body), "oid": blob_id(body)}


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": _sha(path)}


def _shallow(rows: list[dict[str, Any]], under: str) -> list[dict[str, Any]]:
    """One level: files that lie right there, and each folder once."""
    found = dict[str, dict[str, Any]]()
    for row in rows:
        name, slash, _ = row["path"].removeprefix(under).partition("/")
        found.setdefault(under + name, _folder(under + name) if slash else row)
    return list(found.values())


def _names(repo: Repo) -> list[dict[str, str]]:
    return [{"rfilename": path} for path in repo.files]


def _apply(files: dict[str, bytes], key: str, value: dict[str, Any]) -> None:
    if key == "file":
        files[value["path"]] = base64.b64decode(value["content"])
    elif key == "deletedFile":
        del files[value["path"]]
    elif key == "deletedFolder":
        for path in [path for path in files if path.startswith(value["path"].rstrip("/") + "/")]:
            del files[path]


def _error(status: int, says: str, code: str) -> Answer:
    return told({"error": says}, status, {"X-Error-Code": code, "X-Error-Message": says})


_NAME = r"([^/]+/[^/]+)"
_API = rf"/api/(model|dataset|space)s/{_NAME}"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", rf"{_API}(?:/revision/[^/]+)?", HubRepos.info),
    ("GET", rf"{_API}/tree/([^/]+)(?:/(.+))?", HubRepos.tree),
    ("GET", rf"{_API}/discussions", HubRepos.discussions),
    ("GET", rf"/(datasets/|spaces/)?{_NAME}/resolve/([^/]+)/(.+)", HubRepos.file),
    ("HEAD", rf"/(datasets/|spaces/)?{_NAME}/resolve/([^/]+)/(.+)", HubRepos.file),
    ("POST", rf"{_API}/paths-info/([^/]+)", HubRepos.paths),
    ("POST", r"/api/repos/create", HubRepos.create),
    ("POST", r"/api/validate-yaml", HubRepos.yaml),
    ("POST", rf"{_API}/preupload/([^/]+)", HubRepos.preupload),
    ("POST", rf"{_API}/commit/([^/]+)", HubRepos.commit),
)
