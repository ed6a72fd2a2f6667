"""What a repository on the Hub holds: its files with sizes, and one file's text, through bounded calls.

Refuses to tell a missing repository from a hidden one where the Hub does not, and to show bytes that are no text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlresearch.errors import NotFound, Unavailable, UsageError, shown
from mlresearch.sources import code_text, web
from mlresearch.sources.hosts import HUB, key_of
from mlresearch.sources.reply import LATER, Reply, checked

MOST_BYTES = 4 * 1024 * 1024
MOST_PAGES = 10
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
# what to look at such a file with
_KINDS = {
    "parquet": "a parquet table: inspect_dataset.py show --dataset {repo}",
    "arrow": "an Arrow table: inspect_dataset.py show --dataset {repo}",
    "safetensors": "weights: inspect_model.py",
    "bin": "weights of PyTorch, or other bytes",
    "gguf": "weights in GGUF",
}


@dataclass(frozen=True)
class Repo:
    """A repository by its id and kind: model, dataset or space."""

    id: str
    kind: str

    @property
    def api(self) -> str:
        return f"{HUB.base}/api/{self.kind}s/{self.id}"

    @property
    def page(self) -> str:
        return f"{HUB.base}/{'' if self.kind == 'model' else self.kind + 's/'}{self.id}"

    @property
    def told(self) -> str:
        return f"the {self.kind} repository {self.id}"


@dataclass(frozen=True)
class Listing:
    """`is_cut` when the repository holds more than is listed."""

    entries: list[dict[str, Any]]
    is_cut: bool


@dataclass(frozen=True)
class Text:
    """A file's text, or None and `what` it is instead. `size` in bytes; `is_cut` when only its beginning was read."""

    text: str | None
    size: int
    is_cut: bool
    url: str
    what: str = ""


def check_repo(name: str, kind: str | None) -> Repo:
    if not _ID.fullmatch(name) or len(name) > 200 or ".." in name or "--" in name:
        raise UsageError(f"--repo-id is {shown(name)}", "owner/name")
    return Repo(name, kind or "model")


def check_path(path: str) -> str:
    """A path inside a repository, with its slash at the end where it has one; raises UsageError."""
    parts = path.removesuffix("/").split("/")
    if len(path) > 500 or any(part in ("", ".", "..") for part in parts) or any(ord(letter) < 32 for letter in path):
        raise UsageError(f"--path is {shown(path)}", "a path from the repository's top, such as data/train.csv")
    return path


def listing(repo: Repo, revision: str | None, path: str | None) -> Listing:
    """Every file under a path with its size in bytes. Raises NotFound, or Unavailable where access is missing."""
    under = "/" + quote(check_path(path).rstrip("/")) if path else ""
    page = f"{repo.api}/tree/{_revision(revision)}{under}?recursive=true&expand=false"
    entries: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        reply = _ask(repo, page, path)
        entries += [_entry(each) for each in _rows(reply) if each["type"] == "file"]
        further = _NEXT.search(reply.headers.get("link", ""))
        if further is None:
            return Listing(entries, False)
        if not further[1].startswith(f"{HUB.base}/"):
            raise Unavailable(f"the listing of {repo.id} goes on at another host", next_step=LATER)
        page = further[1]
    return Listing(entries, True)


def _rows(reply: Reply) -> list[dict[str, Any]]:
    found = reply.json()
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and {"type", "path"} <= set(each) for each in found
    ):
        raise Unavailable("the Hub's list of files has another form than expected", next_step=LATER)
    return found


def _entry(found: dict[str, Any]) -> dict[str, Any]:
    stored = found.get("lfs")
    oid = stored.get("oid") if isinstance(stored, dict) else found.get("oid")
    return {"path": str(found["path"]), "size": int(found.get("size") or 0), "oid": str(oid or "")}


def read(repo: Repo, path: str, revision: str | None) -> Text:
    """The beginning of a file, at most MOST_BYTES, as text where it is some. Raises as `listing` does."""
    name = check_path(path)
    url = f"{repo.page}/resolve/{_revision(revision)}/{quote(name)}"
    reply = _ask(repo, url, path, {"Range": f"bytes=0-{MOST_BYTES - 1}", "Accept-Encoding": "identity"})
    told = re.search(r"/(\d+)$", reply.headers.get("content-range", ""))
    body = b"" if reply.status == 416 else reply.body
    size = int(told[1]) if told else len(body)
    shown_at = f"{repo.page}/blob/{_revision(revision)}/{quote(name)}"
    return Text(code_text.readable(name, body), size, size > len(body), shown_at, _what(repo, name))


def _what(repo: Repo, path: str) -> str:
    suffix = path.rpartition(".")[2].casefold()
    return _KINDS.get(suffix, f"bytes that are no text (.{suffix})").format(repo=repo.id)


def _revision(revision: str | None) -> str:
    if revision is not None and (not revision or ".." in revision or any(ord(letter) < 33 for letter in revision)):
        raise UsageError(f"--revision is {shown(revision)}", "a branch, tag or commit")
    return quote(revision or "main", safe="")


def _ask(repo: Repo, url: str, path: str | None, headers: dict[str, str] | None = None) -> Reply:
    # a server that does not know ranges sends the whole file: taken while it is not much larger
    reply = web.ask(HUB, url, headers=headers, most_bytes=2 * MOST_BYTES)
    if reply.status in (401, 404):
        raise _absent(repo, path, reply)
    if reply.status == 403:
        token = "the token in use has no access" if key_of(HUB) else "no token is set"
        raise Unavailable(f"{repo.told} is closed: {token}", next_step=f"a person asks for access at {repo.page}")
    return reply if reply.status == 416 else checked(reply, key_of(HUB))


def _absent(repo: Repo, path: str | None, reply: Reply) -> NotFound:
    code = reply.headers.get("x-error-code", "")
    if code == "RevisionNotFound":
        return NotFound(f"{repo.told} has no such revision", next_step="leave --revision away")
    if path and (code == "EntryNotFound" or (reply.status == 404 and code != "RepoNotFound")):
        step = f"hub.py list --repo-id {repo.id} --repo-type {repo.kind}"
        return NotFound(f"{repo.told} has no {shown(path)}", next_step=step)
    hidden = "" if key_of(HUB) else ", or it is private: no token is set"
    told = f"{repo.told} is not on the Hub{hidden}"
    return NotFound(told, next_step="check --repo-id and --repo-type; do not take another in its place without asking")
