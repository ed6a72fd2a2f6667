"""What the Hub says of a model or data set, in few facts: revision, gated, licence, whether this machine may read it.

Owns the question "is it there", also for addresses that a text cites. It refuses to guess about hosts that it does not
know: those raise Unavailable, which says nothing about what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from mlresearch.errors import NotFound, Unavailable, UsageError
from mlresearch.sources import dataset_hub, hub_record, papers, web
from mlresearch.sources.hosts import GITHUB, HUB
from mlresearch.sources.model_hub import Model
from mlresearch.sources.papers_record import identify
from mlresearch.sources.reply import Reply, checked

_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_PAPER_HOSTS = ("arxiv.org", "www.arxiv.org", "doi.org", "www.semanticscholar.org", "openalex.org")
_CODE_HOSTS = ("github.com", "www.github.com")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".ckpt", ".joblib", ".pkl", ".npz")
_NO_DATA = ("README.md", ".gitattributes")


def model(name: str, revision: str | None = None) -> dict[str, Any] | None:
    """Facts of a model at a revision, None when there is none; raises Unavailable when the Hub does not say."""
    try:
        found = Model(name, revision)
    except (NotFound, UsageError):
        return None
    counts = found.about["safetensors"]
    return {
        "revision": found.about["revision"],
        "gated": bool(found.about["gated"]),
        "access": not found.about["gated"] or _may_read(found),
        "licence": found.about["license"],
        "parameters": sum(counts.values()) or None,
    }


def _may_read(found: Model) -> bool:
    """Whether a file of a gated model can be had; its card is open to all."""
    names = [name for name in found.files if name not in _NO_DATA]
    try:
        return bool(found.part(names[0], 0, 1)) if names else False
    except NotFound:
        return False
    except Unavailable as error:
        if "gated" in error.wrong:
            return False
        raise


def dataset(name: str) -> dict[str, Any] | None:
    """Facts of a data set, None when there is none; raises Unavailable when the Hub does not say."""
    try:
        record = dataset_hub.about(dataset_hub.check_id(name))
    except (NotFound, UsageError):
        return None
    return {
        "revision": record.get("sha"),
        "gated": bool(record.get("gated")),
        "access": not record.get("gated") or _may_read_data(name),
        "licence": hub_record.licence(record),
    }


def _may_read_data(name: str) -> bool:
    try:
        dataset_hub.parquet(name)
    except Unavailable as error:
        if "gated" in error.wrong:
            return False
        raise
    return True


def holds(name: str) -> bool:
    """Whether a repository of that name holds a model's weights, or a data set's rows."""
    if not _REPO.fullmatch(name):
        return False
    try:
        if any(path.endswith(_WEIGHTS) for path in Model(name).files):
            return True
    except (NotFound, UsageError):
        pass
    try:
        record = dataset_hub.about(dataset_hub.check_id(name))
    except (NotFound, UsageError):
        return False
    return any(each.get("rfilename") not in _NO_DATA for each in record.get("siblings") or ())


def exists(kind: str, name: str) -> bool:
    """Whether a paper, model, data set, repository of code or page is there; raises Unavailable when nobody says."""
    if name.startswith(("http://", "https://")):
        return _page(name)
    try:
        if kind == "paper":
            return bool(papers.details(identify(name)).papers)
        if kind in ("model", "dataset"):
            return _repo(kind + "s", name)
        if kind == "code" and _REPO.fullmatch(name):
            return _code(name)
        if kind == "docs":
            return _hub_page(f"docs/{name.removeprefix('docs/').partition('#')[0]}")
    except (NotFound, UsageError):
        return False
    raise Unavailable(f"{name} is not looked up here", next_step="cite it by its address")


def _repo(kinds: str, name: str) -> bool:
    """One that is gated, or private for others, is there too."""
    if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", name) is None:
        return False
    return _is_there(web.ask(HUB, f"{HUB.base}/api/{kinds}/{quote(name)}"), hidden=(401,))


def _code(name: str) -> bool:
    return _is_there(web.ask(GITHUB, f"{GITHUB.base}/repos/{quote(name)}"))


def _is_there(reply: Reply, hidden: tuple[int, ...] = ()) -> bool:
    """401 of the Hub's repositories means to whoever has no token: none that everybody may see."""
    if reply.status in (404, 410, *hidden):
        return False
    if reply.status not in (401, 403):
        checked(reply)
    return True


def _page(url: str) -> bool:
    """A page of a host that is known here, by what its address names; no other host is called."""
    try:
        parts = urlsplit(url)
        host, path = (parts.hostname or "").lower(), parts.path.strip("/")
        if host in _HUB_HOSTS or url.startswith(f"{HUB.base}/"):
            return _hub_page(path)
        if host in _PAPER_HOSTS:
            return bool(papers.details(identify(url)).papers)
        names = path.split("/")
        if host in _CODE_HOSTS and len(names) >= 2:
            return _code(f"{names[0]}/{names[1].removesuffix('.git')}")
    except (NotFound, UsageError, ValueError):  # ValueError: what can be no address
        return False
    raise Unavailable(f"{url} is not looked up here", next_step="open it yourself")


_KINDS: Mapping[str, str] = {"datasets": "datasets", "spaces": "spaces", "models": "models"}


def _hub_page(path: str) -> bool:
    first, _, rest = path.partition("/")
    if first == "papers":
        return bool(papers.details(identify(rest)).papers)
    if first in _KINDS:
        return _repo(_KINDS[first], "/".join(rest.split("/")[:2]))
    if first in ("docs", "blog", "learn"):
        return _is_there(web.ask(HUB, f"{HUB.base}/{quote(path)}"))
    if first in ("jobs", "organizations", "settings", "collections"):
        raise Unavailable(f"huggingface.co/{path} is not looked up here", next_step="open it yourself")
    return _repo("models", "/".join(path.split("/")[:2]))
