"""Which paths belong to the campaign, to the person or to the guard, and may not be written or read.

Compares both the path as written and its real path, so that neither a link nor `..` leads round a rule. Decides on
names alone: it never asks whether a file exists.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.calls import Situation

# what `kind` answers, with the text a denial shows
TOLD = {
    "store": "the store that holds approvals and sealed data",
    "plugin": "the plugin's own folder",
    "settings": "the client's or the shell's settings",
    "program": "program.md, which a person approved",
    "runs": "runs/, which only the package's commands write",
    "sealed data": "sealed data, which finalize alone opens",
    "sealed file": "a sealed file (Scope: sealed_files)",
    "other": "a file outside editable_files",
    "whole": "a folder that holds the campaign",
}
_HOME_SETTINGS = (
    ".claude.json", ".bashrc", ".bash_profile", ".bash_login", ".bash_aliases", ".profile", ".zshrc", ".zshenv",
    ".zprofile", ".gitconfig", ".config/git", ".config/fish", ".config/uv", ".cache/huggingface/token",
)  # fmt: skip
_TOKENS = (".cache/huggingface/token", ".cache/huggingface/stored_tokens", ".huggingface/token", ".netrc")
_CLIENT = ("settings.json", "settings.local.json", "hooks", "plugins", "session-env", "managed-settings.json")
LONGEST_PATH = 4096  # to follow one of 600,000 characters takes more than 5 s


def is_under(path: str, folder: str) -> bool:
    return bool(folder) and (path == folder or path.startswith(folder.rstrip("/") + "/"))


def real_of(path: str) -> str:
    """A normal path with its links followed; one that is too long for the system to open stays as it is."""
    return os.path.realpath(path) if len(path) <= LONGEST_PATH else path


class Places:
    """The protected places of one situation."""

    def __init__(self, situation: Situation) -> None:
        self.root = situation.root
        self.base, self.plugin = situation.base, situation.plugin_root
        self.home = situation.home
        self.client = os.path.realpath(situation.client) if situation.client else ""
        scope = situation.seal.program.get("scope", {}) if situation.seal else {}
        self.editable: list[str] = list(scope.get("editable_files", ()))
        self.sealed_files: list[str] = list(scope.get("sealed_files", ()))
        self.sealed_data: list[str] = list(scope.get("sealed_data", ()))

    def full(self, text: str, cwd: str) -> str:
        """The absolute path a word names, links not followed."""
        if not text.isascii() or "\0" in text:
            text = text.encode("utf-8", "replace").decode().replace("\0", "?")  # no file has such a name
        if text == "~" or text.startswith("~/"):
            text = self.home + text[1:]
        return os.path.normpath(os.path.join(cwd, text))

    def kind(self, text: str, cwd: str) -> str:
        """Why a path may not be written, a key of TOLD, or "" when it is free."""
        path = self.full(text, cwd)
        return self._kind(path) or self._kind(real_of(path))

    def _kind(self, path: str) -> str:
        if is_under(path, self.base):
            return "store"
        if self._is_settings(path):
            return "settings"
        if is_under(path, self.root):
            return self._inside(os.path.relpath(path, self.root))
        if is_under(path, self.plugin):
            return "plugin"
        return ""

    def _is_settings(self, path: str) -> bool:
        if self.home and any(is_under(path, os.path.join(self.home, name)) for name in _HOME_SETTINGS):
            return True
        if self.client and is_under(path, self.client):
            return os.path.relpath(path, self.client).split("/")[0] in (*_CLIENT, ".claude.json")
        before, found, after = path.partition("/.claude/")
        return bool(found) and (after.split("/")[0] in _CLIENT or (is_under(before, self.root) and self.root != ""))

    def _inside(self, path: str) -> str:
        if path == ".":
            return ""
        if path == "program.md":
            return "program"
        if is_under(path, "runs"):
            return "runs"
        if is_under(path, ".claude") or path == ".mcp.json":
            return "settings"
        if _listed(path, self.sealed_data):
            return "sealed data"
        if _listed(path, self.sealed_files):
            return "sealed file"
        if is_under(path, "work") or _listed(path, self.editable):
            return ""
        return "other"

    def secret(self, text: str, cwd: str) -> str:
        """Why a path may not be read: `peek` (the store, sealed data), `credential` (a stored token), or ""."""
        path = self.full(text, cwd)
        real = real_of(path)
        if self._is_sealed(path) or (real != path and self._is_sealed(real)):
            return "peek"
        return "credential" if self.home and real.startswith(self.home) and self._is_token(real) else ""

    def _is_sealed(self, path: str) -> bool:
        if is_under(path, self.base):
            return True
        return is_under(path, self.root) and _listed(os.path.relpath(path, self.root), self.sealed_data)

    def _is_token(self, path: str) -> bool:
        return any(path == os.path.join(self.home, name) for name in _TOKENS)

    def could_be_secret(self, pattern: str, cwd: str) -> bool:
        """Like `secret`, for a file name pattern that reaches as deep as the sealed path."""
        pieces = self.full(pattern, cwd).split("/")
        sealed = [os.path.join(self.root, path).split("/") for path in self.sealed_data] + [self.base.split("/")]
        return any(len(pieces) >= len(path) and all(map(_fits, path, pieces)) for path in sealed if path != [""])

    def holds(self, text: str, cwd: str) -> bool:
        """Whether the path is a folder with the campaign, the store or the plugin inside: to remove it removes them."""
        path = real_of(self.full(text, cwd))
        return any(place and is_under(place, path) for place in (self.root, self.base, self.plugin))

    def could_match(self, pattern: str, cwd: str) -> str:
        """Like `kind`, for a file name pattern."""
        full = self.full(pattern, cwd)
        targets = ["program.md", "runs", "runs/ledger.jsonl", *self.sealed_files, *self.sealed_data]
        for target in targets:
            if _pieces_fit(os.path.join(self.root, target).split("/"), full.split("/")):
                return self._inside(target)
        return self.kind(pattern, cwd)


def _listed(path: str, patterns: list[str]) -> bool:
    """Whether a path relative to the root is one of the patterns or lies inside a folder that they name."""
    for pattern in patterns:
        name = os.path.normpath(pattern)
        if is_under(path, name) or _pieces_match(path.split("/"), name.split("/")):
            return True
    return False


def _pieces_match(path: list[str], pattern: list[str]) -> bool:
    """A `*` never crosses a `/`; a pattern that names a folder covers what lies in it."""
    return len(path) >= len(pattern) and all(map(_fits, path, pattern))


def _pieces_fit(path: list[str], pattern: list[str]) -> bool:
    return len(path) == len(pattern) and all(map(_fits, path, pattern))


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits a shell pattern; a bracket counts as any one character, which can only find more."""
    at = place = 0
    star, kept = -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, kept = place, at
            place += 1
        elif place < len(pattern) and (pattern[place] in "?[" or pattern[place] == name[at]):
            place, at = _behind(pattern, place), at + 1
        elif star >= 0:
            kept += 1
            place, at = star + 1, kept
        else:
            return False
    return not pattern[place:].strip("*")


def _behind(pattern: str, place: int) -> int:
    """The place behind one character of a pattern, or behind a whole bracket."""
    end = pattern.find("]", place + 2) if pattern[place] == "[" else -1
    return (end if end >= 0 else place) + 1
