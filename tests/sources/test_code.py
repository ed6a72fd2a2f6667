"""code_search.py against recorded GitHub: with a token, with gh, with neither; files, notebooks, every fault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import github_server
from fakes.table_server import KINDS, Answer, Asked, Fault, TableServer
from mlresearch.cli import code_search
from mlresearch.errors import UsageError
from mlresearch.sources import code_text, hosts
from sources.lookups import GITHUB_TOKEN, HF_TOKEN, LIMIT_S, Command, runner, saw_no_token, speaks_no_secret

COMMANDS = {
    "find": ("find", "SFTTrainer"),
    "find-in": ("find", "SFTTrainer", "--repo", "huggingface/trl"),
    "read": ("read", "huggingface/trl", "README.md"),
    "repos": ("repos", "trl"),
}
CASES = [(name, kind) for name in COMMANDS for kind in KINDS]


@pytest.fixture
def elsewhere() -> Iterator[TableServer]:
    with TableServer(lambda asked: Answer(b"caught")) as server:
        yield server


@pytest.fixture
def server(elsewhere: TableServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TableServer]:
    """GitHub, without a token and without gh."""
    (tmp_path / "bin").mkdir()
    with TableServer(github_server.answer, elsewhere.url + "/trap") as server:
        variables = {
            "ML_RESEARCH_GITHUB_URL": server.url,
            "ML_RESEARCH_GITHUB_RAW_URL": server.url + "/raw",
            "ML_RESEARCH_PACE_S": "0",
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "HF_TOKEN": HF_TOKEN,
            "PATH": str(tmp_path / "bin"),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for name in hosts.GITHUB_KEY.variables:
            monkeypatch.delenv(name, raising=False)
        hosts._gh_token.cache_clear()
        yield server
        hosts._gh_token.cache_clear()


@pytest.fixture
def token(server: TableServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)
    return GITHUB_TOKEN


@pytest.fixture
def code(server: TableServer, capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(code_search.run, capsys)


def test_a_search_of_code_gives_files_and_the_lines_that_match(code: Command, token: str, server: TableServer) -> None:
    words = ("--repo", "huggingface/trl", "--language", "Python", "--path", "examples/my scripts")
    found = code("find", "SFTTrainer", "train", *words).data
    assert [each["path"] for each in found["results"]] == ["examples/scripts/sft.py"]
    assert "import SFTTrainer" in found["results"][0]["fragments"][0]
    asked = server.asked[0]
    assert asked.query["q"] == 'SFTTrainer train repo:huggingface/trl language:Python path:"examples/my scripts"'
    assert asked.token == GITHUB_TOKEN


def test_without_a_token_a_search_says_what_is_missing_and_asks_nobody(code: Command, server: TableServer) -> None:
    done = code("find", "SFTTrainer")
    assert (done.code, set(done.data)) == (1, {"error", "fallback"})
    assert "GITHUB_TOKEN" in done.data["error"]
    assert "gh auth login" in done.data["fallback"]
    assert server.asked == []


def test_without_a_token_files_of_one_repository_are_found_by_name(code: Command) -> None:
    found = code("find", "sft", "--repo", "huggingface/trl", "--path", "examples").data
    assert [each["path"] for each in found["results"]] == ["examples/scripts/sft.py", "examples/notebooks/sft.ipynb"]
    assert "only the names" in found["note"]


def test_the_token_of_a_logged_in_gh_is_used(code: Command, server: TableServer, tmp_path: Path) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'auth token' ] && echo {GITHUB_TOKEN}\n")
    gh.chmod(0o755)
    done = code("find", "SFTTrainer")
    assert (done.code, server.asked[0].token) == (0, GITHUB_TOKEN)
    speaks_no_secret(done)


def test_a_gh_that_is_not_logged_in_is_as_none(code: Command, tmp_path: Path) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.write_text("#!/bin/sh\necho no oauth token found >&2\nexit 1\n")
    gh.chmod(0o755)
    assert "GITHUB_TOKEN" in code("find", "SFTTrainer").data["error"]


@pytest.mark.parametrize("has_token", [False, True])
def test_a_public_file_is_read_with_and_without_a_token(
    code: Command, server: TableServer, monkeypatch: pytest.MonkeyPatch, has_token: bool
) -> None:
    if has_token:
        monkeypatch.setenv("GH_TOKEN", GITHUB_TOKEN)
    found = code("read", "huggingface/trl", "examples/train.py", "--lines", "10-12").data
    assert (found["text"], found["lines"]) == ("line 10\nline 11\nline 12", 1000)
    assert ("with a token" in found["from"], "without a token" in found["from"]) == (has_token, not has_token)
    assert {each.path.startswith("/raw/") for each in server.asked} == {not has_token}
    assert {each.token for each in server.asked} == {GITHUB_TOKEN if has_token else ""}
    assert "10  line 10" in code("read", "huggingface/trl", "examples/train.py", "--lines", "10", plain=True).out


def test_a_long_file_is_shown_in_part_and_says_how_to_go_on(code: Command) -> None:
    done = code("read", "huggingface/trl", "examples/train.py", plain=True)
    assert "600 more lines; --lines 401-" in done.out


def test_names_and_texts_in_other_scripts_are_read(code: Command) -> None:
    found = code("read", "huggingface/trl", "data/文書 1.txt").data
    assert found["text"] == "ein Wort: 你好\nzwei"


def test_a_notebook_is_shown_as_cells_with_short_outputs(code: Command) -> None:
    text = code("read", "huggingface/trl", "examples/notebooks/sft.ipynb").data["text"]
    assert text.splitlines()[:3] == ["# %% [markdown] cell 1", "# Train", "with TRL"]
    assert "trainer.train()" in text
    assert "# > loss 1.0" in text
    assert "# > [image/png]" in text
    assert "# > ValueError: bad" in text
    assert "iVBOR" not in text
    assert len(text) < 2000


@pytest.mark.parametrize("has_token", [False, True])
def test_a_folder_is_listed(code: Command, monkeypatch: pytest.MonkeyPatch, has_token: bool) -> None:
    if has_token:
        monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)
    found = code("read", "huggingface/trl", "examples").data["entries"]
    assert {(each["path"], each["type"]) for each in found} >= {
        ("examples/scripts", "dir"),
        ("examples/train.py", "file"),
    }
    assert len(code("read", "huggingface/trl", ".").data["entries"]) == 5


def test_a_json_file_is_no_folder(code: Command, token: str) -> None:
    assert "path" in code("read", "huggingface/trl", "data/rows.json").data["text"]


def test_an_empty_file_is_empty_and_a_picture_is_no_text(code: Command) -> None:
    assert code("read", "huggingface/trl", "empty.txt").data["text"] == ""
    done = code("read", "huggingface/trl", "logo.png")
    assert done.code == 1
    assert "no text" in done.data["error"]


def test_a_private_repository_needs_the_token_and_that_is_said(code: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    done = code("read", "acme/secret", "main.py")
    assert done.code == 1
    assert "private" in done.data["error"]
    monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)
    assert code("read", "acme/secret", "main.py").data["text"] == "print('private')"


def test_repositories_come_by_stars_or_by_their_last_push(code: Command, server: TableServer) -> None:
    rows = code("repos", "transformers", "--org", "huggingface").data["repositories"]
    assert [(each["repo"], each["stars"]) for each in rows] == [("huggingface/peft", 20000), ("huggingface/trl", 17000)]
    assert server.asked[0].query["q"] == "transformers user:huggingface"
    recent = code("repos", "--org", "huggingface", "--sort", "updated").data["repositories"]
    assert recent[0]["repo"] == "huggingface/trl"


@pytest.mark.parametrize(
    "words",
    [
        ("read", "trl", "x"),
        ("read", "../x/y", "x"),
        ("read", "huggingface/trl", "../../x"),
        ("read", "huggingface/trl", "README.md", "--ref", "a b"),
        ("read", "huggingface/trl", "README.md", "--lines", "9-3"),
        ("read", "huggingface/trl", "README.md", "--lines", "500"),
        ("find", "x", "--repo", "nothing"),
        ("find", " "),
        ("repos",),
        ("repos", "--org", "a/b"),
        ("find", "x", "--limit", "0"),
    ],
)
def test_misuse_is_told_as_such(code: Command, words: tuple[str, ...]) -> None:
    done = code(*words)
    assert (done.code, set(done.data)) == (2, {"error", "fallback"})


@pytest.mark.parametrize("status", ["403", "429"])
def test_a_rate_limit_says_when_it_ends(code: Command, token: str, server: TableServer, status: str) -> None:
    reset = str(int(time.time()) + 300)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    server.fault = Fault(status, headers=headers, says={"message": "API rate limit exceeded for user"})
    done = code("find", "SFTTrainer")
    assert "API rate limit exceeded" in done.data["error"]
    assert any(f"in {seconds} s" in done.data["fallback"] for seconds in range(200, 301))
    assert len(server.asked) == 1


@pytest.mark.parametrize("has_token", [True, False])
@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_every_fault_is_an_error_with_a_fallback(
    code: Command,
    server: TableServer,
    elsewhere: TableServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: str,
    has_token: bool,
) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", LIMIT_S)
    if has_token:
        monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)
    server.fault = Fault(kind)
    done = code(*COMMANDS[name])
    # bytes are bytes: a file's own text can not be told from a page of a proxy, nor a public file from elsewhere
    is_text = name == "read" and kind in ("broken", "redirect")
    if not is_text:
        assert (done.code, set(done.data)) == (1, {"error", "fallback"})
        assert len(done.err.splitlines()) == 1
    speaks_no_secret(done)
    saw_no_token([elsewhere])


@pytest.mark.parametrize("shape", [b"[]", b"{}", b"null", b'{"items": [3]}', b'{"tree": {}}', b'{"items": [{}]}'])
def test_an_answer_of_another_shape_is_no_traceback(
    code: Command, token: str, server: TableServer, shape: bytes
) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(shape)

    server.answer = answer
    for words in COMMANDS.values():
        assert "Traceback" not in code(*words).err


@pytest.mark.parametrize(
    ("given", "want"),
    [(None, None), ("3", (3, 3)), ("3-", (3, None)), ("3-5", (3, 5)), ("0-1", 0), ("x", 0), ("5-3", 0), ("-3", 0)],
)
def test_a_range_of_lines(given: str | None, want: object) -> None:
    if want == 0:
        with pytest.raises(UsageError):
            code_text.span(given)
    else:
        assert code_text.span(given) == want


def test_lines_are_those_of_an_editor_and_bounded() -> None:
    found = code_text.lines("a\u2028b\fc\r\nd\n", None)
    assert found.lines == ("a\u2028b\fc", "d")
    assert code_text.lines("", None).lines == ()
    long = code_text.lines("x" * 1_000_000 + "\ny", None)
    assert len(long.lines[0]) < 3000
    many = code_text.lines("z" * 1999 + "\n" + "z\n" * 5000, (1, None))
    assert many.is_cut
    assert many.last <= 2000


def test_a_broken_notebook_is_shown_as_it_is() -> None:
    assert code_text.readable("x.ipynb", b'{"cells": 3}') == '{"cells": 3}'
    assert code_text.readable("x.ipynb", b"{") == "{"
    assert code_text.readable("x.py", "é".encode()[:1] + b"abcdef") is None
    assert code_text.readable("x.py", "abc é".encode()[:-1]) == "abc "
