"""Requests that a command line sends itself: curl, wget, httpie and their kin against the REST paths of the table."""

from __future__ import annotations

from mlresearch.guard.calls import Finding
from mlresearch.guard.table import matches, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_METHODS = ("POST", "PUT", "PATCH", "DELETE")
_BODIES = (
    "-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json", "-F", "--form", "-T",
    "--upload-file", "--post-data", "--post-file", "--body-data", "--body-file", "--form-string",
)  # fmt: skip
_HTTPIES = ("http", "https", "xh", "xhs", "httpie", "httpx")


def findings(program: str, words: Sequence[str | None]) -> list[Finding]:
    """What a request of this program would do; a request whose address is unknown until run time counts as sending."""
    if program not in table()["rest"]["clients"]:
        return []
    sends = _sends(program, words)
    texts = [word for word in words if word]
    for where in ("paths", "hosts"):
        for kind, patterns in table()["rest"][where].items():
            for text in texts:
                if any(matches(pattern, text) for pattern in patterns) and (
                    sends or (where == "hosts" and kind == "spend")
                ):
                    return [Finding(kind, f"{program} {text[:80]}", "jobs.py submit, or hub.py upload")]
    if any(word in ("-K", "--config") for word in texts):
        return [Finding("dynamic", f"{program} with a config file")]
    if sends and not _is_local(texts):
        return [Finding("send", f"{program} sends data", "the package's own commands")]
    return []


def _sends(program: str, words: Sequence[str | None]) -> bool:
    for place, word in enumerate(words):
        if word is None:
            continue
        flag, _, value = word.partition("=")
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in ("-X", "--request", "--method") and (
            after is None or after.upper() not in ("GET", "HEAD", "OPTIONS")
        ):
            return True
        if flag in ("--request", "--method") and value and value.upper() not in ("GET", "HEAD", "OPTIONS"):
            return True
        if flag in _BODIES or (program == "curl" and _bundled(word, after)):
            return True
        if program in _HTTPIES and (word.upper() in _METHODS or _is_item(word)):
            return True
    return program in ("grpcurl", "websocat")


def _bundled(word: str, after: str | None) -> bool:
    """curl's short options in one word: `-sXPOST`, `-sd @file`; what comes before takes no value."""
    if not word.startswith("-") or word.startswith("--"):
        return False
    rest = word[1:].lstrip("sSfLkvgiIjnNOpqRla#0123456")
    if rest[:1] == "X":
        return (rest[1:] or after or "?").upper() not in ("GET", "HEAD", "OPTIONS")
    return rest[:1] in ("d", "F", "T")


def _is_item(word: str) -> bool:
    """`name=value`, `name:=json` and `name@file` make httpie send a body."""
    name = word.replace(":=", "=").replace("@", "=").partition("=")[0]
    return name != word and name.replace("-", "").replace("_", "").isalnum()


def _is_local(texts: Sequence[str]) -> bool:
    """Whether every address among the words is this machine's."""
    hosts = [_host(text) for text in texts if "://" in text or text.startswith(("localhost", "127.", "[::1]", ":"))]
    return bool(hosts) and all(
        host in ("", "localhost", "0.0.0.0", "[::1]") or host.startswith("127.") for host in hosts
    )


def _host(text: str) -> str:
    authority = text.partition("://")[2] or text
    authority = authority.split("/")[0].rpartition("@")[2]
    return (
        authority
        if authority.startswith("[") and authority.endswith("]")
        else authority.rpartition(":")[0] or authority
    )
