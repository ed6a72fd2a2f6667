"""Approval as a seal: the limits a person agreed to, kept outside the project. Owns its form, digest and state.

The digest covers the raw text of every machine-read block of program.md, so that neither the hook nor `jobs.py`
needs a YAML reader: they take the limits from the seal and only compare digests. Refuses to guess: a seal that can
not be read is an error, never "no seal".
"""

from __future__ import annotations

import os

from mlresearch import store
from mlresearch.envelope import LATEST, Envelope
from mlresearch.errors import SealError, shown
from mlresearch.light_hash import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADINGS = ("Goal", "Scope", "Run", "Keep or discard", "Budget envelope")
PROGRAM = "program.md"
LARGEST_BYTES = 65536
_KEYS = {"version", "root", "campaign", "digest", "approved_at", "expires_at", "program", "limits", "salt"}


class Seal:
    __slots__ = ("approved_at", "campaign", "digest", "envelope", "expires_at", "program", "root", "salt")

    def __init__(self, stored: dict[str, Any]) -> None:
        """Raises KeyError or ValueError for a seal that this package did not write."""
        self.root, self.campaign = _text(stored, "root"), _text(stored, "campaign")
        self.digest, self.salt = _text(stored, "digest"), _text(stored, "salt")
        self.approved_at, self.expires_at = _time(stored, "approved_at"), _time(stored, "expires_at")
        self.envelope = Envelope(stored["limits"])
        self.program: dict[str, Any] = stored["program"]
        if not isinstance(self.program, dict):
            raise ValueError("program is no object")


def _text(stored: dict[str, Any], key: str) -> str:
    value = stored[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {shown(value)}, no text")
    return value


def _time(stored: dict[str, Any], key: str) -> float:
    value = stored[key]
    if type(value) not in (int, float) or not 0 < value < LATEST:  # Infinity would never expire
        raise ValueError(f"{key} is {shown(value)}, no time")
    return float(value)


def load(root: str) -> Seal | None:
    """The root's seal, None when there is none; SealError when it is damaged or belongs to another folder."""
    path = store.seal_path(root)
    stored = store.get(path)
    if stored is None:
        return None
    try:
        if not isinstance(stored, dict) or set(stored) != _KEYS or stored["version"] != 1:
            raise KeyError("its keys")
        seal = Seal(stored)
    except (KeyError, TypeError, ValueError) as error:
        raise SealError(
            f"the seal {path} is damaged ({error})", next_step="program.py check, then a person approves anew"
        ) from None
    if seal.root != os.path.realpath(root):
        raise SealError(
            f"the seal {path} belongs to {seal.root}", next_step="program.py check, then a person approves here"
        )
    return seal


def blocks(text: str) -> dict[str, list[str]]:
    """The fenced yaml blocks under our fixed level-2 headings, per heading, as raw text.

    A heading inside a fence or an HTML comment is text, as in the page that a person reads; CRLF counts as a line
    end; a heading that comes twice adds an entry of its own, so that whoever wants exactly one block sees more.
    """
    reader = _Blocks()
    for line in text.replace("\r\n", "\n").split("\n"):
        reader.take(line)
    return {name: ["\n".join(block) + "\n" for block in many] for name, many in reader.found.items()}


class _Blocks:
    """One pass over the lines: inside a fence, inside a comment, or under a heading."""

    def __init__(self) -> None:
        self.found: dict[str, list[list[str]]] = {}
        self._heading, self._fence, self._is_comment = "", "", False
        self._lines: list[str] | None = None

    def take(self, line: str) -> None:
        if self._fence:
            self._in_fence(line)
        elif self._is_comment or "<!--" in line:
            self._is_comment = line.rfind("-->") < line.rfind("<!--") or (self._is_comment and "-->" not in line)
        elif _fence_of(line):
            self._open_fence(line)
        elif line.startswith("#"):
            self._open_heading(line)

    def _in_fence(self, line: str) -> None:
        closing = line.strip()
        if closing.startswith(self._fence) and not closing.strip(self._fence[0]):
            self._fence, self._lines = "", None
        elif self._lines is not None:
            self._lines.append(line.rstrip(" \t"))

    def _open_fence(self, line: str) -> None:
        self._fence = _fence_of(line)
        if self._heading in HEADINGS and line.rstrip() == "```yaml":
            self._lines = []
            self.found[self._heading].append(self._lines)

    def _open_heading(self, line: str) -> None:
        self._heading = line[3:].strip() if line.startswith("## ") else ""
        if self._heading in HEADINGS:
            is_second = self._heading in self.found
            self.found.setdefault(self._heading, []).extend([["(the heading comes twice)"]] * is_second)


def _fence_of(line: str) -> str:
    """The run of three or more backticks or tildes that opens a fence, at most three spaces in; else nothing."""
    text = line.lstrip(" ")
    if len(line) - len(text) > 3 or not text.startswith(("```", "~~~")):
        return ""
    return text[: len(text) - len(text.lstrip(text[0]))]


def digest_of(text: str) -> str:
    """SHA-256 over the machine-read blocks, in the fixed order of the headings."""
    found = blocks(text)
    whole = "".join(f"## {heading}\n{block}\0" for heading in HEADINGS for block in found.get(heading, ["missing"]))
    return sha256(whole.encode("utf-8", "surrogatepass"))


def read_program(root: str) -> str | None:
    """program.md's text when it is ours (it has the envelope heading), else None; SealError when unreadable."""
    path = os.path.join(root, PROGRAM)
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SealError(f"{path} can not be read ({error.strerror})", "a readable file", "program.py check") from None
    if b"## Budget envelope" not in raw:
        return None
    if len(raw) > LARGEST_BYTES:
        raise SealError(f"{path} is larger than {LARGEST_BYTES} bytes", "a shorter file", "program.py check")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise SealError(f"{path} is not UTF-8 text", "UTF-8", "program.py check") from None


def state(root: str, seal: Seal | None, now: float) -> str:
    """`none`, `draft` (our program.md, no open seal), `changed`, `expired` or `sealed`."""
    if seal is None:
        return "none" if read_program(root) is None else "draft"
    text = read_program(root)
    if text is None or digest_of(text) != seal.digest:
        return "changed"
    return "expired" if now >= seal.expires_at else "sealed"


def require(root: str, now: float) -> Seal:
    """The valid seal of a root, or SealError saying why there is none and what a person does next."""
    seal = load(root)
    found = state(root, seal, now)
    if seal is not None and found == "sealed":
        return seal
    why = {
        "none": "there is no approved program.md here",
        "draft": "program.md is not approved",
        "changed": "program.md differs from what was approved",
        "expired": "the approval has expired",
    }[found]
    step = "program.py init" if found == "none" else "program.py show, then a person runs program.py approve --digest D"
    raise SealError(f"{why} in {root}", "jobs under an approved envelope, or jobs.py submit with --max-usd", step)


def close(root: str) -> None:
    """End the approval: nothing more is authorized here. The seal stays beside it under another name."""
    path = store.seal_path(root)
    seal = load(root)
    if seal is not None:
        os.replace(path, f"{store.root_dir(root)}/closed-{seal.campaign}.json")
        store.sync_folder(store.root_dir(root))


def open_root(path: str) -> str | None:
    """The project that `path` belongs to: the nearest sealed folder upwards, else the nearest with a program.md.

    A second program.md in a subfolder does not replace a sealed one above it.
    """
    sealed = store.sealed_roots_above(path)
    if sealed:
        return sealed[0]
    here = os.path.realpath(path)
    while not os.path.isfile(os.path.join(here, PROGRAM)):
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above
    return here
