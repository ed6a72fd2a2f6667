"""What goes wrong at each service, with the bodies that it sends then."""

from __future__ import annotations

import json
from dataclasses import dataclass

KINDS = (
    "401",
    "404",
    "429",
    "500",
    "503",
    "broken",
    "empty",
    "slow",
    "half",
    "redirect",
)

# what each says in the body of an error, by status; the shapes differ between services
_SAID: dict[str, dict[int, object]] = {
    "hf": {
        401: {"error": "Invalid username or password."},
        404: {"error": "Paper not found"},
        429: {"error": "We had to rate limit your IP. To continue using our service, log in."},
        500: {"error": "Internal Error - We're working hard to fix this as soon as possible!"},
        503: "<html><head><title>503 Service Temporarily Unavailable</title></head></html>",
    },
    "arxiv": {
        401: "Unauthorized",
        404: "<html><body><h1>404 Not Found</h1></body></html>",
        429: "Rate exceeded.",
        500: "<html><body>500 Internal Server Error</body></html>",
        503: "Error 503 first byte timeout",
    },
    "s2": {
        401: {"message": "Unauthorized"},
        404: {"error": "Paper not found"},
        429: {
            "message": "Too Many Requests. Please wait and try again or apply for a key for higher rate limits.",
            "code": "429",
        },
        500: {"message": "Internal Server Error"},
        503: {"message": "Service Unavailable"},
    },
    "openalex": {
        401: {"error": "Unauthorized", "message": "Invalid or missing API key"},
        404: "<!doctype html><html lang=en><title>404 Not Found</title></html>",
        429: {"error": "Too Many Requests", "message": "Request rate limit exceeded"},
        500: {"error": "Internal Server Error", "message": "An unexpected error occurred"},
        503: "upstream connect error or disconnect/reset before headers",
    },
}


@dataclass
class Fault:
    """`left` requests still meet it; None for all of them. `retry_after` goes with a 429."""

    kind: str
    left: int | None = None
    retry_after: str = "120"

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind

    def take(self) -> bool:
        """Whether the next request meets it."""
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


def said(source: str, status: int) -> bytes:
    value = _SAID["arxiv" if source == "pages" else source][status]
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
