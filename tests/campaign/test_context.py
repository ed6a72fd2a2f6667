"""What a session is told at its start: short, the same for the same state, and never a failure of the start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.toy_project import Approve, Toy
from mlresearch import store
from mlresearch.guard import context
from mlresearch.pipeline import journal

ENTRY = Path(__file__).parents[2] / "scripts" / "context.py"


def told(toy: Toy, stdin: bytes | None = None, **env: str) -> str:
    """What the hook adds to the session, run as the client runs it."""
    call = json.dumps({"cwd": toy.path, "session_id": "s1", "source": "startup"}).encode()
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ENTRY)],
        input=call if stdin is None else stdin,
        env={**toy.environment(), **env},
        cwd=toy.root,
        capture_output=True,
        check=True,
    )
    if not done.stdout:
        return ""
    answer = json.loads(done.stdout)["hookSpecificOutput"]
    assert answer["hookEventName"] == "SessionStart"
    return str(answer["additionalContext"])


def test_a_folder_without_a_program_is_not_spoken_of(toy: Toy) -> None:
    (toy.root / "program.md").unlink()
    assert told(toy) == ""


def test_a_draft_is_named_with_its_next_step(toy: Toy) -> None:
    assert "nobody approved" in told(toy) and "program.py show" in told(toy)


def test_a_campaign_is_told_with_its_numbers_and_the_next_command(measured: Approve) -> None:
    toy = measured()
    text = told(toy)
    standing = toy.standing()
    assert standing.baseline is not None
    for part in (standing.campaign, f"{standing.baseline['mean']:.6g}", "Left: 57 jobs", "campaign.py next"):
        assert part in text


def test_the_same_state_gives_the_same_text(measured: Approve) -> None:
    toy = measured()
    assert told(toy) == told(toy)


def test_the_text_stays_short_whatever_the_names_are(approved: Approve) -> None:
    toy = approved(
        {
            "Goal": {"metric": "m" * 80},
            "Budget envelope": {"allowed_flavors": ["cpu", *("f" * 90 + str(n) for n in range(9))]},
        }
    )
    assert 0 < len(told(toy, HF_TOKEN="x")) <= context.LONGEST


def test_an_approval_that_no_longer_holds_is_said(approved: Approve) -> None:
    toy = approved()
    toy.rewrite({"Budget envelope": {"max_jobs": 61}})
    assert "does not hold (changed)" in told(toy)


def test_a_session_of_the_campaign_is_told_of_it_wherever_it_starts(approved: Approve, tmp_path: Path) -> None:
    toy = approved()
    store.record_session("s1", toy.path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    call = json.dumps({"cwd": str(elsewhere), "session_id": "s1"}).encode()
    assert toy.standing().campaign in told(toy, call)


@pytest.mark.parametrize("seal", [b"", b"{", b"null", b"[]", b"\xff"])
def test_a_damaged_approval_is_told_and_the_session_starts(approved: Approve, seal: bytes) -> None:
    toy = approved()
    Path(store.seal_path(toy.path)).write_bytes(seal)
    assert "can not be read" in told(toy)


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b"\xff", b"null", b'{"cwd": 5}'])
def test_odd_input_does_not_stop_a_session(approved: Approve, stdin: bytes) -> None:
    told(approved(), stdin)


def test_a_readable_token_is_named_and_its_value_is_not(approved: Approve) -> None:
    text = told(approved(), HF_TOKEN="hf_not_a_real_value")
    assert "HF_TOKEN is readable" in text and "hf_not_a_real_value" not in text


def test_the_interpreter_that_runs_is_noted_for_the_guard(toy: Toy) -> None:
    told(toy)
    noted = Path(toy.data) / "ml-research" / "python"
    assert Path(noted.read_text().strip()).exists()


def test_the_sessions_shell_is_told_where_the_plugin_is(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "environment.sh"
    told(toy, CLAUDE_ENV_FILE=str(file), CLAUDE_PLUGIN_ROOT="/opt/a plugin")
    assert file.read_text() == "export CLAUDE_PLUGIN_ROOT='/opt/a plugin'\n"


def test_an_open_task_is_told_with_its_next_command_before_and_after_the_approval(approved: Approve) -> None:
    toy = approved()
    journal.append(toy.path, "train-it-ab12", "started", task={})
    text = told(toy)
    for part in ("train-it-ab12", "pipeline.py next --task train-it-ab12", "Left: 60 jobs"):
        assert part in text
    assert "campaign.py next" not in text
    (toy.root / "program.md").unlink()
    assert "pipeline.py next --task train-it-ab12" in told(toy)


def test_a_task_that_was_finalized_is_not_spoken_of(toy: Toy) -> None:
    (toy.root / "program.md").unlink()
    journal.append(toy.path, "train-it-ab12", "started", task={})
    assert "train-it-ab12 is open" in told(toy)
    journal.append(toy.path, "train-it-ab12", "finalized", conforms=True)
    assert told(toy) == ""


def test_a_task_with_a_record_of_megabytes_is_told_as_fast(toy: Toy) -> None:
    journal.append(toy.path, "train-it-ab12", "accepted", output={"text": "x" * 4_000_000})
    assert "train-it-ab12 is open" in told(toy)
    path = journal.folder(toy.path, "train-it-ab12") / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"event": "finalized", ')
    assert "train-it-ab12 is open" in told(toy)
