"""Whether this machine can run the client's sandbox on Linux: two programs, and the right to make user namespaces."""

from __future__ import annotations

import functools
import shutil
import subprocess

PROGRAMS = ("bwrap", "socat")
NEEDED = "needs the client's sandbox"
_PROBE = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")


@functools.cache
def missing() -> str:
    """What stands in the way; empty when the sandbox works."""
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return f"{' and '.join(absent)} missing; install bubblewrap and socat"
    done = subprocess.run(_PROBE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"no user namespaces here: {done.stderr.strip()[:200]}" if done.returncode else ""
