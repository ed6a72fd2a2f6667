"""Bad input by the real commands: exit 2, one line that says enough, one JSON object, and nothing lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cli.commands import TEMPLATE, Project, small_program

SUBMIT = ["submit", "--backend", "local", "--script", "train.py", "--flavor", "cpu", "--timeout", "1m"]


def changed(words: list[str], **changes: str) -> list[str]:
    """The call with some values replaced."""
    made = list(words)
    for name, value in changes.items():
        made[made.index(f"--{name}") + 1] = value
    return made


def refused(project: Project, script: str, *words: str | bytes, says_allowed: bool = True) -> str:
    """Run the call with and without --json; returns the line for a person after checking both forms."""
    before = project.files()
    plain, as_json = project.run(script, *words), project.run(script, *words, "--json")
    assert (plain.returncode, as_json.returncode) == (2, 2), plain.stderr + as_json.stderr
    assert plain.stdout == ""
    answer = json.loads(as_json.stdout)
    assert set(answer) == {"error", "allowed", "next"}
    assert answer["error"] and answer["next"], answer
    assert answer["allowed"] or not says_allowed, answer
    for found in (plain, as_json):
        check_line(found)
    assert project.files() == before, "a refusal changed a file"
    return plain.stderr


def check_line(found: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in found.stderr
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert found.stderr.startswith("error: ")
    assert len(found.stderr) < 1200


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without program.md."""
    return Project(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An approved campaign with a few rows, which no refusal may change."""
    project = Project(tmp_path_factory.mktemp("sealed"))
    project.approve(small_program())
    project.done("campaign.py", "start")
    return project


@pytest.fixture
def draft(tmp_path: Path) -> Project:
    return Project(tmp_path)


CALLS: dict[str, tuple[Sequence[str | bytes], list[str]]] = {
    "paid, neither envelope nor limit": (changed(SUBMIT, backend="hf", flavor="t4-small"), ["'hf'", "--max-usd"]),
    "unknown backend": ([*changed(SUBMIT, backend="cloud")], ["--backend 'cloud'", "hf, slurm, local"]),
    "unknown flavor": ([*changed(SUBMIT, flavor="a100")], ["flavor 'a100'", "cpu", "jobs.py hardware"]),
    "timeout in words": ([*changed(SUBMIT, timeout="soon")], ["timeout 'soon'", "1h30m"]),
    "timeout empty": (["submit", "--timeout=", *SUBMIT[1:-2]], ["--timeout"]),
    "timeout zero": ([*changed(SUBMIT, timeout="0")], ["timeout '0'", "above zero"]),
    "timeout negative": ([*changed(SUBMIT, timeout="-5m")], ["timeout '-5m'"]),
    "timeout NaN": ([*changed(SUBMIT, timeout="nan")], ["timeout 'nan'"]),
    "timeout for ever": ([*changed(SUBMIT, timeout="9" * 5000)], ["timeout '999", "366d"]),
    "script that does not exist": ([*changed(SUBMIT, script="none.py")], ["'none.py' does not exist", "--script"]),
    "script a folder": ([*changed(SUBMIT, script="data")], ["script 'data'"]),
    "script no Python": ([*changed(SUBMIT, script="data/test.npz")], ["'data/test.npz'", ".py"]),
    "limit NaN": ([*SUBMIT, "--max-usd", "nan"], ["--max-usd 'nan'", "2.50"]),
    "limit negative": ([*SUBMIT, "--max-usd", "-1"], ["--max-usd '-1'"]),
    "limit in words": ([*SUBMIT, "--max-usd", "ten"], ["--max-usd 'ten'"]),
    "variable without value": ([*SUBMIT, "--env", "X"], ["--env 'X'", "NAME=VALUE"]),
    "variable twice": ([*SUBMIT, "--env", "X=1", "--env", "X=2"], ["--env 'X=2'"]),
    "memory": ([*SUBMIT, "--memory", "lots"], ["memory 'lots'", "2g"]),
    "memory of 5,000 digits": ([*SUBMIT, "--memory", "9" * 5000 + "g"], ["memory", "2g"]),
    "option twice": ([*SUBMIT, "--timeout", "2m"], ["--timeout is given twice"]),
    "abbreviation": (["submit", "--back", "local"], ["unknown option '--back'", "--backend"]),
    "bytes that are no text": ([*SUBMIT, "--label", b"a=\xff"], ["UTF-8"]),
}  # fmt: skip


@pytest.mark.parametrize(("words", "told"), CALLS.values(), ids=CALLS)
def test_a_bad_submit_is_refused(empty: Project, words: Sequence[str | bytes], told: list[str]) -> None:
    line = refused(empty, "jobs.py", *words)
    for text in told:
        assert text in line


def test_a_paid_job_beside_a_program_that_nobody_approved_is_refused(draft: Project) -> None:
    (draft.root / "program.md").write_text(TEMPLATE)
    line = refused(draft, "jobs.py", *changed(SUBMIT, backend="hf", flavor="t4-small"), "--max-usd", "1")
    assert "program.md is not approved" in line


@pytest.mark.parametrize("script", ["none.py", "data/test.npz"])
def test_a_bad_script_is_refused_inside_an_envelope_too(sealed: Project, script: str) -> None:
    assert f"'{script}'" in refused(sealed, "jobs.py", *changed(SUBMIT, script=script))


PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "YAML error": ("models: []", "models: [", ["Scope: line ", "YAML"]),
    "unknown key": ("max_jobs: 100", "max_jobs: 100\nmax_dollars: 5", ["Budget envelope", "'max_dollars'"]),
    "jobs as text": ("max_jobs: 100", 'max_jobs: "12"', ["Budget envelope.max_jobs", "'12'", "integer"]),
    "negative": ("max_usd: 0", "max_usd: -5", ["Budget envelope.max_usd", "-5", "2.50"]),
    "NaN": ("max_usd: 0", "max_usd: .nan", ["Budget envelope.max_usd", ".nan"]),
    "infinity": ("min_effect: 0.002", "min_effect: 1e999", ["Goal", "1e999"]),
    "limit missing": ("max_walltime: 4h\n", "", ["Budget envelope", "'max_walltime' is a required property"]),
    "timeout unreadable": ("max_timeout: 10m", "max_timeout: a while", ["max_timeout", "'a while'", "1h30m"]),
    "5,000 digits": ("max_jobs: 100", "max_jobs: " + "9" * 5000, ["Budget envelope: line 3", "'999"]),
    "deep nesting": ("models: []", "models: " + "[" * 5000, ["Scope: line 1", "deep nesting"]),
    "NUL": ("models: []", "models: \0", ["Scope: line 1", "U+0000"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_bad_program_is_refused_by_check(draft: Project, old: str, new: str, told: list[str]) -> None:
    assert old in TEMPLATE
    (draft.root / "program.md").write_text(TEMPLATE.replace(old, new))
    line = refused(draft, "program.py", "check")
    for text in [*told, "next: edit program.md, then program.py check"]:
        assert text in line


@pytest.mark.parametrize(
    "call",
    [
        ("program.py", "show"),
        ("program.py", "approve", "--digest", "0123456789abcdef"),
        ("campaign.py", "start"),
    ],
    ids=lambda call: " ".join(call[:2]),
)
def test_a_bad_program_can_not_be_used_either(draft: Project, call: tuple[str, ...]) -> None:
    (draft.root / "program.md").write_text(TEMPLATE.replace("max_jobs: 100", 'max_jobs: "12"'))
    refused(draft, *call, says_allowed=call[1] != "start")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"## Budget envelope\n\xff", "not UTF-8"),
        (b"## Budget envelope\n" * 9999, "larger than"),
        (b"# Another file\n", "Budget envelope"),
        (None, "program.md"),
    ],
    ids=["not UTF-8", "too large", "not ours", "a folder"],
)
def test_a_file_that_is_no_program_is_refused(draft: Project, content: bytes | None, told: str) -> None:
    if content is None:
        (draft.root / "program.md").mkdir()
    else:
        (draft.root / "program.md").write_bytes(content)
    assert told in refused(draft, "program.py", "check")


@pytest.mark.parametrize("digest", ["", "0123456789abcdef", "x" * 64])
def test_another_digest_approves_nothing(draft: Project, digest: str) -> None:
    (draft.root / "program.md").write_text(TEMPLATE)
    refused(draft, "program.py", "approve", f"--digest={digest}")


VERBS = {
    "submit": ["submit", "--experiment", "e0099"],
    "decide": ["decide", "--experiment", "e0099"],
    "analyse": ["analyse", "--experiment", "e0099", "--file", "work/x.md"],
    "decide before it is measured": ["decide", "--experiment", "baseline"],
    "start again": ["start"],
    "collect for ever": ["collect", "--wait", "for ever"],
    "plan that does not exist": ["plan", "--file", "work/none.json"],
    "plan outside": ["plan", "--file", "../plan.json"],
    "plan a folder": ["plan", "--file", "data"],
    "plan no JSON": ["plan", "--file", "train.py"],
}


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_a_verb_of_a_campaign_refuses_what_it_can_not_do(sealed: Project, words: list[str]) -> None:
    refused(sealed, "campaign.py", *words, says_allowed=False)


@pytest.mark.parametrize(
    "verb", ["start", "plan --file x", "submit --experiment x", "collect", "status", "next", "report"]
)
def test_without_a_campaign_every_verb_says_how_to_begin(empty: Project, verb: str) -> None:
    assert "next: program.py init" in refused(empty, "campaign.py", *verb.split(), says_allowed=False)


@pytest.fixture
def cut(sealed: Project) -> Iterator[Project]:
    """The campaign with the last row of its ledger cut in half."""
    path = sealed.root / "runs/ledger.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - len(content.splitlines()[-1]) // 2])
    yield sealed
    path.write_bytes(content)


@pytest.mark.parametrize(
    "call",
    [
        ("campaign.py", "verify"),
        ("campaign.py", "status"),
        ("campaign.py", "next"),
        ("campaign.py", "submit", "--experiment", "baseline"),
        ("campaign.py", "run", "--quiet"),
        ("campaign.py", "finalize"),
        ("jobs.py", *SUBMIT),
        ("jobs.py", "reconcile"),
        ("program.py", "show"),
    ],
    ids=lambda call: " ".join(call[:2]),
)
def test_a_row_that_was_cut_in_half_stops_everything(cut: Project, call: tuple[str, ...]) -> None:
    line = refused(cut, *call)
    assert "row 2 is cut" in line if call[1] == "verify" else "ledger.jsonl has " in line


def test_a_row_cut_in_the_middle_of_the_file_is_named(sealed: Project) -> None:
    path = sealed.root / "runs/ledger.jsonl"
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    try:
        path.write_bytes(lines[0][: len(lines[0]) // 2] + b"\n" + b"".join(lines[1:]))
        assert "row 1 can not be read" in refused(sealed, "campaign.py", "verify")
    finally:
        path.write_bytes(content)


@pytest.fixture
def copy(sealed: Project) -> Iterator[Project]:
    """The sealed campaign, put back afterwards: for calls that book something."""
    kept = sealed.root.parent / "kept"
    shutil.copytree(sealed.root, kept / "project")
    shutil.copytree(sealed.data, kept / "data")
    yield sealed
    for path, name in ((sealed.root, "project"), (sealed.data, "data")):
        shutil.rmtree(path)
        (kept / name).rename(path)
    shutil.rmtree(kept)


def test_a_job_outside_the_envelope_is_refused_and_ends_the_campaign(copy: Project) -> None:
    before = copy.files()
    found = copy.run("jobs.py", *changed(SUBMIT, timeout="3m"), "--json")
    assert found.returncode == 2
    check_line(found)
    answer = json.loads(found.stdout)
    assert "max_timeout: asked 3m" in answer["error"]
    assert "100 jobs" in answer["allowed"]
    assert "finalize" in answer["next"]
    ledger = str(copy.root / "runs/ledger.jsonl")
    after = copy.files()
    assert after[ledger].startswith(before[ledger])
    assert json.loads(after[ledger].splitlines()[-1])["event"] == "stopped"
    assert not list(copy.root.glob("runs/jobs/*"))
    assert {name: after[name] for name in before if ".seal/" not in name and name != ledger} == {
        name: content for name, content in before.items() if ".seal/" not in name and name != ledger
    }


def test_a_pattern_that_matches_nothing_stops_the_campaign_and_shows_the_log(draft: Project) -> None:
    (draft.root / "train.py").write_text("print('accuracy 0.5')\n")
    draft.approve(small_program())
    draft.done("campaign.py", "start")
    draft.done("campaign.py", "submit", "--experiment", "baseline")
    deadline = time.monotonic() + 60
    while draft.done("campaign.py", "collect", "--wait", "5s")["open"]:
        assert time.monotonic() < deadline
    before = draft.files()
    found = draft.run("campaign.py", "decide", "--experiment", "baseline", "--json")
    assert found.returncode == 2
    check_line(found)
    answer = json.loads(found.stdout)
    assert "no line of the log matches '^val_accuracy: " in answer["error"]
    assert "runs/jobs/j0001/log.txt" in answer["error"]
    assert answer["allowed"] and answer["next"]
    ledger = str(draft.root / "runs/ledger.jsonl")
    after = draft.files()
    assert after.pop(ledger).startswith(before.pop(ledger))  # and a row that says why it stopped
    assert {name for name in before if before[name] != after[name] and ".seal/" not in name} == set()
