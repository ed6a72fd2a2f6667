"""Writes to a repository on the Hub: one commit or one pull request a call, through huggingface_hub.

A new repository is private. The same files again make no second commit, and no second pull request while the first
is open: the client compares them with what the Hub has, and a pull request carries a digest of its content in its
title. Each commit names the one it follows, so that it fails rather than writes over somebody else's. Refuses files in
which a secret stands, and to follow a redirect. Whether a repository may be written is for the caller to ask.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from mlresearch import redact
from mlresearch.errors import BackendError, NotFound, Refused, ResearchError, Unavailable, UsageError, shown
from mlresearch.sources.hosts import HUB, key_of
from mlresearch.sources.hub_files import Repo, check_path
from mlresearch.sources.web import limit_seconds

MOST_FILES = 1000
# held in memory, so that what was looked through is what is sent
MOST_HELD = 16 * 1024 * 1024
_STEP = 1024 * 1024
# files whose use is to hold a secret, whatever it looks like
_KEEPERS = frozenset({".env", ".netrc", ".git-credentials", ".pypirc", "id_rsa", "id_ed25519", "credentials.json"})
_PASSING = (408, 425, 429)
_AGAIN = "call it again: files that arrived make no second commit"


@dataclass(frozen=True)
class File:
    """A file here and its place in the repository."""

    local: Path
    place: str


@dataclass(frozen=True)
class Change:
    """`is_new` is false when the Hub had it all already; `absent` were not there to delete, `ignored` not taken."""

    is_new: bool
    commit: str
    url: str
    files: list[str]
    absent: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    is_created: bool = False


def gather(paths: Sequence[str], to: str | None, root: str | None) -> list[File]:
    """Every file that the paths name, with its place; raises UsageError, or Refused for one outside `root`."""
    base = (to or "").rstrip("/")
    if base:
        check_path(base)
    found: list[File] = []
    for text in paths:
        top = Path(text)
        if top.is_dir():
            inside = sorted(each for each in top.rglob("*") if each.is_file() and ".git" not in each.parts)
            found += [File(each, "/".join(filter(None, (base, each.relative_to(top).as_posix())))) for each in inside]
        elif top.is_file():
            is_name = bool(base) and len(paths) == 1 and to is not None and not to.endswith("/")
            found.append(File(top, base if is_name else "/".join(filter(None, (base, top.name)))))
        else:
            raise UsageError(f"--path {shown(text)} is no file or folder here", "paths that exist")
    _check_files(found, root)
    return found


def _check_files(found: Sequence[File], root: str | None) -> None:
    places = [each.place for each in found]
    if not found or len(found) > MOST_FILES:
        raise UsageError(f"{len(found)} files are named", f"1 to {MOST_FILES}; upload a folder in parts")
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise UsageError(f"two files would be {shown(twice)}", "one file for each place; use --to")
    for each in found:
        check_path(each.place)
        if root is not None and not each.local.resolve().is_relative_to(root):
            raise Refused(f"{each.local} lies outside {root}", "files of the project", "copy it under work/ first")


def upload(repo: Repo, files: Sequence[File], as_pr: bool) -> Change:
    """One commit with the files; makes a private repository first where there is none."""
    key = _token()
    loaded = [(each, _looked_through(each, key)) for each in files]
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(each.place, content) for each, content in loaded]
    digest = hashlib.sha256(json.dumps([[each.place, _sha256(each, body)] for each, body in loaded]).encode())
    names = [each.place for each in files]
    with _client(key, f"uploading to {repo.id}") as api:
        head, is_created = _head(api, repo, can_create=not as_pr)
        change = _commit(api, repo, head, operations, f"Upload {_counted(names)}", digest.hexdigest()[:16], as_pr)
    ignored = [each.path_in_repo for each in operations if getattr(each, "_should_ignore", False)]
    return Change(change[0], change[1], change[2], names, ignored=ignored, is_created=is_created)


def delete(repo: Repo, paths: Sequence[str], as_pr: bool) -> Change:
    """One commit without the files; those that are not there are told, and none of them makes a commit."""
    names = list(dict.fromkeys(map(check_path, paths)))
    key = _token()
    from huggingface_hub import CommitOperationDelete

    with _client(key, f"deleting from {repo.id}") as api:
        head, _ = _head(api, repo, can_create=False)
        held = api.list_repo_files(repo.id, repo_type=repo.kind, revision=head)
        there = [name for name in names if any(_covers(name, file) for file in held)]
        absent = [name for name in names if name not in there]
        if not there:
            return Change(False, head, repo.page, [], absent)
        operations = [CommitOperationDelete(name, is_folder=name.endswith("/")) for name in there]
        digest = hashlib.sha256(json.dumps(there).encode()).hexdigest()[:16]
        change = _commit(api, repo, head, operations, f"Delete {_counted(there)}", digest, as_pr)
    return Change(*change, there, absent)


def _covers(name: str, file: str) -> bool:
    return file.startswith(name) if name.endswith("/") else file == name


def _counted(names: Sequence[str]) -> str:
    return f"{names[0]}" if len(names) == 1 else f"{len(names)} files"


def _token() -> str:
    key = key_of(HUB)
    if not key:
        raise BackendError("there is no token of the Hub here", "HF_TOKEN, or a login", "a person runs hf auth login")
    return key


def _looked_through(file: File, key: str) -> bytes | Path:
    """The file's bytes, or its path when it is large; raises Refused when a secret stands in it."""
    if {file.local.name, file.place.rpartition("/")[2]} & _KEEPERS or file.local.suffix in (".pem", ".key"):
        raise _secret(file)
    if file.local.stat().st_size > MOST_HELD:
        if any(key.encode() in part for part in _parts(file.local, len(key))):
            raise _secret(file)
        return file.local
    body = file.local.read_bytes()
    is_text = b"\0" not in body[:8192]
    # a table of weights looks like anything; only the token itself is looked for there
    finds = redact.from_environment(also=[key]).finds if is_text else (lambda text: key in text)
    if finds(body.decode("utf-8", "replace")):
        raise _secret(file)
    return body


def _parts(path: Path, overlap: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        before = b""
        while part := file.read(_STEP):
            yield before + part
            before = part[-overlap:]


def _secret(file: File) -> Refused:
    told = f"{file.local} holds what looks like a token or a password"
    return Refused(told, "files without secrets", "take it out; where it was ever shown, a person renews it")


def _sha256(file: File, content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with file.local.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _head(api: Any, repo: Repo, can_create: bool) -> tuple[str, bool]:
    """The commit that the next one follows, and whether the repository was made just now."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return str(api.repo_info(repo.id, repo_type=repo.kind).sha), False
    except RepositoryNotFoundError as error:
        if error.response.status_code != 404:
            raise
    if not can_create:
        told = f"{repo.told} is not on the Hub, or this token does not see it"
        raise NotFound(told, next_step="check --repo-id and --repo-type")
    if repo.kind == "space":
        raise NotFound(f"{repo.told} is not on the Hub", next_step="a person makes the Space first: it can cost money")
    api.create_repo(repo.id, repo_type=repo.kind, private=True, exist_ok=True)
    return str(api.repo_info(repo.id, repo_type=repo.kind).sha), True


def _commit(
    api: Any, repo: Repo, head: str, operations: Sequence[object], does: str, digest: str, as_pr: bool
) -> tuple[bool, str, str]:
    """Whether it is new, the commit, and its address or that of the pull request."""
    title = f"{does} [{digest}]" if as_pr else does
    if as_pr:
        for each in api.get_repo_discussions(
            repo.id, repo_type=repo.kind, discussion_type="pull_request", discussion_status="open"
        ):
            if each.title == title:
                return False, head, f"{repo.page}/discussions/{each.num}"
    done = api.create_commit(
        repo.id, operations, commit_message=title, repo_type=repo.kind, parent_commit=head, create_pr=as_pr
    )
    return done.oid != head, str(done.oid), str(done.pr_url or done.commit_url)


class _Transport(httpx2.HTTPTransport):
    """Bounds each exchange, and ends the client's own tries again: its calls take no time limit, or sleep on a 429."""

    def __init__(self, limit_s: float, doing: str, key: str) -> None:
        super().__init__(proxy=_proxy())
        self._timeout, self._doing, self._clean = httpx2.Timeout(limit_s), doing, redact.from_environment(also=[key])

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions = {**request.extensions, "timeout": self._timeout.as_dict()}
        try:
            response = super().handle_request(request)
            response.read()
        except httpx2.TransportError as error:
            raise Unavailable(f"{self._doing}: no answer ({type(error).__name__})", next_step=_AGAIN) from None
        if response.status_code in _PASSING or response.status_code >= 500:
            said = self._clean(" ".join(response.text.split()))[:200]
            told = f"{self._doing}: the Hub answered {response.status_code} ({said})"
            raise Unavailable(told, next_step=_AGAIN)
        return response


def _proxy() -> str | None:
    """The proxy that the environment names for the Hub; a transport of one's own does not look."""
    place = urlsplit(HUB.base)
    return None if proxy_bypass(place.hostname or "") else getproxies().get(place.scheme)


@contextmanager
def _client(key: str, doing: str) -> Iterator[Any]:
    """The Hub's client with an end to every call and no redirects; raises our errors instead of its own."""
    import huggingface_hub
    from huggingface_hub.utils._http import hf_request_event_hook
    from huggingface_hub.utils.tqdm import disable_progress_bars

    transport, hooks = _Transport(limit_seconds(), doing, key), {"request": [hf_request_event_hook]}
    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=transport, event_hooks=hooks))
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the client, about metadata: the Hub's page shows the same
            yield huggingface_hub.HfApi(endpoint=HUB.base, token=key, library_name="ml-research")
    except ResearchError:
        raise
    except Exception as error:
        raise _translated(error, doing, key) from None


def _translated(error: Exception, doing: str, key: str) -> ResearchError:
    clean = redact.from_environment(also=[key])
    response = getattr(error, "response", None)
    if response is None:
        why = clean(" ".join(str(error).split()))[:200]
        if isinstance(error, ValueError) and not isinstance(
            error, json.JSONDecodeError
        ):  # the client's own checks, such as of a model card's head
            return BackendError(f"{doing}: {why}", next_step="mend that, then call it again")
        return Unavailable(f"{doing}: no answer that can be read ({type(error).__name__}: {why})", next_step=_AGAIN)
    status = int(response.status_code)
    said = clean(" ".join(str(getattr(error, "server_message", None) or "").split()))[:200]
    told = f"{doing}: the Hub answered {status}" + (f" ({said})" if said else "")
    if status in (409, 412):
        return Unavailable(f"{told}: the repository changed meanwhile", next_step="look at it, then call it again")
    if 300 <= status < 400:
        return Unavailable(f"{told}, a redirect, which no write follows", next_step="check --repo-id: renamed?")
    if status == 404:
        return NotFound(told, next_step="check --repo-id and --repo-type")
    return BackendError(told, "a token with the right to write this repository", "a person gives it one")
