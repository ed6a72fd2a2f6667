"""Where each source is, how often it may be asked, and which address may have its key. Refuses to guess a host.

Every address can be replaced by an environment variable. A key goes to the origin (scheme, host, port) of its source
and nowhere else; the Hugging Face token also to https hosts of huggingface.co, as long as HF_ENDPOINT is not replaced.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlresearch.errors import UsageError, shown

HUGGING_FACE = "huggingface.co"
_LOOPBACK = re.compile(r"::1|127(?:\.\d{1,3}){3}")


@dataclass(frozen=True)
class Key:
    """An optional key: the variables it may stand in, best first, and the header that carries it."""

    variables: tuple[str, ...]
    header: str
    prefix: str = ""


HF_KEY = Key(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), "Authorization", "Bearer ")
GITHUB_KEY = Key(("GITHUB_TOKEN", "GH_TOKEN"), "Authorization", "Bearer ")


@dataclass(frozen=True)
class Source:
    """One service.

    `interval_s` is the least time between two requests of all processes; `ttl_s` how long an answer is kept.
    """

    name: str
    variable: str
    address: str
    interval_s: float = 0.0
    key: Key | None = None
    ttl_s: float = 24 * 3600.0

    @property
    def base(self) -> str:
        """The address in force, without a slash at its end; raises UsageError when the variable holds none."""
        given = (os.environ.get(self.variable) or self.address).rstrip("/")
        if urlsplit(given).scheme not in ("http", "https") or not urlsplit(given).hostname:
            raise UsageError(f"{self.variable} is {shown(given)}", "an http or https address", f"unset {self.variable}")
        return given

    @property
    def is_replaced(self) -> bool:
        return origin(self.base) != origin(self.address)


HUB = Source("Hugging Face", "HF_ENDPOINT", "https://huggingface.co", key=HF_KEY, ttl_s=6 * 3600.0)
# arXiv's terms of use: one request every three seconds, one connection, over all machines of a user
ARXIV_API = Source("arXiv", "ML_RESEARCH_ARXIV_URL", "https://export.arxiv.org", interval_s=3.0)
ARXIV_PAGES = Source("arXiv", "ML_RESEARCH_ARXIV_PAGES_URL", "https://arxiv.org", interval_s=3.0, ttl_s=7 * 24 * 3600.0)
# a key allows one request a second over all endpoints; without one the pool is shared and 429 is common
S2 = Source(
    "Semantic Scholar",
    "ML_RESEARCH_S2_URL",
    "https://api.semanticscholar.org",
    interval_s=1.0,
    key=Key(("S2_API_KEY", "SEMANTIC_SCHOLAR_API_KEY"), "x-api-key"),
)
OPENALEX = Source(
    "OpenAlex",
    "ML_RESEARCH_OPENALEX_URL",
    "https://api.openalex.org",
    interval_s=0.2,
    key=Key(("OPENALEX_API_KEY",), "Authorization", "Bearer "),
)
# its search of code allows ten requests a minute, all else five thousand an hour with a token and sixty without
GITHUB = Source("GitHub", "ML_RESEARCH_GITHUB_URL", "https://api.github.com", key=GITHUB_KEY, ttl_s=3600.0)
GITHUB_SEARCH = Source(
    "GitHub search", "ML_RESEARCH_GITHUB_URL", "https://api.github.com", interval_s=6.0, key=GITHUB_KEY, ttl_s=3600.0
)
GITHUB_RAW = Source("GitHub", "ML_RESEARCH_GITHUB_RAW_URL", "https://raw.githubusercontent.com", ttl_s=3600.0)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises UsageError for an address whose port is none."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise UsageError(f"{shown(url)} has no valid port", "an http or https address") from None
    return parts.scheme, (parts.hostname or "").lower(), port


def key_of(source: Source) -> str:
    """The key, or an empty text when the user has none; never printed."""
    if source.key is None:
        return ""
    for variable in source.key.variables:
        if os.environ.get(variable, "").strip():
            return os.environ[variable].strip()
    if source.key is GITHUB_KEY:
        return _gh_token() if not source.is_replaced or is_loopback(source.base) else ""
    return _saved_token() if source.key is HF_KEY else ""


def key_headers(source: Source, url: str) -> dict[str, str]:
    """The header with the source's key when `url` may have it, else none."""
    key = key_of(source) if source.key is not None and may_have_key(source, url) else ""
    return {source.key.header: source.key.prefix + key} if source.key is not None and key else {}


def may_have_key(source: Source, url: str) -> bool:
    if origin(url) == origin(source.base):
        return True
    scheme, host, _ = origin(url)
    is_hub = host == HUGGING_FACE or host.endswith("." + HUGGING_FACE)
    return source.key is HF_KEY and not source.is_replaced and is_hub and scheme == "https"


def is_loopback(url: str) -> bool:
    host = origin(url)[1]
    return host == "localhost" or _LOOPBACK.fullmatch(host) is not None


def _saved_token() -> str:
    import huggingface_hub

    return huggingface_hub.get_token() or ""


@functools.cache
def _gh_token() -> str:
    """The token of GitHub's own command, when it is there and logged in; asked once, since it can take a second."""
    try:
        found = subprocess.run(
            ["gh", "auth", "token", "--hostname", "github.com"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
