"""What a job is on the Hub: image, command, labels, environment, secrets. Sends nothing.

Script, companions, arguments and dependencies travel inside the command, packed and base64-encoded in pieces: no
bucket is written, no shell reads them, and what was hashed here is what runs there. Secrets travel apart from all that,
by name.
"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlresearch import backends
from mlresearch.backends import JobSpec
from mlresearch.errors import UsageError
from mlresearch.redact import Redactor

# what huggingface_hub itself takes for a script: Debian with Python 3.12 and uv
UV_IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
BOOTSTRAP = Path(__file__).with_name("hf_bootstrap.py").read_text()

LABEL = "ml-research"
TIMEOUT_LABEL = "ml-research-timeout"  # the Hub does not tell a job's timeout again, and a report needs it

# Linux takes 128 KiB for one argument and, under the usual stack limit, 2 MiB for all with the environment. The
# half of that also stays under the 1.5 MiB that a cluster's store takes for one object. A script of 300 kB that
# can not be packed at all needs 400 kB; ordinary code packs to a third.
PIECE = 100_000
LONGEST_PAYLOAD = 1 << 20

LAUNCHERS: Mapping[str, tuple[str, ...]] = {
    "python": (),
    "torchrun": ("torchrun", "--standalone", "--nproc-per-node=gpu"),
    "accelerate": ("accelerate", "launch"),
}

_LABEL_TEXT = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HEADER = re.compile(rb"^# /// script\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Submission:
    """The Hub's words for a JobSpec. `secrets` holds values: it is sent, and never shown or kept."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    labels: Mapping[str, str]


def prepare(spec: JobSpec, values: Mapping[str, str], redactor: Redactor) -> Submission:
    """The submission of `spec`; raises UsageError for what the Hub can not run or must not see.

    `values` are the secrets that may be sent, by name; `redactor` knows what must not travel in the open.
    """
    _check(spec, redactor)
    secrets = {name: _secret(name, values) for name in spec.secrets}
    ours = {"PYTHONUNBUFFERED": "1", "ML_RESEARCH_JOB": spec.job}
    return Submission(
        image=spec.image or UV_IMAGE,
        command=("python3", "-c", BOOTSTRAP, *_pieces(spec)),
        environment=ours | dict(spec.env),
        secrets=secrets,
        labels=_labels(spec),
    )


def secret_values(names: tuple[str, ...], token: str | None) -> dict[str, str]:
    """Those of the named secrets that are set: in the environment, or the Hub's own token in the login cache."""
    found = {"HF_TOKEN": token or ""} | dict(os.environ)
    return {name: found[name] for name in names if found.get(name)}


def check_namespace(namespace: str) -> str:
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(f"namespace {namespace[:60]!r} is none", "a user or an organization of the Hub")
    return namespace


def _check(spec: JobSpec, redactor: Redactor) -> None:
    backends.check(spec)
    if spec.launcher not in LAUNCHERS:
        raise UsageError(f"launcher {spec.launcher!r} is not available on backend hf", ", ".join(LAUNCHERS))
    if spec.memory_mb is not None:
        told = f"memory {spec.memory_mb} MB: on backend hf a flavor brings its own"
        raise UsageError(told, "no memory limit", "jobs.py hardware --backend hf")
    twice = {name for name, _ in spec.env} & {*spec.secrets}
    if twice:
        raise UsageError(f"{', '.join(sorted(twice))} is both a variable and a secret", "one of the two")
    _must_hold_no_secret(spec, redactor)


def _must_hold_no_secret(spec: JobSpec, redactor: Redactor) -> None:
    """Anybody who may see the job sees its command, environment and labels."""
    places = [("an argument", text) for text in spec.args]
    places += [("a dependency", text) for text in spec.deps]
    places += [(f"the variable {name}", value) for name, value in spec.env]
    places += [(f"the label {name}", value) for name, value in spec.labels]
    places += [(file.path, file.content.decode("utf-8", "replace")) for file in spec.files]
    for place, text in places:
        if redactor.finds(text):
            told = f"{place} holds the value of a secret"
            raise UsageError(told, "secrets by name", "--secret NAME, and read it from the environment in the script")


def _secret(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise UsageError(f"secret {name} is not set", "variables that are set here", f"export {name}=...")
    return values[name]


def _labels(spec: JobSpec) -> dict[str, str]:
    ours = {LABEL: spec.label, TIMEOUT_LABEL: str(spec.timeout_s), "name": spec.job[:100].replace(".", "-")}
    for name, value in spec.labels:
        if ours.setdefault(name, value) != value:
            raise UsageError(f"label {name!r} is ours", "another name")
    for name, value in ours.items():
        if not (_LABEL_TEXT.fullmatch(name) and _LABEL_TEXT.fullmatch(value)):
            raise UsageError(f"label {name[:60]}={value[:60]!r}", "up to 100 letters, digits, - and _ each")
    return ours


def _pieces(spec: JobSpec) -> list[str]:
    sent = {
        "files": [[file.path, file.content.decode("latin-1")] for file in spec.files],
        "command": _command(spec),
    }
    raw = json.dumps(sent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    packed = base64.b64encode(zlib.compress(raw, 9)).decode("ascii")
    if len(packed) > LONGEST_PAYLOAD:
        raise UsageError(
            f"files and arguments take {len(packed)} characters when packed",
            f"{LONGEST_PAYLOAD}: some megabytes of code",
            "put data or large modules in a repository of the Hub and let the script download them",
        )
    return [packed[start : start + PIECE] for start in range(0, len(packed), PIECE)]


def _command(spec: JobSpec) -> list[str]:
    """What the container runs in the folder out/, the files beside it in src/."""
    script, has_header = f"../src/{spec.files[0].path}", bool(_HEADER.search(spec.files[0].content))
    launcher = [*LAUNCHERS[spec.launcher]]
    if spec.image is not None and not (spec.deps or spec.python or has_header):
        # an image that somebody chose brings its own packages, which uv would hide
        return [*(launcher or ["python3"]), script, *spec.args]
    options = [] if spec.python is None else ["--python", spec.python]
    for requirement in spec.deps:
        options += ["--with", requirement]
    uv = ["uv", "run", "--no-project", "--quiet", *options]
    if not launcher:
        return [*uv, "--script", script, *spec.args]
    return [*uv, *(["--with-requirements", script] if has_header else []), *launcher, script, *spec.args]
