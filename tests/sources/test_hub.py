"""hub.py against emulated repositories, driven through the real client: reads, commits, pull requests, every fault."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.utils._http import default_client_factory

from cli.commands import small_program
from fakes.hub_repos import TOKEN, HubRepos, Repo
from fakes.table_server import KINDS, Answer, Fault, TableServer
from mlresearch import program
from mlresearch.cli import hub
from mlresearch.cli import program as program_command
from sources.lookups import LIMIT_S, Command, runner, saw_no_token, speaks_no_secret

READS = {"list": ("list", "--repo-id", "me/model"), "read": ("read", "--repo-id", "me/model", "--path", "README.md")}
UPLOAD = ("upload", "--repo-id", "me/model", "--path", "out.txt")
DELETE = ("delete", "--repo-id", "me/model", "--path", "train.log")
CASES = [(name, kind) for name in READS for kind in KINDS]
GENEROUS_S = 30.0  # the limit is one second; a hung call would be let go after sixty
LINES = "".join(f"line {place}\n" for place in range(1, 501))


@pytest.fixture
def elsewhere() -> Iterator[TableServer]:
    with TableServer(lambda asked: Answer(b"caught")) as server:
        yield server


@pytest.fixture
def hubs() -> HubRepos:
    hubs = HubRepos()
    files = {"README.md": "# Modell für alle\n".encode(), "train.log": LINES.encode(), "w.safetensors": b"\x08\0\0\0{}"}
    hubs.add(Repo("me/model", files={**files, "data/a.parquet": b"PAR1\0\0", "data/文.txt": b"x", "empty.txt": b""}))
    hubs.add(Repo("me/hidden", private=True, files={"a.txt": b"a"}))
    hubs.add(Repo("meta/gated", gated=True, files={"config.json": b"{}"}))
    hubs.add(Repo("other/prod", files={"a.txt": b"a"}))
    return hubs


@pytest.fixture
def server(
    hubs: HubRepos, elsewhere: TableServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TableServer]:
    """The Hub, and an empty project without a program as the working folder."""
    project = tmp_path / "project"
    project.mkdir()
    with TableServer(hubs.answer, elsewhere.url + "/trap") as server:
        monkeypatch.chdir(project)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
        (project / "out.txt").write_text("result: 0.9, für alle 你好\n")
        yield server
    huggingface_hub.set_client_factory(default_client_factory)


@pytest.fixture
def run(server: TableServer, capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(hub.run, capsys)


@pytest.fixture
def model(hubs: HubRepos) -> Repo:
    return hubs.repos["model", "me/model"]


def approve(capsys: pytest.CaptureFixture[str], **changes: str) -> None:
    """An approved program in the working folder; output_repos is me/model unless `changes` says otherwise."""
    text = small_program(**{"output_repos": "[me/model]", **changes})
    for name in ("train.py", "evaluate.py"):
        Path(name).write_text("print(1)\n")
    Path("data").mkdir()
    Path("data/test.npz").write_text("x")
    Path("program.md").write_text(text)
    assert program_command.run(["approve", "--digest", program.parse(text).digest]) == 0, capsys.readouterr().err
    capsys.readouterr()


def test_the_files_of_a_repository_are_listed_over_pages(run: Command, hubs: HubRepos, server: TableServer) -> None:
    hubs.page_size = 2
    found = run("list", "--repo-id", "me/model").data
    assert (found["count"], found["truncated"]) == (6, False)
    assert {each["path"]: each["size"] for each in found["files"]}["train.log"] == len(LINES)
    assert len(server.asked) == 3
    assert [each["path"] for each in run("list", "--repo-id", "me/model", "--path", "data").data["files"]] == [
        "data/a.parquet",
        "data/文.txt",
    ]


def test_a_text_is_read_by_lines(run: Command) -> None:
    words = ("read", "--repo-id", "me/model", "--path", "train.log")
    assert run(*words, "--lines", "499-").data["text"] == "line 499\nline 500"
    assert run(*words).data["truncated"] is False
    assert "100 more lines" in run(*words, plain=True).out
    assert "für alle" in run("read", "--repo-id", "me/model", "--path", "README.md").data["text"]
    assert run("read", "--repo-id", "me/model", "--path", "data/文.txt").data["text"] == "x"
    assert run("read", "--repo-id", "me/model", "--path", "empty.txt").data["text"] == ""


def test_what_is_no_text_is_described(run: Command) -> None:
    found = run("read", "--repo-id", "me/model", "--path", "data/a.parquet").data
    assert (found["text"], found["size"]) == (None, 6)
    assert "inspect_dataset.py" in found["what"]
    assert "weights" in run("read", "--repo-id", "me/model", "--path", "w.safetensors").data["what"]


def test_a_large_text_is_read_at_its_beginning_and_says_so(run: Command, model: Repo) -> None:
    model.files["big.txt"] = b"0123456789abcde\n" * 400_000
    done = run("read", "--repo-id", "me/model", "--path", "big.txt")
    assert done.data["truncated"]
    assert done.data["size"] == 6_400_000
    far = run("read", "--repo-id", "me/model", "--path", "big.txt", "--lines", "390000-")
    assert far.code == 1
    assert "beyond" in far.data["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", "--repo-id", "me/none"), "not on the Hub"),
        (("read", "--repo-id", "me/model", "--path", "none.txt"), "has no 'none.txt'"),
        (("list", "--repo-id", "me/model", "--revision", "v9"), "no such revision"),
        (("read", "--repo-id", "meta/gated", "--path", "config.json"), "no access"),
        (("list", "--repo-id", "me/model", "--repo-type", "dataset"), "the dataset repository me/model is not"),
    ],
)
def test_what_is_not_there_or_closed_is_told_apart(run: Command, words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert (done.code, set(done.data)) == (1, {"error", "allowed", "next"})
    assert told in done.data["error"]


def test_a_hidden_repository_is_read_with_its_token_alone(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("read", "--repo-id", "me/hidden", "--path", "a.txt")
    assert run(*words).data["text"] == "a"
    monkeypatch.delenv("HF_TOKEN")
    assert "no token is set" in run(*words).data["error"]


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_a_fault_of_a_read_is_one_line_and_no_token_leaves(
    run: Command,
    server: TableServer,
    elsewhere: TableServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: str,
) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", LIMIT_S)
    server.fault = Fault(kind)
    done = run(*READS[name])
    if name == "list" or kind not in ("redirect", "broken"):  # a file's bytes are what they are, from a CDN as well
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert set(done.data) == {"error", "allowed", "next"}
    speaks_no_secret(done)
    saw_no_token([elsewhere])


def test_an_upload_is_one_commit_and_the_same_again_is_none(run: Command, model: Repo) -> None:
    done = run(*UPLOAD)
    assert (done.code, done.data["changed"]) == (0, True), done.err
    assert model.files["out.txt"].decode() == "result: 0.9, für alle 你好\n"
    assert model.commits == ["initial commit", "Upload out.txt"]
    assert model.sha in done.data["url"]
    again = run(*UPLOAD)
    assert (again.code, again.data["changed"]) == (0, False), again.err
    assert len(model.commits) == 2
    Path("out.txt").write_text("better\n")
    assert run(*UPLOAD).data["changed"]
    assert len(model.commits) == 3


def test_a_folder_goes_up_whole_in_one_commit(run: Command, model: Repo) -> None:
    Path("runs/plots").mkdir(parents=True)
    Path("runs/a.csv").write_text("a\n")
    Path("runs/plots/b.svg").write_text("<svg/>")
    done = run("upload", "--repo-id", "me/model", "--path", "runs", "--path", "out.txt", "--to", "eval")
    assert sorted(done.data["files"]) == ["eval/a.csv", "eval/out.txt", "eval/plots/b.svg"]
    assert len(model.commits) == 2
    assert set(done.data["files"]) <= set(model.files)


@pytest.mark.parametrize(("to", "place"), [("r.txt", "r.txt"), ("a/r.txt", "a/r.txt"), ("a/", "a/out.txt")])
def test_to_names_a_file_or_a_folder(run: Command, model: Repo, to: str, place: str) -> None:
    assert run(*UPLOAD, "--to", to).data["files"] == [place]
    assert place in model.files


def test_a_new_repository_is_private(run: Command, hubs: HubRepos) -> None:
    done = run("upload", "--repo-id", "me/new", "--repo-type", "dataset", "--path", "out.txt")
    assert (done.code, done.data["created_private"]) == (0, True), done.err
    assert [each.get("visibility") for each in hubs.created] == ["private"]
    assert hubs.repos["dataset", "me/new"].files.keys() == {"out.txt"}


def test_a_space_or_a_pull_request_makes_no_repository(run: Command, hubs: HubRepos) -> None:
    for words in (("--repo-type", "space"), ("--as-pr",)):
        done = run("upload", "--repo-id", "me/new", "--path", "out.txt", *words)
        assert done.code == 1
    assert hubs.created == []


def test_a_pull_request_is_opened_once(run: Command, model: Repo) -> None:
    first, again = run(*UPLOAD, "--as-pr"), run(*UPLOAD, "--as-pr")
    assert (first.data["changed"], again.data["changed"]) == (True, False), first.err + again.err
    assert "discussions/1" in first.data["url"]
    assert "discussions/1" in again.data["url"]
    assert (len(model.pulls), len(model.commits)) == (1, 1)


def test_a_delete_is_one_commit_and_again_it_is_none(run: Command, model: Repo) -> None:
    done = run(*DELETE, "--path", "data/", "--path", "nothing.txt")
    assert (done.code, done.data["files"], done.data["absent"]) == (0, ["train.log", "data/"], ["nothing.txt"]), (
        done.err
    )
    assert set(model.files) == {"README.md", "w.safetensors", "empty.txt"}
    again = run(*DELETE)
    assert (again.data["changed"], again.data["absent"]) == (False, ["train.log"])
    assert len(model.commits) == 2


def test_a_lost_answer_makes_no_second_commit(run: Command, server: TableServer, model: Repo) -> None:
    server.fault = Fault("lost", "POST .*/commit/")
    done = run(*UPLOAD)
    assert (done.code, len(model.commits)) == (1, 2)
    assert "no second commit" in done.data["next"]
    server.fault = None
    assert run(*UPLOAD).data["changed"] is False
    assert len(model.commits) == 2


def test_a_commit_in_between_is_not_written_over(
    run: Command, server: TableServer, hubs: HubRepos, model: Repo
) -> None:
    whole = hubs.answer

    def answer(asked: object) -> Answer:
        if "/preupload/" in getattr(asked, "path", ""):
            model.commits.append("of somebody else")
        return whole(asked)  # type: ignore[arg-type]

    server.answer = answer
    done = run(*UPLOAD)
    assert done.code == 1
    assert "changed meanwhile" in done.data["error"]
    assert "out.txt" not in model.files


def test_a_file_that_the_repository_ignores_is_told(run: Command, model: Repo) -> None:
    model.ignored = ("out.txt",)
    Path("b.txt").write_text("b")
    done = run(*UPLOAD, "--path", "b.txt")
    assert done.code == 1
    assert "b.txt" in model.files
    assert "out.txt" in done.data["error"]


@pytest.mark.parametrize("kind", [*KINDS, "lost"])
@pytest.mark.parametrize("place", ["GET /api/models/me/model$", "POST .*/preupload/", "POST .*/commit/"])
def test_a_fault_of_an_upload_is_one_line_and_no_token_leaves(
    run: Command,
    server: TableServer,
    elsewhere: TableServer,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    place: str,
) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", LIMIT_S)
    server.fault = Fault(kind, place)
    begun = time.monotonic()
    done = run(*UPLOAD)
    assert time.monotonic() - begun < GENEROUS_S
    assert (done.code, len(done.err.splitlines())) == (1, 1), done.err
    speaks_no_secret(done)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "text",
    [
        "token = hf_" + "a1B2" * 10,
        "GITHUB_TOKEN=ghp_" + "a1B2" * 9,
        "my key is " + TOKEN,
        "https://me:pass1234word@host/x",
    ],
)
def test_a_file_with_a_secret_is_refused_before_any_request(run: Command, server: TableServer, text: str) -> None:
    Path("out.txt").write_text(f"learning_rate: 1e-4\n{text}\n")
    done = run(*UPLOAD)
    assert done.code == 2
    assert "out.txt" in done.data["error"]
    assert server.asked == []
    speaks_no_secret(done)


@pytest.mark.parametrize("name", [".env", "keys/server.pem", "id_rsa"])
def test_a_file_that_is_there_to_hold_secrets_stays_here(run: Command, server: TableServer, name: str) -> None:
    place = Path("work") / name
    place.parent.mkdir(parents=True)
    place.write_text("PASSWORD=hunter2\n")
    assert run("upload", "--repo-id", "me/model", "--path", "work").code == 2
    assert run("upload", "--repo-id", "me/model", "--path", str(place), "--to", "notes.txt").code == 2
    assert server.asked == []


def test_the_token_itself_is_found_in_bytes_and_in_large_files(
    run: Command, server: TableServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlresearch.sources.hub_files_commit.MOST_HELD", 1000)
    Path("out.txt").write_bytes(b"\0" * (1024 * 1024 - 10) + TOKEN.encode() + b"\0" * 100)
    assert run(*UPLOAD).code == 2
    Path("out.txt").write_bytes(b"\0" + TOKEN.encode())
    assert run(*UPLOAD).code == 2
    assert server.asked == []


def test_a_model_card_that_the_hub_refuses_is_told(run: Command, model: Repo) -> None:
    Path("README.md").write_text("---\nbad: [\n---\n")
    done = run("upload", "--repo-id", "me/model", "--path", "README.md")
    assert done.code == 1
    assert "metadata" in done.data["error"]
    assert len(model.commits) == 1


@pytest.mark.parametrize("owner", ["user/x", "your-username/x", "gpt2"])
def test_a_placeholder_is_no_owner(run: Command, server: TableServer, owner: str) -> None:
    assert run("upload", "--repo-id", owner, "--path", "out.txt").code == 2
    assert server.asked == []


@pytest.mark.parametrize(
    "words",
    [
        ("upload", "--repo-id", "me/model", "--path", "none.txt"),
        ("upload", "--repo-id", "me/model", "--path", "out.txt", "--to", "../x"),
        ("upload", "--repo-id", "me/model", "--path", "out.txt", "--path", "./out.txt"),
        ("upload", "--repo-id", "me/model/x", "--path", "out.txt"),
        ("delete", "--repo-id", "me/model", "--path", "a/../b"),
        ("read", "--repo-id", "me/model", "--path", "/etc/passwd"),
        ("list", "--repo-id", "me/model", "--revision", "a/../b"),
    ],
)
def test_misuse_asks_nobody(run: Command, server: TableServer, words: tuple[str, ...]) -> None:
    assert run(*words).code == 2
    assert server.asked == []


def test_without_a_token_nothing_is_written(run: Command, server: TableServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    done = run(*UPLOAD)
    assert done.code == 1
    assert "no token" in done.data["error"]
    assert server.asked == []


def test_an_approved_program_lets_its_own_repositories_be_written(
    run: Command, capsys: pytest.CaptureFixture[str], model: Repo
) -> None:
    approve(capsys, allow_deletes="true")
    assert run(*UPLOAD).code == 0
    assert run(*DELETE).code == 0
    assert model.commits[1:] == ["Upload out.txt", "Delete train.log"]


def test_outside_the_envelope_nothing_is_asked(
    run: Command, server: TableServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    approve(capsys)
    (tmp_path / "elsewhere.txt").write_text("x")
    Path("link.txt").symlink_to(tmp_path / "elsewhere.txt")
    refused = (
        ("upload", "--repo-id", "other/prod", "--path", "out.txt"),
        ("upload", "--repo-id", "other/prod", "--path", "out.txt", "--as-pr"),
        DELETE,
        (*DELETE, "--as-pr"),
        ("upload", "--repo-id", "me/model", "--path", str(tmp_path / "elsewhere.txt")),
        ("upload", "--repo-id", "me/model", "--path", "link.txt"),
    )
    for words in refused:
        done = run(*words)
        assert done.code == 2, words
        assert json.loads(done.out)["error"]
    assert server.asked == []


def test_a_program_that_is_not_approved_or_was_changed_lets_nothing_be_written(
    run: Command, server: TableServer, capsys: pytest.CaptureFixture[str]
) -> None:
    approve(capsys)
    text = Path("program.md").read_text()
    Path("program.md").write_text(text.replace("output_repos: [me/model]", "output_repos: [other/*]"))
    done = run("upload", "--repo-id", "other/prod", "--path", "out.txt")
    assert (done.code, "differs" in done.data["error"]) == (2, True)
    program_command.run(["revoke"])
    capsys.readouterr()
    assert run(*UPLOAD).code == 2
    assert server.asked == []


def test_a_session_of_a_campaign_is_bound_wherever_it_goes(
    run: Command,
    server: TableServer,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "s-1")
    approve(capsys)
    away = tmp_path / "away"
    away.mkdir()
    (away / "out.txt").write_text("x")
    monkeypatch.chdir(away)
    assert run("upload", "--repo-id", "other/prod", "--path", "out.txt").code == 2
    assert server.asked == []
