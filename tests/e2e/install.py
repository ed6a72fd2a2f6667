"""Where the tests keep what they download, and where the real client comes from.

Standard library only: the test command imports it before any dependency is installed.
Refuses the `claude` on PATH: what the tests prove is tied to one client version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CLIENT_VERSION = "2.1.329"
OLDEST_NODE = 18


class ClientMissing(Exception):
    """The real client is not here and can not be installed; the message says what a person must do."""


def cache_folder() -> Path:
    """The tests' own folder outside the repository, shared by all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ml-research-tests"


def find_client() -> Path | None:
    """$CLAUDE_BIN if it is set (whatever its version), else the pinned client in the cache."""
    chosen = os.environ.get("CLAUDE_BIN")
    if chosen:
        return Path(chosen)
    cached = _client_folder() / "node_modules" / ".bin" / "claude"
    return cached if cached.exists() else None


def find_or_install_client() -> Path:
    """The client, installed with npm into the cache when it is not there; raises ClientMissing."""
    found = find_client()
    if found is None:
        _require_node()
        _npm_install(_client_folder())
        found = find_client()
    if found is None or not os.access(found, os.X_OK):
        raise ClientMissing(f"{found or _client_folder()} is no runnable client; remove it, or correct CLAUDE_BIN")
    return found


def _client_folder() -> Path:
    return cache_folder() / f"client-{CLIENT_VERSION}"


def _require_node() -> None:
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        raise ClientMissing(
            f"{' and '.join(missing)} not found: the end-to-end tests run the real Claude Code client; "
            f"install Node.js {OLDEST_NODE} or newer (Debian, Ubuntu: apt-get install nodejs npm), "
            "or set CLAUDE_BIN to a client"
        )
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise ClientMissing(f"node {version} is too old; install Node.js {OLDEST_NODE} or newer")


def _npm_install(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    package = f"@anthropic-ai/claude-code@{CLIENT_VERSION}"
    command = [
        "npm",
        "install",
        "--prefix",
        str(folder),
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        package,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise ClientMissing(f"npm could not install {package} (exit {done.returncode}, see above)")
