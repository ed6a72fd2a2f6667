"""One connection to the Hub: token, namespace, whole listings, and an end to every call.

Owns how the client is used. Measured of huggingface_hub 2.4.0: its session has no timeout at all; a dropped POST is
never retried; `list_jobs` sleeps for as long as a 429 says, five times over; `list_jobs` without a namespace asks
huggingface.co whatever the endpoint. So the timeout is set before each call, pages are fetched here, and the namespace
always travels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mlresearch import redact
from mlresearch.backends.hf_errors import translate
from mlresearch.backends.hf_spec import check_namespace
from mlresearch.errors import BackendError, NotFound, ResearchError, Unavailable
from mlresearch.redact import Redactor

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi, JobInfo


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds.

    `request_s` bounds each step of a call (connect, send, next bytes of the answer). `silence_s` is how long a log
    may stay silent before it counts as cut: the Hub sends a sign of life every 30 s. `drained_s` of silence tell that
    a running job's log has been read up to now. `pause_s` lies between attempts, `attempts` in a row may fail.
    `certain_s`: a submit without an answer may be under way for as long as its time allows, and the Hub promises
    nothing about when it lists a new job; a label that is in no whole listing for ten minutes is on no job.
    """

    request_s: float = 30.0
    silence_s: float = 45.0
    drained_s: float = 5.0
    pause_s: float = 1.0
    attempts: int = 4
    certain_s: int = 600


class Hub:
    """`endpoint` None is HF_ENDPOINT, else the public Hub. The token comes from the environment or the login cache."""

    def __init__(self, endpoint: str | None, patience: Patience) -> None:
        self.endpoint, self.patience = endpoint, patience
        self._secrets: set[str] = set()

    @property
    def token(self) -> str | None:
        from huggingface_hub import get_token

        return get_token()

    def redactor(self, names: Iterable[str] = ()) -> Redactor:
        """Knows the token and every secret named so far, besides what the environment calls secret."""
        self._secrets |= {*names}
        token = None
        with suppress(Exception):  # a login that can not be renewed: the failing call itself will say so
            token = self.token
        return redact.from_environment(self._secrets, [token] if token else [])

    @cached_property
    def api(self) -> HfApi:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint, library_name="ml-research")

    @cached_property
    def account(self) -> dict[str, Any]:
        """Who the token belongs to. Asked once: the Hub limits this call more than any other."""
        with self.talking("asking the Hub who the token belongs to"):
            found: dict[str, Any] = self.api.whoami()
            check_namespace(found["name"])
            return found

    def namespace(self, asked: str | None) -> str:
        """The namespace that is billed: the one asked for, else the token's owner."""
        return str(self.account["name"]) if asked is None else check_namespace(asked)

    @contextmanager
    def talking(
        self, doing: str, namespace: str | None = None, missing: type[ResearchError] = NotFound
    ) -> Iterator[None]:
        """Around one call: gives it a timeout, and raises our errors instead of the client's."""
        from huggingface_hub import get_session

        # each time, since the client makes a new session after a fork or a failed connection
        get_session().timeout = self.patience.request_s
        try:
            yield
        except Exception as error:
            raise translate(error, doing, namespace, self.redactor(), missing) from None

    def jobs(self, namespace: str, labels: Mapping[str, str] | None = None) -> list[JobInfo]:
        """Every job of the namespace in every stage, newest first; raises Unavailable unless the listing is whole."""
        from huggingface_hub import JobInfo

        found: list[JobInfo] = []
        query = urlencode([("label", f"{name}={value}") for name, value in (labels or {}).items()])
        page, seen = f"{self.api.endpoint}/api/jobs/{namespace}?{query}", set[str]()
        while page:
            if page in seen or not page.startswith(f"{self.api.endpoint}/"):
                raise Unavailable(f"the listing of {namespace} does not end", next_step="try again")
            seen.add(page)
            with self.talking(f"listing the jobs of {namespace}", namespace, missing=BackendError):
                answer = self.get(page)
                found += [JobInfo(**item, endpoint=self.api.endpoint) for item in answer.json()]
                page = str(answer.links.get("next", {}).get("url", ""))
        return found

    def get(self, url: str) -> httpx2.Response:
        """One GET with the token; raises the client's own error for a refusal."""
        from huggingface_hub import get_session, hf_raise_for_status

        answer = get_session().get(url, headers=self.headers())
        hf_raise_for_status(answer)
        return answer

    def headers(self) -> dict[str, str]:
        from huggingface_hub.utils._headers import build_hf_headers

        return build_hf_headers(library_name="ml-research")
