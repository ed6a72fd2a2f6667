"""What a person approved, and whether one more job fits in it. Pure: the clock and the totals are arguments.

The hook and the submit path call the same `check`. Plain classes, not dataclasses: the hook runs at every tool
call, and importing `dataclasses` doubles its time (24 ms against 11, measured on CPython 3.11).
"""

from __future__ import annotations

from mlresearch import durations, money
from mlresearch.errors import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LATEST = 253402300800.0  # the year 10000
# What a backend may bill before a job's own timeout begins; 0 where it is not named. The Hub bills while a job is
# Starting or Running, by the begun minute, and tells only how long a job was scheduled: queue and start together. Its
# documentation's example was scheduled for 6 s. Five minutes leave room for a large image; a longer wait was a queue,
# which is not billed.
START_ALLOWANCE_S = {"hf": 300}


class Envelope:
    """The approved limits: micro-dollars, whole seconds, and closed lists (an empty list allows nothing)."""

    __slots__ = (
        "allow_deletes", "allowed_flavors", "backends", "deadline", "max_gpu_s", "max_jobs", "max_parallel",
        "max_timeout_s", "max_usd_micro", "max_walltime_s", "output_repos", "programs", "reserve_final",
    )  # fmt: skip

    def __init__(self, limits: Mapping[str, Any]) -> None:
        """From the canonical form `program.py` stores in the seal.

        KeyError for a missing key and ValueError for a strange value, never a default: NaN is below every limit.
        """
        self.backends = _names(limits, "backends")
        self.max_usd_micro = _count(limits, "max_usd_micro")
        self.max_jobs = _count(limits, "max_jobs")
        self.max_walltime_s = _count(limits, "max_walltime_s")
        self.max_gpu_s = None if limits["max_gpu_s"] is None else _count(limits, "max_gpu_s")
        self.max_parallel = _count(limits, "max_parallel")
        self.allowed_flavors = _names(limits, "allowed_flavors")
        self.max_timeout_s = _count(limits, "max_timeout_s")
        self.output_repos = _names(limits, "output_repos")
        self.allow_deletes = limits["allow_deletes"] is True
        self.reserve_final = _number(limits, "reserve_final", 1.0)
        self.deadline = None if limits["deadline"] is None else _number(limits, "deadline", LATEST)
        self.programs = _names(limits, "programs")


def _names(limits: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = limits[key]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} is {shown(value)}, no list of names")
    return tuple(value)


def _count(limits: Mapping[str, Any], key: str) -> int:
    value = limits[key]
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is {shown(value)}, no count")
    return value


def _number(limits: Mapping[str, Any], key: str, most: float) -> float:
    value = limits[key]
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ValueError(f"{key} is {shown(value)}, no number up to {most:g}")
    return float(value)


class Request:
    """One job that somebody asks for: what it could cost at most, and how long it could run at most."""

    __slots__ = ("backend", "ceiling_micro", "final", "flavor", "reserved_s", "timeout_s")

    def __init__(
        self,
        backend: str,
        flavor: str,
        timeout_s: int,
        reserved_s: int,
        ceiling_micro: int,
        final: bool = False,
    ) -> None:
        self.backend, self.flavor, self.timeout_s = backend, flavor, timeout_s
        self.reserved_s, self.ceiling_micro, self.final = reserved_s, ceiling_micro, final


class Spent:
    """The ledger's totals. An open job counts with its reservation, an ended one with what was billed."""

    __slots__ = ("gpu_s", "jobs", "micro", "open_jobs", "seconds")

    def __init__(self, jobs: int = 0, open_jobs: int = 0, seconds: int = 0, micro: int = 0, gpu_s: int = 0) -> None:
        self.jobs, self.open_jobs, self.seconds, self.micro, self.gpu_s = (
            jobs,
            open_jobs,
            seconds,
            micro,
            gpu_s,
        )


class Breach:
    """One limit that a request passes. Only `max_parallel` is not terminal: it means wait."""

    __slots__ = ("asked", "left", "limit", "terminal")

    def __init__(self, limit: str, asked: str, left: str, terminal: bool = True) -> None:
        self.limit, self.asked, self.left, self.terminal = limit, asked, left, terminal

    def __str__(self) -> str:
        return f"{self.limit}: asked {self.asked}, {self.left}"


def check(envelope: Envelope, spent: Spent, request: Request, now: float) -> list[Breach]:
    """Every limit that the request would pass; an empty list means that it may run."""
    return _kinds(envelope, request) + _clocks(envelope, request, now) + _amounts(envelope, spent, request)


def _kinds(envelope: Envelope, request: Request) -> list[Breach]:
    breaches = []
    if request.backend not in envelope.backends:
        breaches.append(Breach("backends", request.backend, _listed(envelope.backends)))
    if request.flavor not in envelope.allowed_flavors:
        breaches.append(Breach("allowed_flavors", request.flavor, _listed(envelope.allowed_flavors)))
    if envelope.max_gpu_s is not None:
        breaches.append(Breach("max_gpu_hours", "a job", "no backend here counts GPU time, so none may run"))
    return breaches


def _clocks(envelope: Envelope, request: Request, now: float) -> list[Breach]:
    breaches = []
    if not 0 < request.timeout_s <= envelope.max_timeout_s:
        limit = durations.show(envelope.max_timeout_s)
        breaches.append(Breach("max_timeout", durations.show(request.timeout_s), f"at most {limit}"))
    if envelope.deadline is not None and now + request.reserved_s > envelope.deadline:
        left = durations.show(max(0, int(envelope.deadline - now)))
        breaches.append(Breach("deadline", durations.show(request.reserved_s), f"{left} left"))
    return breaches


def _amounts(envelope: Envelope, spent: Spent, request: Request) -> list[Breach]:
    breaches = []
    rows = (
        ("max_jobs", 1, spent.jobs, envelope.max_jobs, str),
        ("max_walltime", request.reserved_s, spent.seconds, envelope.max_walltime_s, durations.show),
        ("max_usd", request.ceiling_micro, spent.micro, envelope.max_usd_micro, money.show),
    )
    for name, asked, used, limit, show in rows:
        usable = limit if request.final else _before_the_end(limit, envelope.reserve_final)
        if asked < 0 or used + asked > usable:
            kept = f" ({show(limit - usable)} of {show(limit)} is kept for the final evaluation)"
            told = f"{show(max(0, usable - used))} left of {show(usable)}{kept if usable < limit else ''}"
            breaches.append(Breach(name, show(asked), told))
    if spent.open_jobs >= envelope.max_parallel:
        running = f"{spent.open_jobs} of {envelope.max_parallel} are open; wait for one to end"
        breaches.append(Breach("max_parallel", "1 more job", running, terminal=False))
    return breaches


def _before_the_end(limit: int, reserve_final: float) -> int:
    """What the final evaluation leaves of a limit; the millionth undoes the float in 5 * (1 - 0.8) < 1."""
    return int(limit * (1.0 - reserve_final) + 1e-6)


def _listed(names: tuple[str, ...]) -> str:
    return "allowed: " + (", ".join(names) or "none")


def left(envelope: Envelope, spent: Spent) -> str:
    """What is left, in one line for a person."""
    usd = money.show(max(0, envelope.max_usd_micro - spent.micro))
    time = durations.show(max(0, envelope.max_walltime_s - spent.seconds))
    return f"{max(0, envelope.max_jobs - spent.jobs)} jobs, {time} of job time, {usd}"


def repo_allowed(envelope: Envelope, repo_id: str) -> bool:
    """Whether a Hub repository is inside `output_repos`; `*` stands for any part of the name, never of the owner."""
    return any(repo_matches(pattern, repo_id) for pattern in envelope.output_repos)


def repo_matches(pattern: str, repo_id: str) -> bool:
    """Whether one pattern of `output_repos` covers a repository."""
    owner, slash, name = repo_id.partition("/")
    wanted, has_slash, shape = pattern.partition("/")
    if not (slash and has_slash and owner and name.strip(".")) or "/" in name or "*" in wanted:
        return False
    return owner == wanted and _piece_matches(shape, name)


def _piece_matches(pattern: str, name: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    if not name.startswith(first) or len(name) < len(first) + len(rest[-1]) or not name.endswith(rest[-1]):
        return False
    place = len(first)
    for piece in rest[:-1]:
        place = name.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return place <= len(name) - len(rest[-1])
