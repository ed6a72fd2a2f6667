"""What must hold of a job before it may cost anything: told by its files and arguments alone, before any request.

Owns the refusals that spare a paid job from failing for a reason that could be read beforehand, or from writing where
nobody allowed it. It is a function of its arguments; what exists on this machine is asked through `exists`.

A paid job's timeout is at least MINIMUM_S, because a start-up with its downloads takes minutes and a shorter one is
billed for nothing; a kind of task that needs longer raises it. A job that trains is monitored: with no curve nobody
sees that it diverged, and it is paid for to the end. A smoke run, which says so with the variable SMOKE=1 that the
templates understand, is spared both; so is a job that only evaluates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mlresearch import arguments, durations, monitoring
from mlresearch.errors import UsageError
from mlresearch.monitoring import Dashboard
from mlresearch.script_facts import FALSE, Script, header

MINIMUM_S = 600
BESIDE = "../src/"  # what `{src}/` stands for

_LOCAL = re.compile(r"(?:file://)?(?:/Users/|/home/|/fsx/|~[\w.-]*/|[A-Za-z]:[\\/](?!/))|~$")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACEHOLDER = re.compile(
    r"(?:<[^<>/]+>|[\[{]?(?:your[-_ ]?(?:hf[-_]?)?(?:user(?:name)?|org(?:anization)?|name(?:space)?)"
    r"|user[-_]?name|hf[-_]user(?:name)?|org[-_]name)[\]}]?)/[^/\s]*",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIALS?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What is wrong and where, what would be right, what to do."""

    wrong: str
    where: str
    allowed: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.where}: {self.wrong} (allowed: {self.allowed}; next: {self.next_step})"


@dataclass(frozen=True)
class Paid:
    """A job as it would be sent. `writable` says whether a repository may be written, `repos` names those in words.

    `may_publish` says whether a Space of this name may be public; `minimum_s` is the shortest timeout in seconds.
    """

    files: tuple[tuple[str, bytes], ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    timeout_s: int
    root: str
    repos: str
    writable: Callable[[str], bool]
    exists: Callable[[str], bool]
    holds_secret: Callable[[str], bool]
    may_publish: Callable[[str], bool] = lambda space: False
    is_evaluation: bool = False
    minimum_s: int = MINIMUM_S

    @cached_property
    def options(self) -> dict[str, str]:
        """The arguments by name; a switch is "true"."""
        return arguments.by_name(self.args)

    @property
    def is_smoke(self) -> bool:
        return self.env.get("SMOKE") == "1"


def require(job: Paid) -> None:
    """Raise UsageError naming every fault of a job that would cost money."""
    _refuse(faults(job))


def require_allowed_writes(job: Paid) -> None:
    """The same for a free job that is given a secret: with a token it could write to the Hub like a paid one."""
    scripts, broken = _scripts(job)
    _refuse([*broken, *_secrets(job), *_pushes(job, scripts), *_published(job, scripts)])


def _refuse(found: list[Fault]) -> None:
    if found:
        told = "; ".join(f"{fault.where}: {fault.wrong}" for fault in found)
        allowed = "; ".join(dict.fromkeys(fault.allowed for fault in found))
        raise UsageError(told, allowed, "; ".join(dict.fromkeys(fault.next_step for fault in found)))


def faults(job: Paid) -> list[Fault]:
    """Every fault, the job's own first, then those of each file."""
    scripts, broken = _scripts(job)
    found = [*_timeout(job), *_secrets(job), *_arguments(job)]
    found += companion_faults([path for path, _ in job.files], job.args)
    for path, content in job.files:
        found += _header(path, content) if path.endswith(".py") else ()
    for path, script in scripts.items():
        found += _texts(job, path, script)
    return [*found, *broken, *_pushes(job, scripts), *_unwatched(job, scripts), *_published(job, scripts)]


def _scripts(job: Paid) -> tuple[dict[str, Script], list[Fault]]:
    """The Python files, read, and a fault for each that is none."""
    scripts: dict[str, Script] = {}
    broken = []
    for path, content in job.files:
        if path.endswith(".py"):
            try:
                scripts[path] = Script(content, job.options, job.env)
            except (SyntaxError, ValueError) as error:
                where = f"{path} line {getattr(error, 'lineno', None) or 1}"
                broken.append(Fault("this is not Python", where, "a file that Python can read", "mend the file"))
    return scripts, broken


def companion_faults(paths: Collection[str], args: tuple[str, ...]) -> list[Fault]:
    """Arguments that name a file of the job where it is not: a job runs in its out folder, its files lie beside it."""
    found = []
    for place, word in enumerate(args, 1):
        value, where = _value_of(word).removeprefix("./"), f"argument {place}"
        if value in paths:
            told = f"{value[:80]!r} travels with the job, but not into the folder where the job runs"
            found.append(Fault(told, where, f"{{src}}/{value}"[:90], "write {src}/ before its name"))
        rest = value.removeprefix(BESIDE)
        if rest not in ("", value) and not any(f"{path}/".startswith(f"{rest.rstrip('/')}/") for path in paths):
            told = f"{{src}}/{rest}"[:80] + " does not travel with the job"
            found.append(Fault(told, where, ", ".join(paths)[:200], "name a file that does"))
    return found


def _timeout(job: Paid) -> Iterator[Fault]:
    if job.timeout_s < job.minimum_s and not job.is_smoke:
        least = durations.show(job.minimum_s)
        told = f"{durations.show(job.timeout_s)} would end before a paid machine has done anything"
        yield Fault(told, "--timeout", f"{least} or more; less for a smoke run", f"--timeout {least}, or --env SMOKE=1")


def _secrets(job: Paid) -> Iterator[Fault]:
    allowed, instead = "secrets by name", "--secret NAME, and read it from the environment in the script"
    for name, value in job.env.items():
        if _SECRET_NAME.search(name) or job.holds_secret(value):
            yield Fault(f"{name} is given by value", "--env", allowed, instead)
    for place, text in enumerate(job.args, 1):
        if job.holds_secret(text):
            yield Fault("holds what looks like a token", f"argument {place}", allowed, instead)
    for path, content in job.files:
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if job.holds_secret(line):
                yield Fault("holds what looks like a token", f"{path} line {number}", allowed, instead)


def _header(path: str, content: bytes) -> Iterator[Fault]:
    found = header(content.decode("utf-8", "replace"))
    if found is None:
        yield Fault("the script header can not be read", path, "a PEP 723 header", "mend the `# /// script` lines")
        return
    tools = found.get("tool")
    if isinstance(tools, dict) and "hf-jobs" in tools:
        told = "[tool.hf-jobs] would choose hardware, time and account beside what is checked here"
        yield Fault(told, f"{path} header", "no such table", "remove it and use --flavor, --timeout, --env, --secret")


def _arguments(job: Paid) -> Iterator[Fault]:
    for place, word in enumerate(job.args, 1):
        value, where = _value_of(word), f"argument {place}"
        yield from _path_fault(job, value, where)
        yield from _owner_fault(value, where)


def _value_of(word: str) -> str:
    return word.partition("=")[2] if word.startswith("-") and "=" in word else word


def _texts(job: Paid, path: str, script: Script) -> Iterator[Fault]:
    for line, text in script.texts():
        where = f"{path} line {line}"
        if _is_local(job, text) or text.startswith(("./", "../")):
            yield from _path_fault(job, text, where)
        yield from _owner_fault(text, where)
    sent = {path for path, _ in job.files}
    for line, text in script.reads():
        if text.removeprefix("./") in sent and not script.moves():
            told = f"{text[:80]!r} lies beside the script, not in the folder where the job runs"
            yield Fault(told, f"{path} line {line}", "Path(__file__).parent / its name", "read it from there")
        elif not (_is_local(job, text) or text.startswith(("./", "../"))):
            yield from _path_fault(job, text, f"{path} line {line}")


def _path_fault(job: Paid, text: str, where: str) -> Iterator[Fault]:
    sent = {path for path, _ in job.files}
    here = text not in (".", "./") and text.removeprefix("./").removeprefix(BESIDE) not in sent
    if _is_local(job, text) or (here and _is_named_as_file(text) and job.exists(text)):
        told = f"{text[:80]!r} is a path of this machine, which the job does not see"
        yield Fault(told, where, "files of the job and its out folder", "load it from the Hub by its name")


def _is_named_as_file(text: str) -> bool:
    """A bare word such as `digits` may be anything, whatever folder of that name lies here."""
    return ("/" in text or "." in text) and not text.startswith("-") and "\0" not in text


def _is_local(job: Paid, text: str) -> bool:
    inside = job.root not in ("", "/") and (text == job.root or text.startswith(job.root + "/"))
    return inside or _LOCAL.match(text) is not None


def _owner_fault(text: str, where: str) -> Iterator[Fault]:
    if _PLACEHOLDER.fullmatch(text):
        yield Fault(f"{text[:80]!r} has a placeholder for its owner", where, "owner/name", "write the real owner")


def _pushes(job: Paid, scripts: Mapping[str, Script]) -> Iterator[Fault]:
    """Whoever pushes says where, in the script or by an argument, and all that are named may be written."""
    found = [(f"{path} line {push.line}", push) for path, script in scripts.items() for push in script.pushes()]
    given = job.options.get("hub_model_id")
    asked = job.options.get("push_to_hub", "").lower() not in FALSE
    named = [(where, push.what, push.repo) for where, push in found if push.repo != ""]
    named += [("argument --hub_model_id", "hub_model_id", given)] if given is not None else []
    bare = [(where, push.what) for where, push in found if push.repo == ""]
    bare += [("arguments", "--push_to_hub")] if asked else []
    if bare and not any(what == "hub_model_id" for _, what, _ in named):
        where, what = bare[0]
        yield Fault(f"{what} without hub_model_id", where, job.repos, "hub_model_id with one of them")
    for where, what, repo in named if bare or any(what != "hub_model_id" for _, what, _ in named) else []:
        yield from _repo_fault(job, where, what, repo)


def _repo_fault(job: Paid, where: str, what: str, repo: str | None) -> Iterator[Fault]:
    if repo is None:
        told = f"the repository of {what} is known at run time only"
        yield Fault(told, where, job.repos, "write owner/name in the script, or as an argument")
    elif not _REPO.fullmatch(repo) or not job.writable(repo):
        yield Fault(f"{what} writes to {repo[:80]!r}", where, job.repos, "a repository of output_repos in program.md")


def _unwatched(job: Paid, scripts: Mapping[str, Script]) -> Iterator[Fault]:
    """A job is watched when any of its files hands numbers to a tracker: training and logging may stand apart."""
    lines = [(path, line) for path, script in scripts.items() if (line := monitoring.trains(script)) is not None]
    if not lines or job.is_smoke or job.is_evaluation or any(map(monitoring.is_monitored, scripts.values())):
        return
    path, line = lines[0]
    allowed = "report_to='trackio', trackio.init and trackio.log, or another tracker that is on"
    yield Fault("trains, and no tracker sees its numbers", f"{path} line {line}", allowed, "wire one, or --env SMOKE=1")


def _published(job: Paid, scripts: Mapping[str, Script]) -> Iterator[Fault]:
    """Curves leave the job by choice alone: to a Space that may be written, and private unless it may be public."""
    found = [(path, board) for path, script in scripts.items() for board in monitoring.dashboards(script)]
    for where, board in dict.fromkeys(found + _asked_dashboards(job)):
        yield from _dashboard_fault(job, where if board.line == 0 else f"{where} line {board.line}", board)
    for path, script in scripts.items():
        line = monitoring.publishes_unasked(script, script.pushes())
        if line is not None:
            told = "pushes with Trackio's report: transformers then publishes the metrics as a Space of its own"
            instead = "trackio_static_space_id=False in the training arguments"
            yield Fault(told, f"{path} line {line}", instead, f"set {instead}, or name a Space with trackio_space_id")


def _asked_dashboards(job: Paid) -> list[tuple[str, Dashboard]]:
    """Those that arguments and variables of the job name; a variable's privacy is the script's `trackio.init`."""
    names = ("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id")
    is_private = job.options.get("hub_private_repo", "").lower() not in FALSE
    kinds = {"trackio_space_id": is_private, "trackio_bucket_id": True, "trackio_static_space_id": False}
    found = [("arguments", Dashboard(0, f"--{n}", job.options[n], kinds[n])) for n in names if n in job.options]
    given = {name: job.env.get(name) for name in (monitoring.SPACE_VARIABLE, *monitoring.STORE_VARIABLES)}
    return found + [("--env", Dashboard(0, name, repo, True)) for name, repo in given.items() if repo]


def _dashboard_fault(job: Paid, where: str, board: Dashboard) -> Iterator[Fault]:
    wrong = [*_repo_fault(job, where, board.what, board.repo)]
    yield from wrong
    if not wrong and board.repo and not board.is_private and not job.may_publish(board.repo):
        told = f"{board.what} would make the Space {board.repo[:80]!r} public"
        yield Fault(told, where, "a private Space", "private=True in trackio.init, hub_private_repo=True in a Trainer")
