"""What travels to the Hub when a job is submitted, and what is refused before anything does."""

from __future__ import annotations

import base64
import json
import os
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN, backend, ended, sent, spec
from fakes.hf_jobs import Emulator
from mlresearch.backends import JobRef, JobSpec, SourceFile
from mlresearch.backends.hf_spec import LONGEST_PAYLOAD, UV_IMAGE
from mlresearch.errors import UsageError
from mlresearch.jobs.order import PLACES

TELL = "import json, sys; print(json.dumps(sys.argv[1:]))"
AWKWARD = (
    "two words",
    "'\"`",
    "line\nbreak",
    "naïve 模型 🙂",
    "",
    "--flag",
    "$(HOME) $HOME %PATH%",
    "*",
    "\\",
    "\udcff",
)


def ran(hub: Emulator, made: JobSpec) -> list[str]:
    """The log of a job that really ran and completed."""
    engine = backend(hub)
    ref = engine.submit(made)
    report, lines = ended(engine, ref), list(engine.logs(ref))
    assert report.stage == "COMPLETED", (report, lines)
    return lines


@pytest.mark.parametrize(
    "image", [pytest.param(None, id="by uv"), pytest.param("python:3.12", id="by the image's own python")]
)
def test_arguments_reach_a_real_job_as_they_were_given(
    running_hub: Emulator, image: str | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if image is None:
        uv = request.getfixturevalue("uv")
        monkeypatch.setenv("PATH", os.path.dirname(uv) + os.pathsep + os.environ["PATH"])

    [told] = ran(running_hub, spec(TELL, args=AWKWARD, image=image))

    assert tuple(json.loads(told)) == AWKWARD


def test_a_script_of_300_kb_that_can_not_be_packed_runs(running_hub: Emulator) -> None:
    noise = base64.b85encode(random.Random(0).randbytes(240_000)).decode()
    source = f"import hashlib\nDATA = {noise!r}\nprint(len(DATA), hashlib.sha256(DATA.encode()).hexdigest()[:8])\n"
    assert len(source) > 300_000

    assert ran(running_hub, spec(source, image="python:3.12")) == [f"300000 {sha256(noise.encode()).hexdigest()[:8]}"]


def test_an_argument_finds_a_file_beside_the_script(running_hub: Emulator) -> None:
    files = (SourceFile("train.py", b"import sys; print(open(sys.argv[1]).read())"), SourceFile("a/b.yaml", b"x: 1"))

    assert ran(running_hub, spec(files=files, args=(f"{PLACES['src']}/a/b.yaml",), image="python:3.12")) == ["x: 1"]


def test_files_beside_the_script_run_in_their_folders_and_bytes_survive(running_hub: Emulator) -> None:
    files = (
        SourceFile(
            "train.py", b"import lib.model, os; lib.model.say(); print(os.getcwd() == os.environ['ML_RESEARCH_OUT'])"
        ),
        SourceFile("lib/__init__.py", b""),
        SourceFile("lib/model.py", "def say(): print('模型')".encode()),
        SourceFile("lib/table.bin", bytes(range(256))),
    )

    assert ran(running_hub, spec(files=files, image="python:3.12")) == ["模型", "True"]
    [body] = running_hub.bodies
    assert [path for path, _ in sent(body)["files"]] == [file.path for file in files]
    assert sent(body)["files"][3][1].encode("latin-1") == bytes(range(256))


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        pytest.param({}, "uv run --no-project --quiet --script ../src/train.py", id="plain"),
        pytest.param(
            {"deps": ("transformers>=4.50", "trl[vllm]==1.16; python_version > '3.9'"), "python": "3.12"},
            "uv run --no-project --quiet --python 3.12 --with transformers>=4.50 "
            "--with trl[vllm]==1.16; python_version > '3.9' --script ../src/train.py",
            id="requirements",
        ),
        pytest.param({"image": "pytorch/pytorch"}, "python3 ../src/train.py", id="an image"),
        pytest.param(
            {"image": "pytorch/pytorch", "deps": ("trl",)},
            "uv run --no-project --quiet --with trl --script ../src/train.py",
            id="an image and requirements",
        ),
        pytest.param(
            {"image": "pytorch/pytorch", "launcher": "torchrun", "args": ("--lr", "1")},
            "torchrun --standalone --nproc-per-node=gpu ../src/train.py --lr 1",
            id="torchrun",
        ),
        pytest.param(
            {"launcher": "accelerate", "deps": ("accelerate",)},
            "uv run --no-project --quiet --with accelerate accelerate launch ../src/train.py",
            id="accelerate",
        ),
        pytest.param(
            {"launcher": "accelerate", "source": "# /// script\n# dependencies = ['accelerate']\n# ///\n"},
            "uv run --no-project --quiet --with-requirements ../src/train.py accelerate launch ../src/train.py",
            id="a launcher and a header",
        ),
    ],
)
def test_requirements_and_launchers_become_one_command(hub: Emulator, changes: dict[str, Any], command: str) -> None:
    source = changes.pop("source", "")
    backend(hub).submit(spec(source, **changes))

    [body] = hub.bodies
    assert " ".join(sent(body)["command"]) == command
    assert body["dockerImage"] == changes.get("image", UV_IMAGE)


def test_an_image_without_the_program_says_so(running_hub: Emulator, tmp_path: Path) -> None:
    engine = backend(running_hub)
    ref = engine.submit(spec(launcher="torchrun", image="python:3.12"))

    assert ended(engine, ref).stage == "FAILED"
    assert "the image has no torchrun" in " ".join(engine.logs(ref))


def test_the_submit_carries_what_was_asked_and_nothing_that_a_cluster_would_expand(
    hub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB", "hidden value")
    made = spec(
        "print()",
        flavor="l40sx1",
        timeout_s=3541,
        env=(("MODE", "a $(B)\nc"),),
        secrets=("WANDB", "HF_TOKEN"),
        labels=(("round", "3"), ("ml-research", "mlr-label-j0001")),
        args=("$(HOME)",),
    )
    ref = backend(hub).submit(made)

    [body] = hub.bodies
    assert ref == JobRef("hf", f"ada/{next(iter(hub.jobs))}", f"{hub.url}/jobs/ada/{next(iter(hub.jobs))}")
    assert (body["flavor"], body["timeoutSeconds"]) == ("l40sx1", 3541)
    assert body["secrets"] == {"WANDB": "hidden value", "HF_TOKEN": TOKEN}
    assert body["environment"] == {"PYTHONUNBUFFERED": "1", "ML_RESEARCH_JOB": "j0001", "MODE": "a $(B)\nc"}
    assert body["labels"] == {
        "ml-research": "mlr-label-j0001",
        "ml-research-timeout": "3541",
        "name": "j0001",
        "round": "3",
    }
    assert "attempts" not in body
    assert "$" not in "".join(body["command"])
    assert max(map(len, body["command"])) < 128 * 1024


def test_the_token_of_the_login_cache_can_be_a_jobs_secret(
    hub: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "cached"
    path.write_text(TOKEN)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(path))
    backend(hub).submit(spec(secrets=("HF_TOKEN",)))

    assert hub.bodies[0]["secrets"] == {"HF_TOKEN": TOKEN}


def test_the_namespace_is_resolved_once_and_always_named(hub: Emulator) -> None:
    engine = backend(hub)

    assert [engine.namespace(), engine.namespace("lab"), engine.namespace()] == ["ada", "lab", "ada"]
    refs = [engine.submit(spec(job=f"j{n}", namespace=where)) for n, where in enumerate((None, "lab"))]
    assert [ref.job_id.split("/")[0] for ref in refs] == ["ada", "lab"]
    for ref in refs:
        engine.inspect(ref)
        engine.cancel(ref)
    assert hub.requests.count("GET /api/whoami-v2") == 1


def test_a_named_namespace_needs_no_question_about_the_token(hub: Emulator) -> None:
    engine = backend(hub)
    engine.cancel(engine.submit(spec(namespace="lab")))

    assert "GET /api/whoami-v2" not in hub.requests


def test_a_second_submit_with_the_same_label_returns_the_first_job(hub: Emulator) -> None:
    engine = backend(hub)

    assert engine.submit(spec("1")) == engine.submit(spec("2")) == backend(hub).submit(spec("3"))
    assert len(hub.jobs) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"memory_mb": 500}, "flavor brings its own", id="memory"),
        pytest.param({"launcher": "deepspeed"}, "torchrun", id="a launcher"),
        pytest.param({"namespace": "a/b"}, "namespace", id="a namespace that is none"),
        pytest.param({"namespace": ""}, "namespace", id="an empty namespace"),
        pytest.param({"secrets": ("NOT_SET",)}, "export NOT_SET", id="a secret that is not set"),
        pytest.param({"secrets": ("HF_TOKEN",), "env": (("HF_TOKEN", "x"),)}, "both", id="variable and secret"),
        pytest.param({"args": ("--token", TOKEN)}, "an argument holds", id="a secret as argument"),
        pytest.param({"args": (f"--token={TOKEN[:-1]}9",)}, "an argument holds", id="another's token"),
        pytest.param({"env": (("A", f"x{TOKEN}"),)}, "the variable A holds", id="a secret as variable"),
        pytest.param({"deps": (f"a @ git+https://u:{TOKEN}@h/a",)}, "a dependency holds", id="in a requirement"),
        pytest.param({"labels": (("a", TOKEN),)}, "the label a holds", id="in a label"),
        pytest.param({"source": f"login('{TOKEN}')"}, "train.py holds", id="in the script"),
        pytest.param({"labels": (("a", "b c"),)}, "up to 100 letters", id="a label with a space"),
        pytest.param({"labels": (("a", "b" * 101),)}, "up to 100 letters", id="a long label"),
        pytest.param({"label": "a=b"}, "up to 100 letters", id="our label, malformed"),
        pytest.param({"labels": (("ml-research", "else"),)}, "is ours", id="our own label"),
        pytest.param({"labels": (("name", "else"),)}, "is ours", id="the name"),
        pytest.param({"timeout_s": 0}, "timeout", id="no timeout"),
        pytest.param({"deps": ("--index-url=x",)}, "dependency", id="an option as requirement"),
        pytest.param(
            {"source": random.Random(1).randbytes(LONGEST_PAYLOAD * 3 // 4)}, "let the script download", id="too large"
        ),
    ],
)
def test_what_must_not_be_sent_is_refused_before_any_job_exists(
    hub: Emulator, changes: dict[str, Any], told: str
) -> None:
    source = changes.pop("source", "")
    with pytest.raises(UsageError) as raised:
        backend(hub).submit(spec(source, **changes))

    assert told in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert "POST /api/jobs/ada" not in hub.requests
