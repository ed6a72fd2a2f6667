"""Code on GitHub: search, files and folders, repositories. One way for all: its REST API with a token, where one is.

The token is GITHUB_TOKEN, GH_TOKEN, or that of a logged-in `gh`. Without one, files of public repositories come from
the raw host, which knows no token at all; GitHub's search of code then answers nobody, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlresearch.errors import NotFound, Unavailable, UsageError, shown
from mlresearch.sources import web
from mlresearch.sources.hosts import GITHUB, GITHUB_RAW, GITHUB_SEARCH, key_of
from mlresearch.sources.reply import LATER, Reply

MOST_BYTES = 8 * 1024 * 1024
MOST_FRAGMENT = 700
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
NO_TOKEN = "GitHub searches code only for a user, and neither GITHUB_TOKEN, GH_TOKEN nor a logged-in gh is here"
SET_ONE = (
    "a person runs gh auth login or sets GITHUB_TOKEN; until then use find with --repo, repos and read, or WebSearch"
)
_TEXTS = "application/vnd.github.text-match+json"
_RAW = "application/vnd.github.raw+json"


@dataclass(frozen=True)
class Found:
    """`total` is what the source counts; `note` says how the answer is less than what was asked for."""

    rows: list[dict[str, Any]]
    total: int
    note: str = ""
    age: str = ""


@dataclass(frozen=True)
class Content:
    """A file's bytes, or the entries of a folder; `way` says whether a token was used."""

    body: bytes
    entries: list[dict[str, Any]] | None
    way: str
    url: str
    age: str


def check_repo(name: str) -> str:
    if not _REPO.fullmatch(name) or name.split("/")[1] in (".", ".."):
        raise UsageError(f"{shown(name)} is no repository", "OWNER/NAME")
    return name


def check_path(path: str) -> str:
    """A path inside a repository; raises UsageError for one that leads out of it. A dot is the repository itself."""
    clean = "" if path in (".", "/") else path.strip("/")
    if len(clean) > 1000 or (any(part in ("", ".", "..") for part in clean.split("/")) and clean):
        raise UsageError(f"{shown(path)} is no path in a repository", "a path from its top, such as src/train.py")
    return clean


def find(query: str, repo: str | None, language: str | None, path: str | None, limit: int) -> Found:
    """Files that hold the words. Raises Unavailable without a token, unless `repo` lets their names be searched."""
    if repo is not None:
        check_repo(repo)
    if key_of(GITHUB):
        return _search_code(query, repo, language, path, limit)
    if repo is None:
        raise Unavailable(NO_TOKEN, next_step=SET_ONE)
    found = _by_name(query, repo, path, limit)
    note = f"{NO_TOKEN}; only the names of the files were searched" + (", --language aside" if language else "")
    return Found(found.rows, found.total, note, found.age)


def _search_code(query: str, repo: str | None, language: str | None, path: str | None, limit: int) -> Found:
    limits = {"repo": repo, "language": language, "path": path}
    asked = " ".join([query, *(f"{name}:{_quoted(value)}" for name, value in limits.items() if value)])
    params = {"q": asked, "per_page": limit}
    reply = web.get(GITHUB_SEARCH, "/search/code", params, accept=_TEXTS, check=_items)
    rows = [_hit(each) for each in _items(reply)]
    whole = reply.json()
    note = "GitHub gave up before it had searched everything" if whole.get("incomplete_results") else ""
    return Found(rows[:limit], int(whole.get("total_count") or len(rows)), note, reply.age)


def _quoted(value: str) -> str:
    if '"' in value or "\n" in value:
        raise UsageError(f"{shown(value)} holds a quotation mark", "a plain name or path")
    return f'"{value}"' if " " in value else value


def _items(reply: Reply) -> list[dict[str, Any]]:
    found = reply.json()
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise _strange("search")
    return items


def _hit(found: dict[str, Any]) -> dict[str, Any]:
    repository = found.get("repository")
    matches = found.get("text_matches")
    fragments = [str(each.get("fragment") or "") for each in matches or () if isinstance(each, dict)]
    return {
        "repo": str(repository.get("full_name", "")) if isinstance(repository, dict) else "",
        "path": str(found.get("path", "")),
        "url": str(found.get("html_url", "")),
        "fragments": [each[:MOST_FRAGMENT] for each in fragments if each][:3],
    }


def _by_name(query: str, repo: str, path: str | None, limit: int) -> Found:
    reply = web.get(GITHUB, f"/repos/{repo}/git/trees/HEAD", {"recursive": "1"}, check=_tree)
    under = check_path(path) if path else ""
    words = query.casefold().split()
    names = [
        str(each.get("path", ""))
        for each in _tree(reply)
        if each.get("type") == "blob" and f"{each.get('path')}/".startswith(f"{under}/" if under else "")
    ]
    fitting = [name for name in names if all(word in name.casefold() for word in words)]
    url = f"https://github.com/{repo}/blob/HEAD/"
    rows = [{"repo": repo, "path": name, "url": url + quote(name), "fragments": []} for name in fitting[:limit]]
    return Found(rows, len(fitting), age=reply.age)


def _tree(reply: Reply) -> list[dict[str, Any]]:
    found = reply.json()
    tree = found.get("tree") if isinstance(found, dict) else None
    if not isinstance(tree, list) or not all(isinstance(each, dict) for each in tree):
        raise _strange("list of files")
    return tree


def read(repo: str, path: str, ref: str | None) -> Content:
    """One file's bytes, or what a folder holds. Raises NotFound, which also stands for a private repository."""
    check_repo(repo)
    clean = check_path(path)
    if ref is not None and (not ref.strip() or ".." in ref or any(letter in ref for letter in " ?#\\\0")):
        raise UsageError(f"--ref is {shown(ref)}", "a branch, tag or commit")
    if not key_of(GITHUB) and clean:
        try:
            place = f"/{repo}/{quote(ref or 'HEAD', safe='/')}/{quote(clean)}"
            reply = web.get(GITHUB_RAW, place, accept="*/*", check=len_, most_bytes=MOST_BYTES)
            return Content(reply.body, None, "the raw host, without a token", reply.url, reply.age)
        except NotFound:
            pass  # a folder, or none at all: the API tells which
    return _contents(repo, clean, ref)


def len_(reply: Reply) -> int:
    """Any bytes are a file, also none."""
    return len(reply.body)


def _contents(repo: str, path: str, ref: str | None) -> Content:
    has_token = bool(key_of(GITHUB))
    place = f"/repos/{repo}/contents/{quote(path)}".rstrip("/")
    try:
        reply = web.get(GITHUB, place, {"ref": ref}, accept=_RAW, check=len_, most_bytes=MOST_BYTES)
    except NotFound:
        hidden = "" if has_token else "; a private repository looks the same without a token"
        told = f"GitHub has no {path or '(top folder)'} in {repo}{f' at {ref}' if ref else ''}{hidden}"
        raise NotFound(told, next_step=f"code_search.py read {repo} . names what is there") from None
    way = "the API, with a token" if has_token else "the API, without a token"
    is_listing = "json" in reply.kind and "raw" not in reply.kind
    return Content(reply.body, _entries(reply) if is_listing else None, way, reply.url, reply.age)


def _entries(reply: Reply) -> list[dict[str, Any]] | None:
    """A folder's entries; None for a file that happens to be JSON."""
    found = reply.json()
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and {"path", "type"} <= set(each) for each in found
    ):
        return None
    return [{"path": str(each["path"]), "type": str(each["type"]), "size": each.get("size")} for each in found]


def repositories(query: str, owner: str | None, sort: str, limit: int) -> Found:
    """Repositories by stars or by their last change. Raises Unavailable; NotFound for an owner that is not there."""
    if owner is not None and not _OWNER.fullmatch(owner):
        raise UsageError(f"--org is {shown(owner)}", "an organization or a user")
    asked = " ".join(filter(None, (query, f"user:{owner}" if owner else "")))
    params = {"q": asked, "sort": sort, "order": "desc", "per_page": limit}
    reply = web.get(GITHUB_SEARCH, "/search/repositories", params, check=_items)
    rows = [_repository(each) for each in _items(reply)]
    return Found(rows[:limit], int(reply.json().get("total_count") or len(rows)), age=reply.age)


def _repository(found: dict[str, Any]) -> dict[str, Any]:
    licence = found.get("license")
    return {
        "repo": str(found.get("full_name", "")),
        "stars": int(found.get("stargazers_count") or 0),
        "updated": str(found.get("pushed_at") or found.get("updated_at") or ""),
        "language": str(found.get("language") or ""),
        "license": str(licence.get("spdx_id") or "") if isinstance(licence, dict) else "",
        "archived": found.get("archived") is True,
        "description": str(found.get("description") or ""),
        "url": str(found.get("html_url", "")),
    }


def _strange(what: str) -> Unavailable:
    return Unavailable(f"GitHub's {what} has another form than expected", next_step=LATER)
