"""Who descends from a process, how much memory they hold, and how to end them all.

Linux reads /proc and adopts orphans (subreaper), so a descendant that left its session or lost its parent
is still found. Elsewhere (macOS) `ps` is asked, and one that left both its parent and its process group is
missed. Runs on Python 3.9 with the standard library alone, as a sibling of `runner.py`; knows nothing of
jobs.
"""

from __future__ import annotations

import os
import signal
import sys
import time

LINUX = sys.platform.startswith("linux")
if LINUX:
    import ctypes

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

# A process in uninterruptible sleep (a dead network mount) can not be killed; the end must still be recorded.
KILL_PATIENCE_S = 10.0
_POLL_S = 0.01


def adopt_orphans() -> None:
    """From now on descendants that lose their parent become children of this process (Linux)."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies (Linux); exits at once if it is dead already."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(127)


def tree(root: int, group: int) -> dict[int, int]:
    """Living descendants of `root` with their resident KiB; off Linux also all of process group `group`."""
    table = _from_proc() if LINUX else _from_ps()
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found = set() if LINUX else {pid for pid, (_, its_group, _) in table.items() if its_group == group}
    ahead = [root, *found]
    while ahead:
        below = children.get(ahead.pop(), [])
        ahead += [pid for pid in below if pid not in found]
        found.update(below)
    return {pid: table[pid][2] for pid in found - {root}}


def stop(root: int, group: int, grace_s: float) -> int:
    """SIGTERM to the whole tree, `grace_s` to leave, then SIGKILL until none is left; returns how many."""
    if grace_s > 0:
        living = _signal(tree(root, group), signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while living and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            living = len(tree(root, group))
    deadline = time.monotonic() + KILL_PATIENCE_S
    while True:
        # again and again: a process forked between the look and the kill is found by the next look
        living = _signal(tree(root, group), signal.SIGKILL)
        if not living or time.monotonic() > deadline:
            return living
        time.sleep(_POLL_S)


def _signal(pids: dict[int, int], number: int) -> int:
    gone = 0
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            gone += 1
        except PermissionError:  # a setuid program: counted as left
            continue
    return len(pids) - gone


def _from_proc() -> dict[int, tuple[int, int, int]]:
    """Process id to (parent, process group, resident KiB) of everything alive: zombies are not."""
    page_kib = os.sysconf("SC_PAGE_SIZE") // 1024
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                stat = file.read()
        except OSError:
            continue
        # the second field is the program's name in parentheses and may itself hold spaces and parentheses
        fields = stat[stat.rindex(b")") + 2 :].split(None, 22)
        if fields[0] not in b"ZX":
            table[int(name)] = int(fields[1]), int(fields[2]), int(fields[21]) * page_kib
    return table


def _from_ps() -> dict[int, tuple[int, int, int]]:
    import subprocess  # 8 ms to import, and not needed on Linux

    asked = ["ps", "-A", "-o", "pid=,ppid=,pgid=,rss=,stat="]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as ps:
        rows = [line.split() for line in ps.communicate()[0].splitlines()]
    living = (row for row in rows if len(row) >= 5 and not row[4].startswith("Z") and int(row[0]) != ps.pid)
    return {int(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in living}
