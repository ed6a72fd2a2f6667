"""What a local job is started with: arguments, dependencies, environment; and what is refused before that."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from backends.local_harness import ON_LINUX, WHY_LINUX, Harness
from mlresearch.backends import SourceFile
from mlresearch.errors import BackendError, UsageError

LINUX = pytest.mark.skipif(not ON_LINUX, reason=WHY_LINUX)

ARGUMENTS = [
    pytest.param("two words", id="space"),
    pytest.param("", id="empty"),
    pytest.param('it\'s "quoted" \\ `so`', id="quotes"),
    pytest.param("line\nline\ttab\r", id="newline"),
    pytest.param("größe 学習 🎯", id="not ascii"),
    pytest.param("\udcff\udc80", id="bytes that are no text"),
    pytest.param("$HOME * {out} %s", id="would expand in a shell"),
    pytest.param("--help", id="an option of uv"),
    pytest.param("--", id="dashes"),
    pytest.param("x" * 100_000, id="long"),
]


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_an_argument_arrives_as_it_was_given(local: Harness, argument: str) -> None:
    local.run("import sys; print(ascii(sys.argv[1:]))", args=(argument, "end"))

    assert local.lines() == [ascii([argument, "end"])]


def test_uv_hands_the_arguments_on_unchanged(local: Harness, uv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(uv, monkeypatch, local)
    arguments = tuple(str(case.values[0]) for case in ARGUMENTS)
    report = local.run("import sys; print(ascii(sys.argv[1:]))", args=arguments)

    assert report.stage == "COMPLETED", local.lines()
    assert local.lines() == [ascii(list(arguments))]


def test_dependencies_are_installed_from_the_header_and_from_the_spec(
    local: Harness, uv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(uv, monkeypatch, local)
    asked, added = (wheel(local.path(""), name) for name in ("asked_for", "added_to"))
    header = f"# /// script\n# dependencies = ['asked_for @ {asked}']\n# ///\n"
    source = header + "import asked_for, added_to\nprint(asked_for.NAME, added_to.NAME)"
    report = local.run(source, deps=(f"added_to @ {added}",))

    assert report.stage == "COMPLETED", local.lines()
    assert local.lines() == ["asked_for added_to"]


@LINUX
def test_a_timeout_under_uv_ends_uv_and_its_child(local: Harness, uv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(uv, monkeypatch, local)
    report = local.run("import time; time.sleep(60)", timeout_s=1)

    assert report.stage == "TIMEOUT"
    assert not local.members()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"deps": ("numpy",)}, id="in the spec"),
        pytest.param({"python": "3.12"}, id="a python version"),
        pytest.param(
            {"files": (SourceFile("t.py", b"# /// script\n# dependencies = ['numpy']\n# ///\n"),)},
            id="in the header",
        ),
        pytest.param({"files": (SourceFile("t.py", b"# /// script\n# what\n# ///\n"),)}, id="unreadable header"),
    ],
)
def test_without_uv_a_script_with_needs_is_refused(local: Harness, changes: dict[str, object]) -> None:
    with pytest.raises(BackendError, match="pip install uv"):
        local.start("", **changes)
    assert local.backend.list() == []


def test_a_uv_variable_that_names_no_program_is_refused(local: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/nowhere/uv")
    with pytest.raises(BackendError, match="/nowhere/uv"):
        local.start("")


def test_the_environment_is_clean_and_a_secret_comes_only_by_name(
    local: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHASHSEED")
    for name in (*leaks, "UV_PUBLISH_TOKEN", "NAMED"):
        monkeypatch.setenv(name, f"value-of-{name}")
    monkeypatch.setenv("LC_TIME", "C")
    source = "import json, os; print(json.dumps(dict(os.environ)))"
    local.run(source, job="plain", env=(("EPOCHS", "3"), ("OMP_NUM_THREADS", "2")))
    local.run(source, job="trusted", secrets=("NAMED",))
    plain, trusted = (json.loads(local.lines(job)[0]) for job in ("plain", "trusted"))

    assert not {*leaks, "UV_PUBLISH_TOKEN", "NAMED"} & {*plain}
    assert not {*leaks, "UV_PUBLISH_TOKEN"} & {*trusted}
    given = {
        "EPOCHS": "3",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "LC_TIME": "C",
        "ML_RESEARCH_JOB": "plain",
        "ML_RESEARCH_ROOT": local.root,
        "ML_RESEARCH_OUT": str(local.out("", "plain")).rstrip("/"),
    }
    assert given.items() <= plain.items()
    assert plain["HF_TOKEN_PATH"] == trusted["HF_TOKEN_PATH"] == os.devnull
    assert trusted["NAMED"] == "value-of-NAMED"
    assert "HF_HUB_OFFLINE" not in trusted
    stored = [path for path in Path(local.folder("trusted").path).rglob("*.json")]
    assert len(stored) == 3
    assert not [path for path in stored if "value-of" in path.read_text()]


@LINUX
def test_a_job_finds_no_token_in_the_processes_above_it(local: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_value")
    source = """
import os
pid = os.getppid()
while b"runner.py" in open(f"/proc/{pid}/cmdline", "rb").read():
    print("hf_value" in open(f"/proc/{pid}/environ").read())
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
"""
    local.run(source)

    assert local.lines() == ["False", "False"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"job": "../escape"}, "job name", id="job name"),
        pytest.param({"job": ".hidden"}, "job name", id="hidden job"),
        pytest.param({"label": " "}, "label", id="blank label"),
        pytest.param({"timeout_s": 0}, "timeout", id="no time"),
        pytest.param({"timeout_s": True}, "timeout", id="a timeout that is no number"),
        pytest.param({"memory_mb": 0}, "memory", id="no memory"),
        pytest.param({"files": ()}, "files", id="no script"),
        pytest.param({"files": (SourceFile("run.sh", b""),)}, "run.sh", id="shell script"),
        pytest.param({"files": (SourceFile("../t.py", b""),)}, "../t.py", id="file outside"),
        pytest.param({"files": (SourceFile("/t.py", b""),)}, "/t.py", id="absolute file"),
        pytest.param({"files": (SourceFile("t.py", b""),) * 2}, "t.py", id="file twice"),
        pytest.param({"files": (SourceFile("t.py", b""), SourceFile("t.py/x", b""))}, "t.py/x", id="file as folder"),
        pytest.param({"env": (("1A", ""),)}, "1A", id="variable name"),
        pytest.param({"args": ("a\0b",)}, "NUL", id="argument with NUL"),
        pytest.param({"deps": ("--index",)}, "--index", id="option as dependency"),
        pytest.param({"python": ""}, "python version", id="empty python"),
        pytest.param({"secrets": ("NOT_SET_HERE",)}, "NOT_SET_HERE", id="secret that is not set"),
        pytest.param({"flavor": "a100-large"}, "cpu", id="flavor"),
        pytest.param({"launcher": "torchrun"}, "torchrun", id="launcher"),
        pytest.param({"image": "ubuntu"}, "image", id="image"),
        pytest.param({"namespace": "team"}, "namespace", id="namespace"),
        pytest.param({"args": ("x" * 131_072,)}, "131071 each", id="argument too long"),
        pytest.param({"args": ("x" * 100_000,) * 80}, "bytes together", id="arguments too long together"),
    ],
)
def test_a_spec_that_can_not_run_is_refused_and_leaves_nothing(
    local: Harness, changes: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError) as refused:
        local.start("", **changes)
    assert named in str(refused.value)
    assert os.listdir(local.root) == []


def use(uv: str, monkeypatch: pytest.MonkeyPatch, local: Harness) -> None:
    """The real uv, this python, no network, and a cache of its own."""
    monkeypatch.setenv("UV", uv)
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(local.path("uv-cache")))


def wheel(folder: Path, name: str) -> str:
    """A package with one constant, as the address of a wheel file."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    members = {
        f"{name}.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"]))
    return path.as_uri()
