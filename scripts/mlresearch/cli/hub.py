"""hub.py: look at repositories on the Hub, and write to them inside the envelope.

A write is checked against the approved program before any request. Without a program here it takes one repository,
and the hook has asked a person.
"""

from __future__ import annotations

import os
import time
from typing import Any

from mlresearch import envelope, seal, store
from mlresearch.cli import Answer, main, table
from mlresearch.errors import BackendError, EnvelopeBreach, Unavailable, UsageError, shown
from mlresearch.options import Values
from mlresearch.sources import code_text, hub_files, hub_files_commit
from mlresearch.sources.hub_files import Repo
from mlresearch.sources.hub_files_commit import Change

PLACEHOLDERS = frozenset(
    {"user", "username", "your-username", "your-name", "your-org", "my-org", "owner", "namespace", "org", "example"}
)


def list_(values: Values) -> Answer:
    repo = _repo(values)
    found = hub_files.listing(repo, values.text("revision"), values.text("path"))
    data = {"repo": repo.id, "type": repo.kind, "count": len(found.entries), "files": found.entries}
    rows = [[str(each["size"]), each["path"]] for each in found.entries]
    cut = [f"… more than {len(rows)} files; choose a folder with --path"] if found.is_cut else []
    return Answer({**data, "truncated": found.is_cut}, "\n".join([table(rows, ["bytes", "path"]), *cut]))


def read(values: Values) -> Answer:
    repo, path, span = _repo(values), values.need("path"), code_text.span(values.text("lines"))
    found = hub_files.read(repo, path, values.text("revision"))
    data: dict[str, Any] = {"repo": repo.id, "path": path, "size": found.size, "url": found.url}
    if found.text is None:
        data |= {"text": None, "what": found.what}
        return Answer(data, f"{path}: {found.size} bytes, {found.what}")
    if span is not None and found.is_cut and span[0] > len(found.text.splitlines()):
        told = f"line {span[0]} lies beyond the first {hub_files.MOST_BYTES} bytes of {path}"
        raise Unavailable(told, next_step="a job or a script reads the rest with hf_hub_download")
    part = code_text.lines(found.text, span)
    cut = [f"(only the first {hub_files.MOST_BYTES} of {found.size} bytes were read)"] if found.is_cut else []
    data |= {**part.data(), "truncated": part.is_cut or found.is_cut}
    return Answer(data, "\n".join([part.numbered(), *cut]))


def upload(values: Values) -> Answer:
    repo = _repo(values)
    root = _permit(repo, is_delete=False)
    files = hub_files_commit.gather(values.many("path"), values.text("to"), root)
    return _done(repo, hub_files_commit.upload(repo, files, values.flag("as_pr")), "uploaded")


def delete(values: Values) -> Answer:
    repo = _repo(values)
    _permit(repo, is_delete=True)
    return _done(repo, hub_files_commit.delete(repo, values.many("path"), values.flag("as_pr")), "deleted")


def _repo(values: Values) -> Repo:
    return hub_files.check_repo(values.need("repo_id"), values.text("repo_type"))


def _permit(repo: Repo, is_delete: bool) -> str | None:
    """The project whose approved program allows it, None where none is; raises SealError or EnvelopeBreach."""
    owner, _, name = repo.id.partition("/")
    if not name or owner.casefold() in PLACEHOLDERS:
        raise UsageError(f"--repo-id is {shown(repo.id)}", "the real owner and name")
    root = seal.open_root(os.getcwd()) or _session_root()
    if root is None:
        return None
    approved = seal.require(root, time.time()).envelope
    if not envelope.repo_allowed(approved, repo.id):
        allowed = ", ".join(approved.output_repos) or "none"
        raise EnvelopeBreach(f"output_repos: asked {repo.id}", allowed, "a person approves another program.md")
    if is_delete and not approved.allow_deletes:
        raise EnvelopeBreach("allow_deletes: false", "no delete", "a person approves another program.md")
    return os.path.realpath(root)


def _session_root() -> str | None:
    """The campaign that this session is bound to while it is open: leaving its folder does not leave its seal."""
    root = store.session_root(os.environ.get("CLAUDE_CODE_SESSION_ID", ""))
    return root if root is not None and seal.load(root) is not None else None


def _done(repo: Repo, change: Change, did: str) -> Answer:
    if change.ignored:
        told = f"the repository's .gitignore kept out {', '.join(change.ignored)}"
        raise BackendError(told, "other names", "the other files are there; change .gitignore or the names")
    data = {
        "repo": repo.id,
        "type": repo.kind,
        "changed": change.is_new,
        "commit": change.commit,
        "url": change.url,
        "files": change.files,
        "absent": change.absent,
        "created_private": change.is_created,
    }
    lines = [f"{did} {len(change.files)} in {repo.id}: {change.url}" if change.is_new else "nothing to change"]
    lines += [f"not there: {name}" for name in change.absent]
    return Answer(data, "\n".join([*lines, *(["the repository is new, and private"] if change.is_created else [])]))


HANDLERS = {
    "list": list_,
    "read": read,
    "upload": upload,
    "delete": delete,
}


def run(argv: list[str] | None = None) -> int:
    return main("hub.py", HANDLERS, argv)
