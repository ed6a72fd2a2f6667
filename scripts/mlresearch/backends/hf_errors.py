"""What a failed call to the Hub means to us: a definite no (BackendError), or doubt (Unavailable), and what to do next.

The difference decides about money. After a no, nothing was started and the reservation is released; in doubt it stays
until the job's label has been looked up.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlresearch.errors import BackendError, NotFound, ResearchError, Unavailable
from mlresearch.redact import Redactor

TOKENS = "https://huggingface.co/settings/tokens"
# 408 and 425 ask for the same call again; 429 may come from a proxy that let the call through
RETRIABLE = (408, 425, 429)


def translate(
    error: Exception, doing: str, namespace: str | None, redact: Redactor, missing: type[ResearchError] = NotFound
) -> ResearchError:
    """Our error for one of the Hub's client; `missing` is what a 404 means in this call."""
    if isinstance(error, ResearchError):
        return error
    response = getattr(error, "response", None)
    if response is None:
        return _unanswered(error, doing, redact)
    status = int(response.status_code)
    said = redact(_said(error))[:300]
    told = f"{doing}: the Hub answered {status}" + (f" ({said})" if said else "")
    if status in RETRIABLE or status >= 500 or status < 400:
        return Unavailable(told, next_step=_when_again(response.headers, status))
    if status == 404:
        return missing(told, next_step=f"check the namespace ({namespace or 'none'}) and the id; jobs.py list")
    return _refused(status, told, namespace)


def _unanswered(error: Exception, doing: str, redact: Redactor) -> ResearchError:
    kind = type(error).__name__
    if kind == "LocalTokenNotFoundError":
        return BackendError(f"{doing}: there is no token of the Hub here", "HF_TOKEN, or a login", "hf auth login")
    if kind == "OfflineModeIsEnabled":
        return BackendError(f"{doing}: HF_HUB_OFFLINE forbids it", next_step="unset HF_HUB_OFFLINE")
    why = redact(str(error))[:300]
    return Unavailable(
        f"{doing}: no answer that can be read ({kind}: {why})", next_step="try again; jobs.py reconcile settles doubt"
    )


def _refused(status: int, told: str, namespace: str | None) -> BackendError:
    if status == 401:
        return BackendError(told, "a token that the Hub knows", "hf auth login, or set HF_TOKEN")
    if status == 402:
        return BackendError(
            f"{told}: the credit of {namespace} is used up",
            "a positive balance",
            f"add credit for {namespace} at {_billing(namespace)}, or choose another --namespace",
        )
    if status == 403:
        return BackendError(
            told, f"a token with the right to run jobs in {namespace}", f"give it at {TOKENS}, or change --namespace"
        )
    return BackendError(told, next_step="change what the Hub names, then submit again")


def _billing(namespace: str | None) -> str:
    """One's own page shows every organization that one may pay for, too."""
    return (
        f"https://huggingface.co/settings/billing or https://huggingface.co/organizations/{namespace}/settings/billing"
    )


def _said(error: Exception) -> str:
    """The server's own words; without any, nothing: the client's message only repeats address and status."""
    said = getattr(error, "server_message", None)
    return " ".join(str(said).split()) if said else ""


def _when_again(headers: Mapping[str, str], status: int) -> str:
    seconds = _reset_s(headers)
    if seconds is not None:
        return f"try again in {seconds}s"
    return "try again in 5 minutes" if status == 429 else "try again; jobs.py reconcile settles doubt"


def _reset_s(headers: Mapping[str, str]) -> int | None:
    """Seconds until the limit is lifted, from either of the two headers; None when neither tells."""
    from huggingface_hub.utils._http import parse_ratelimit_headers

    found = parse_ratelimit_headers(headers)
    if found is not None:
        return found.reset_in_seconds
    after = headers.get("retry-after", "")
    return int(after) if after.isdigit() else None
