"""What a local job is started with: its command, its environment, its default memory limit.

Owns the refusals that are the local backend's own (launcher, image, namespace, sizes). Starts nothing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib

from mlresearch.backends import JobSpec
from mlresearch.errors import BackendError, UsageError

HUB = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE")  # where it is, and its caches
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "USER", "SHELL", "PIP_FIND_LINKS", "REQUESTS_CA_BUNDLE", *HUB)
# a job that was given no token shall not find the one of a login either: it can read what is public, and write nothing
WITHOUT_TOKEN = {"HF_TOKEN_PATH": os.devnull, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
INHERITED_PREFIXES = ("LC_", "UV_", "SSL_CERT_", "XDG_")
# uv counts its own nesting in one, and publishes packages with the others: none is a job's business
NOT_INHERITED = ("UV_RUN_RECURSION_DEPTH", "UV_PUBLISH_")

# uv and Python add a few variables of their own before the script starts
ARGUMENT_HEADROOM = 16 * 1024
LONGEST_ARGUMENT = 128 * 1024 - 1  # Linux: 32 pages, with the closing zero
LINUX_MOST = 6 * 1024 * 1024  # the kernel's cap, whatever sysconf derives from the stack limit

MEMORY_SHARE = 0.75

_HEADER = re.compile(r"^# /// script\s*\n((?:#(?: .*)?\n)*?)# ///\s*$", re.MULTILINE)


def check(spec: JobSpec) -> None:
    """Raise UsageError for what this machine can not give a job."""
    if spec.launcher != "python":
        raise UsageError(f"launcher {spec.launcher!r} is not available on backend local", "python")
    if spec.image is not None:
        raise UsageError(f"image {spec.image!r}: backend local runs no containers", "no image")
    if spec.namespace is not None:
        raise UsageError(f"namespace {spec.namespace!r}: backend local has none", "no namespace")
    entry = spec.files[0].path
    if not entry.endswith(".py"):
        raise UsageError(f"script {entry!r} is not Python", "a file that ends in .py")
    for name in spec.secrets:
        if name not in os.environ:
            raise UsageError(f"secret {name} is not set", "variables that are set here", f"export {name}=...")


def command(spec: JobSpec, folder: str) -> list[str]:
    """The command line, its program an absolute path; raises BackendError if it needs uv in vain."""
    script = f"{folder}/src/{spec.files[0].path}"
    uv = find_uv()
    if uv is not None:
        options = [] if spec.python is None else ["--python", spec.python]
        for requirement in spec.deps:
            options += ["--with", requirement]
        return [uv, "run", "--no-project", "--quiet", *options, "--script", script, *spec.args]
    if spec.deps or spec.python is not None or _declares_needs(spec.files[0].content):
        raise BackendError(
            f"job {spec.job} needs uv for its dependencies, and uv is not installed",
            "without uv: scripts with no dependencies",
            "python3 -m pip install uv",
        )
    return [sys.executable, script, *spec.args]


def find_uv() -> str | None:
    """The uv binary from $UV, PATH or the `uv` package; raises BackendError when $UV names none."""
    named = os.environ.get("UV")
    if named:
        found = shutil.which(named)
        if found is None:
            raise BackendError(f"UV={named} is not a program", next_step="unset UV, or point it at uv")
        return os.path.abspath(found)
    found = shutil.which("uv")
    if found is not None:
        return os.path.abspath(found)
    if importlib.util.find_spec("uv") is None:
        return None
    return str(importlib.import_module("uv").find_uv_bin())


def _declares_needs(source: bytes) -> bool:
    """True when a script's PEP 723 header asks for anything, or can not be read."""
    found = _HEADER.search(source.decode("utf-8", "replace").replace("\r\n", "\n"))
    if found is None:
        return False
    try:
        header = tomllib.loads("".join(line[2:] or "\n" for line in found[1].splitlines(keepends=True)))
    except tomllib.TOMLDecodeError:
        return True
    return bool(header.get("dependencies")) or "requires-python" in header


def environment(spec: JobSpec, root: str, folder: str) -> dict[str, str]:
    """A clean environment: what is inherited by name, what we set, then the spec's own, then its secrets.

    Without a secret a job does not reach the Hub, unless its spec sets HF_HUB_OFFLINE=0 to read there.
    """
    inherited = {name: value for name, value in os.environ.items() if _is_inherited(name)}
    inherited["PATH"] = _path_outside_venv(inherited.get("PATH", os.defpath))
    ours = {
        "PYTHONUNBUFFERED": "1",
        "ML_RESEARCH_JOB": spec.job,
        "ML_RESEARCH_OUT": folder + "/out",
        "ML_RESEARCH_ROOT": root,
        # several jobs share a machine, and a thread pool of all cores in each makes all of them slower
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if spec.flavor == "cpu":
        ours["CUDA_VISIBLE_DEVICES"] = ""
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        ours["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    if not spec.secrets:
        ours["HF_HUB_OFFLINE"] = "1"
    closed = {} if "HF_TOKEN" in spec.secrets else WITHOUT_TOKEN
    return inherited | ours | dict(spec.env) | closed | {name: os.environ[name] for name in spec.secrets}


def _is_inherited(name: str) -> bool:
    if name.startswith(NOT_INHERITED):
        return False
    return name in INHERITED or name.startswith(INHERITED_PREFIXES)


def _path_outside_venv(path: str) -> str:
    """PATH without the caller's virtual environment: else uv runs the job with the caller's packages."""
    own = {os.environ.get("VIRTUAL_ENV", "") + "/bin"}
    if sys.prefix != sys.base_prefix:
        own.add(sys.prefix + "/bin")
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if entry.rstrip("/") not in own)


def check_size(command: list[str], environment: dict[str, str]) -> None:
    """Raise UsageError for a command line that the system would refuse to start, or could not encode."""
    try:
        sizes = [len(os.fsencode(text)) for text in command]
        sizes += [len(os.fsencode(f"{name}={value}")) for name, value in environment.items()]
    except UnicodeEncodeError as error:
        raise UsageError(f"{error.object[:80]!r} can not be encoded in this machine's locale") from None
    longest, total, most = max(sizes), sum(sizes) + 9 * len(sizes), _most()
    if total > most or longest > LONGEST_ARGUMENT:
        raise UsageError(
            f"arguments and environment take {total} bytes, the longest {longest}",
            f"{most} bytes together, {LONGEST_ARGUMENT} each",
            "put the text in a file of the job",
        )


def _most() -> int:
    return min(os.sysconf("SC_ARG_MAX"), LINUX_MOST) - ARGUMENT_HEADROOM


def has_gpu() -> bool:
    """True when nvidia-smi lists a device; it can take a second to answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and "GPU " in told.stdout


@functools.cache
def default_memory_mb() -> int:
    """75 % of the machine's memory, or of the container's where that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            total = min(total, int(file.read()))
    except (OSError, ValueError):  # no container, or "max"
        pass
    return int(total * MEMORY_SHARE) >> 20
