"""The one place outside projects: seals, checkpoints, locks, sealed data, sessions. Owns layout and atomic writes.

A root's folder mirrors its real path, so that the hook's wrapper finds a seal with a file test in plain sh:
`$BASE/roots/home/me/project/.seal/seal.json`. `CLAUDE_PLUGIN_DATA` is not used: the Bash tool does not see
it. Nothing here reads its way round a fault: what is there and can not be read is an error.
"""

from __future__ import annotations

import fcntl
import os
import time

from mlresearch import light_json
from mlresearch.errors import LedgerError, SealError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

SEAL_FOLDER = ".seal"


def base() -> str:
    """`$XDG_DATA_HOME/ml-research`, else `~/.local/share/ml-research`.

    A relative XDG_DATA_HOME is ignored, as its standard says.
    """
    data = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(data):
        data = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "ml-research")


def root_dir(root: str) -> str:
    return base() + "/roots" + os.path.realpath(root).rstrip("/") + "/" + SEAL_FOLDER


def seal_path(root: str) -> str:
    return root_dir(root) + "/seal.json"


def sealed_roots_above(path: str) -> list[str]:
    """Every folder from `path` upwards that has a seal, nearest first.

    Links are resolved once: asking `seal_path` at each level would resolve them again, 30 s for 3,000 levels.
    """
    mirror, here, found = base() + "/roots", os.path.realpath(path), []
    while True:
        if os.path.lexists(f"{mirror}{here.rstrip('/')}/{SEAL_FOLDER}/seal.json"):
            found.append(here)
        above = os.path.dirname(here)
        if above == here:
            return found
        here = above


def _session_path(session_id: str, kind: str = "sessions") -> str:
    if not session_id or not all(c.isalnum() or c in "-_" for c in session_id) or len(session_id) > 128:
        raise UsageError(f"session id {session_id[:40]!r} is not one", "letters, digits, - and _")
    return f"{base()}/{kind}/{session_id}"


def record_session(session_id: str, root: str) -> None:
    """Bind a session to a campaign, so that leaving the folder does not leave the seal."""
    path = _session_path(session_id)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    put_text(path, os.path.realpath(root))


def mark_seen(session_id: str) -> None:
    """Note that the guard saw a call of this session just now; nothing that fails here may stop a call."""
    try:
        path = _session_path(session_id, "seen")
        try:
            os.utime(path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except (OSError, UsageError):
        pass


def seen_at(session_id: str) -> float:
    """When the guard last saw a call of this session under a seal; 0 for never."""
    try:
        return os.stat(_session_path(session_id, "seen")).st_mtime
    except (OSError, UsageError):
        return 0.0


def session_root(session_id: str) -> str | None:
    """The campaign's folder that a session is bound to, or None; raises SealError when the record is damaged."""
    try:
        path = _session_path(session_id)
    except UsageError:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SealError(f"{path} can not be read ({error.__class__.__name__})", next_step="remove that file") from None


def put(path: str, value: object, is_synced: bool = True) -> None:
    # ASCII escapes, because a name may hold half a surrogate pair, which no encoding can write
    import json

    put_bytes(path, (json.dumps(value, sort_keys=True) + "\n").encode("ascii"), is_synced)


def put_text(path: str, text: str) -> None:
    put_bytes(path, text.encode("utf-8"))


def put_bytes(path: str, content: bytes, is_synced: bool = True) -> None:
    """Replace a file whole or not at all; with `is_synced` the new one also survives a power cut right after."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}.{time.monotonic_ns()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    if is_synced:
        sync_folder(os.path.dirname(path))


def overwrite(path: str, text: str) -> None:
    """Write a short text over one of the same length, durable when it returns: one fsync where `put_text` takes two.

    A power cut can leave half of it, so that it may only say what is checked against something else.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, text.encode("ascii"), 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: str) -> None:
    """A rename or a new file is durable only when its folder is."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def get(path: str) -> object | None:
    """The stored value, None when there is none; raises SealError when it can not be read: never a default."""
    try:
        with open(path, encoding="utf-8") as file:
            value: object = light_json.loads(file.read())
        if value is None:
            raise ValueError("null would read as: there is none")
        return value
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SealError(
            f"{path} can not be read ({error.__class__.__name__})",
            next_step="program.py check, then a person approves anew",
        ) from None


class Lock:
    """A lock held across processes for the length of a `with` block; made by `locked`.

    A class, not a generator: `contextlib` and what it imports take 4 ms of every hook call.
    """

    __slots__ = ("_handle", "_path", "_wait_s")

    def __init__(self, path: str, wait_s: float) -> None:
        self._path, self._wait_s, self._handle = path, wait_s, -1

    def __enter__(self) -> Lock:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(self._handle, time.monotonic() + self._wait_s, self._path)
        except BaseException:
            os.close(self._handle)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._handle)


def locked(root: str, name: str = "ledger", wait_s: float = 20.0) -> Lock:
    """One of the root's locks; entering raises LedgerError when it is not had within `wait_s`.

    `ledger` covers one transaction; `campaign` a whole step, so that two sessions never submit the same run.
    """
    return Lock(f"{root_dir(root)}/{name}.lock", wait_s)


def _wait_for(handle: int, deadline: float, path: str) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LedgerError(
                    f"another process holds {path}",
                    next_step="try again; if it stays, look for a stuck process",
                ) from None
            time.sleep(0.005)
