"""The hf backend pointed at the emulated service, and what travels in a job's command."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes.hf_jobs import Emulator
from mlresearch import program
from mlresearch.backends import ENDED, JobRef, JobReport, JobSpec, SourceFile
from mlresearch.backends.hf import HfBackend
from mlresearch.backends.hf_hub import Patience
from mlresearch.campaign import approval

REPO = Path(__file__).resolve().parents[2]
TOKEN = "hf_" + "EmulatedTokenOfNobodyAtAll01234567"
FAST = Patience(request_s=0.5, silence_s=0.5, drained_s=0.2, pause_s=0.01, attempts=3, certain_s=0)
CALM = Patience(request_s=20.0, silence_s=20.0, drained_s=0.2, pause_s=0.01, attempts=3, certain_s=0)
PATIENCE_S = 30.0


def backend(hub: Emulator, patience: Patience = CALM) -> HfBackend:
    return HfBackend(hub.url, patience)


def spec(source: str | bytes = "", **changes: object) -> JobSpec:
    content = source.encode() if isinstance(source, str) else source
    plain = JobSpec(
        job="j0001",
        label="",
        files=(SourceFile("train.py", content),),
        args=(),
        deps=(),
        flavor="cpu-basic",
        timeout_s=60,
        env=(),
        secrets=(),
        labels=(),
        namespace="ada",
        python=None,
        launcher="python",
        image=None,
        memory_mb=None,
    )
    made = replace(plain, **changes)  # type: ignore[arg-type]
    return replace(made, label=made.label or f"mlr-label-{made.job}")


def sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """The files and the command that a submit carries."""
    python, option, _, *pieces = body["command"]
    assert (python, option) == ("python3", "-c")
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode("".join(pieces))))
    return found


def until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def ended(engine: HfBackend, ref: JobRef) -> JobReport:
    until(lambda: engine.inspect(ref).stage in ENDED)
    return engine.inspect(ref)


def seal(root: Path, tracking: str = "local", **limits: object) -> None:
    """Approve a program in `root` whose jobs may run on hf."""
    template = (REPO / "program.template.md").read_text()
    blocks = program.parse(template).blocks
    blocks["Run"] |= {"backend": "hf", "flavor": "l40sx1", "timeout": "1h", "memory": None, "tracking": tracking}
    blocks["Run"]["args"], blocks["Goal"]["final"] = [], None  # both read files of this machine
    blocks["Scope"]["sealed_data"] = []
    blocks["Budget envelope"] |= {
        "backends": ["hf"],
        "allowed_flavors": ["cpu-basic", "l40sx1"],
        "max_timeout": "2h",
        "max_usd": 10,
        "reserve_final": 0,
        **limits,
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "program.md").write_text(program.written(template, blocks))
    approval.approve(str(root), program.load(str(root)).digest)
