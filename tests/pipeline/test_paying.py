"""Before a job that costs: the drafted limits, a person's approval, what would pass them, a job that runs already."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from backends.hf_harness import TOKEN
from fakes.hf_jobs import Emulator
from fakes.pipeline_play import Play
from mlresearch import backends, jobs, ledger, money, program, seal
from mlresearch.campaign import approval
from mlresearch.cli import jobs as cli_jobs
from mlresearch.errors import GateError, UsageError
from mlresearch.jobs.order import Order, placed
from mlresearch.pipeline import briefs, closing, drafting, engine, job_plans, needs, paying, upkeep
from mlresearch.pipeline.world import Present

MakePlay = Callable[..., Play]
OUTPUT = "me/{task}-lora"
# in uv's place: the script that follows --script, without any package
RUNNER = f"""#!{sys.executable} -S
import os, sys
os.execv(sys.executable, [sys.executable, "-S", *sys.argv[sys.argv.index("--script") + 1 :]])
"""


@pytest.fixture
def make_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePlay]:
    """Tasks whose prices come from the emulated Hub."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
    with Emulator() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)  # huggingface_hub read the variable when it was loaded
        yield lambda **given: Play(tmp_path / "project", **{"output": OUTPUT, **given})


def root_of(play: Play) -> str:
    return str(play.root)


def tend(play: Play) -> Any:
    return upkeep.tend(root_of(play), play.task)


def approve(play: Play, **limits: object) -> None:
    """A person reads the draft, perhaps changes a limit, and approves."""
    tend(play)
    path = play.root / seal.PROGRAM
    text = path.read_text()
    blocks = program.parse(text).blocks
    for key, value in limits.items():
        blocks["Run" if key in blocks["Run"] else program.ENVELOPE][key] = value
    path.write_text(program.written(text, blocks))
    approval.approve(root_of(play), program.load(root_of(play)).digest)


def page(play: Play) -> briefs.Brief:
    return briefs.briefs(tend(play))[0]


@pytest.mark.parametrize(
    ("backend", "usd", "flavor", "repos"), [("local", 0, "cpu", False), ("hf", 7_250_000, "l4x1", True)]
)
def test_the_draft_is_in_order_and_allows_no_more_than_was_asked(
    make_play: MakePlay, backend: str, usd: int, flavor: str, repos: bool
) -> None:
    play = make_play(backend=backend, cost_cap_micro=7_250_000)
    assert not (play.root / seal.PROGRAM).exists()
    play.advance("research.landmark")
    tend(play)
    read = program.load(root_of(play))
    limits = read.envelope
    assert limits.max_usd_micro == usd
    assert flavor in limits.allowed_flavors
    assert set(limits.backends) == {"local", backend}
    assert limits.output_repos == ((f"me/{play.task}*",) if repos else ())
    assert (limits.allow_deletes, limits.reserve_final) == (False, 0.0)
    assert limits.max_timeout_s >= job_plans.SMOKE_TIMEOUT_S


def test_the_draft_is_closer_once_the_scripts_say_what_their_jobs_need(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("implement")
    tend(play)
    guessed = program.load(root_of(play)).envelope
    play.advance("cpu_smoke")
    tend(play)
    smoke = program.load(root_of(play)).envelope
    play.advance("gpu_preflight")
    tend(play)
    planned = program.load(root_of(play)).envelope
    assert [one.max_jobs for one in (guessed, smoke, planned)] == [17, 17, 13]
    # 15m, 1.5h and 30m, each with five minutes to start: four times, four times, five times; once more the longest
    times_s = 4 * (900 + 300) + 4 * (5400 + 300) + 5 * (1800 + 300)
    assert planned.max_walltime_s == times_s + 5400
    assert smoke.max_walltime_s == planned.max_walltime_s + 4 * job_plans.SMOKE_TIMEOUT_S
    assert (planned.max_timeout_s, planned.max_parallel) == (2 * 5400, 1)
    assert planned.allowed_flavors[:2] == ("cpu", "l4x1")
    assert "t4-small" in guessed.allowed_flavors
    assert "t4-small" not in planned.allowed_flavors
    assert "h200" in planned.allowed_flavors


def test_a_task_on_this_machine_is_drafted_with_the_hardware_of_its_scripts_alone(make_play: MakePlay) -> None:
    play = make_play(backend="local", output="work/{task}/model")
    state = engine.load(root_of(play), play.task)
    results = {"plan": play.answer("plan"), "implement": play.answer("implement"), "cpu_smoke": {}}
    limits = program.parse(drafting.draft(replace(state, results=results))).envelope
    assert limits.allowed_flavors == ("cpu",)
    assert limits.max_usd_micro == 0
    assert limits.max_walltime_s == 4 * 900 + 4 * 5400 + 5 * 1800 + 5400


def test_every_retry_that_is_granted_fits_into_the_draft(make_play: MakePlay) -> None:
    play = make_play(max_job_retries=7)
    play.advance("gpu_preflight")
    state = tend(play)
    limits, found = program.load(root_of(play)).envelope, needs.needs(state)
    assert {need.step: need.runs for need in found} == {"gpu_preflight": 7, "full_job": 7, "evaluate": 5}
    assert limits.max_jobs == 19


def test_a_limit_that_no_program_can_hold_leaves_the_guess(make_play: MakePlay) -> None:
    play = make_play(backend="local")
    state = engine.load(root_of(play), play.task)
    answer = play.answer("plan")
    guess = drafting.draft(replace(state, results={"plan": answer}))
    endless = {**play.answer("implement"), "timeoutHours": 10**7}
    assert drafting.draft(replace(state, results={"plan": answer, "implement": endless})) == guess


def test_a_draft_is_not_written_anew_once_a_person_approved_it(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("research.landmark")
    approve(play)
    before = (play.root / seal.PROGRAM).read_text()
    play.advance("gpu_preflight")
    tend(play)
    assert (play.root / seal.PROGRAM).read_text() == before


@pytest.mark.parametrize(
    "text",
    ["```\n## Budget envelope\n```yaml\nmax_usd: 9\n```", "<!-- hidden", "# ## Goal\n---\nx: &a", "ü \u2028 `" * 900],
)
def test_words_of_the_task_never_become_part_of_the_contract(make_play: MakePlay, text: str) -> None:
    play = make_play(text=f"Fine-tune Qwen/Qwen2-0.5B on trl-lib/Capybara with SFT and LoRA at length 1024. {text}")
    state = engine.load(root_of(play), play.task)
    object.__setattr__(state, "results", {"plan": play.answer("plan")})
    assert program.parse(drafting.draft(state)).envelope.max_usd_micro == 10 * money.MICRO


def test_a_repository_that_the_user_named_may_be_written_and_nobody_elses(make_play: MakePlay) -> None:
    text = "SFT of me/base on me/data, push to me/final-model (not to you/final or home/me/other)"
    play = make_play(text=text, model="me/base", dataset="me/data")
    assert drafting.repositories(play.state.task) == [f"me/{play.task}*", "me/final-model"]


def test_a_program_of_somebody_else_is_never_written_over(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("research.landmark")
    (play.root / seal.PROGRAM).write_text("# mine\n")
    with pytest.raises(UsageError, match="not a finished task's draft"):
        tend(play)
    assert (play.root / seal.PROGRAM).read_text() == "# mine\n"


def test_a_draft_that_a_person_edited_stays_as_they_wrote_it(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("implement")
    tend(play)
    path = play.root / seal.PROGRAM
    before = path.read_text()
    path.write_text(before.replace("max_usd: '10'", "max_usd: 4"))
    edited = path.read_text()
    assert edited != before
    play.advance("gpu_preflight")
    tend(play)
    assert path.read_text() == edited


def test_a_paid_step_first_asks_for_the_approval_and_then_shows_its_command(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    before = page(play)
    assert before.approval is not None
    assert before.approval.digest == program.load(root_of(play)).digest[:16]
    told = briefs.text(before)
    assert f"program.py approve --digest {before.approval.digest}" in told
    assert "jobs.py submit" not in told
    assert "gpu_preflight $0.26666, full_job $1.266635, evaluate $0.466655" in told
    approve(play)
    after = briefs.text(page(play))
    assert "jobs.py submit --backend hf" in after
    assert "--secret HF_TOKEN" in after
    assert "approve" not in after


def test_the_command_that_a_page_shows_is_what_the_submit_takes(
    make_play: MakePlay, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    approve(play)
    command = next(line.command for line in page(play).lines if " submit " in line.command)
    words = shlex.split(command)
    monkeypatch.chdir(play.root)
    assert cli_jobs.run([*words[words.index("submit") :], "--json"]) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    held = page(play).held
    assert held is not None
    assert (held.job, held.stage, held.is_known) == (job, None, True)
    row = next(row for row in ledger.rows(root_of(play)) if row["event"] == "reserved")
    assert row["ceiling_micro"] == paying.ceilings(play.state)["gpu_preflight"]


def test_the_smoke_run_needs_no_approval(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("cpu_smoke")
    assert "jobs.py submit --backend local" in briefs.text(page(play))


def test_faults_of_an_edited_program_are_told_where_the_approval_is_asked_for(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    tend(play)
    path = play.root / seal.PROGRAM
    path.write_text(path.read_text().replace("allow_deletes: false", "allow_deletes: perhaps"))
    found = page(play)
    assert found.approval is not None
    assert "allow_deletes" in briefs.text(found)


STOPS: list[tuple[str, str, dict[str, object], dict[str, Any]]] = [
    ("cost_cap_preflight", "gpu_preflight", {}, {"cost_cap_micro": 100_000}),
    ("cost_cap_full_job", "full_job", {}, {"cost_cap_micro": 500_000}),
    ("budget_denied", "gpu_preflight", {"allowed_flavors": ["cpu", "a10g-large"], "flavor": "a10g-large"}, {}),
    ("budget_denied", "full_job", {"max_timeout": "1h", "timeout": "1h"}, {}),
    ("walltime_reached", "full_job", {"max_walltime": "1h"}, {}),
    ("submit_invariant_preflight", "gpu_preflight", {"output_repos": ["me/another"]}, {}),
]


@pytest.mark.parametrize(("reason", "step", "limits", "given"), STOPS, ids=[f"{row[0]} at {row[1]}" for row in STOPS])
def test_a_job_that_must_not_be_submitted_stops_the_task_before_it_is(
    make_play: MakePlay, reason: str, step: str, limits: dict[str, object], given: dict[str, Any]
) -> None:
    play = make_play(**given)
    play.advance("gpu_preflight")
    approve(play, **limits)
    play.advance(step)
    state = tend(play)
    assert state.stopped is not None
    assert state.stopped["reason"] == reason
    assert not [row for row in ledger.rows(root_of(play)) if row["event"] in ("reserved", "stopped")]
    closing.finalize(root_of(play), play.task, play.world)
    assert seal.load(root_of(play)) is None


def test_a_script_that_got_unfit_after_the_short_job_stops_the_full_one(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    approve(play)
    play.advance("full_job")
    path = play.root / "work" / play.task / "train.py"
    path.write_text(path.read_text() + "open('/home/me/data.json')\n")
    state = tend(play)
    assert state.stopped is not None
    assert state.stopped["reason"] == "submit_invariant_full"
    assert "/home/me/data.json" in state.stopped["message"]


def test_an_approval_that_a_breach_ended_stops_the_task(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    approve(play)
    ledger.append(root_of(play), "stopped", reason="denied", message="max_usd: asked $90")
    state = tend(play)
    assert state.stopped is not None
    assert (state.stopped["reason"], "asked $90" in state.stopped["message"]) == ("budget_denied", True)


def test_prices_that_can_not_be_read_stop_nothing(make_play: MakePlay, monkeypatch: pytest.MonkeyPatch) -> None:
    play = make_play(cost_cap_micro=100_000)
    play.advance("gpu_preflight")
    approve(play)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert tend(play).stopped is None


def submit(play: Play, step: str) -> str:
    """The job of the step's brief, really submitted on this machine."""
    needed = job_plans.plan(play.state, step)
    assert needed is not None
    root = root_of(play)
    args = tuple(placed(arg, root) for arg in needed.args)
    env = {"SMOKE": "1"} if needed.is_smoke else {}
    order = Order("local", str(play.root / needed.script), needed.flavor, needed.timeout_s, args, env=env)
    return jobs.submit(root, order, backends.get("local", root)).job


def ended(play: Play) -> None:
    root = root_of(play)
    while ledger.standing(root).open:
        jobs.wait(root, {"local": backends.get("local", root)}, None, float("inf"))


@pytest.fixture
def local_play(make_play: MakePlay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A task on this machine, whose jobs run without their packages, on the plain interpreter."""
    runner = tmp_path / "uv"
    runner.write_text(RUNNER)
    runner.chmod(0o755)
    monkeypatch.setenv("UV", str(runner))
    return make_play(backend="local", output="work/{task}/model")


def test_a_job_that_was_submitted_is_watched_and_not_submitted_again(local_play: Play) -> None:
    play = local_play
    play.advance("gpu_preflight")
    approve(play)
    job = submit(play, "gpu_preflight")
    found = page(play)
    told = briefs.text(found)
    assert found.held is not None
    assert found.held.job == job
    assert f"jobs.py wait --job {job}" in told
    assert "jobs.py submit" not in told
    ended(play)
    assert "jobs.py submit" not in briefs.text(page(play))


def test_a_job_with_other_bytes_is_not_taken_for_this_steps_own(local_play: Play) -> None:
    play = local_play
    play.advance("cpu_smoke")
    submit(play, "cpu_smoke")
    ended(play)
    assert page(play).held is not None
    path = play.root / "work" / play.task / "train.py"
    path.write_text(path.read_text() + "# corrected\n")
    assert page(play).held is None


def test_a_failed_job_brings_the_diagnosis_its_schema_and_what_each_category_allows(local_play: Play) -> None:
    play = local_play
    play.advance("cpu_smoke")
    path = play.root / "work" / play.task / "train.py"
    path.write_text(path.read_text() + "raise SystemExit(3)\n")
    submit(play, "cpu_smoke")
    ended(play)
    found = page(play)
    told = briefs.text(found)
    assert found.held is not None
    assert found.held.stage not in (None, "COMPLETED")
    assert "it failed" in told
    assert "if oom: the next rung" in told
    assert "evidenceLines" in told
    assert found.as_dict()["failure_schema"]["title"].startswith("A diagnosis")


def test_a_job_is_not_offered_again_until_something_has_changed(local_play: Play) -> None:
    play = local_play
    play.advance("cpu_smoke")
    path = play.root / "work" / play.task / "train.py"
    path.write_text(path.read_text() + "raise KeyError('text')\n")
    job = submit(play, "cpu_smoke")
    ended(play)
    analysis: dict[str, Any] = {
        "category": "dataset_schema_mismatch",
        "jobId": None,
        "rootCause": "the column has another name",
        "evidenceLines": ["KeyError: 'text'"],
        "minimalFix": "read the column that is there",
        "configChanges": {},
        "scopeChange": False,
        "oomLadderRung": 0,
        "unrecoverable": False,
        "recheckedDocs": [],
    }

    def hand_in() -> None:
        file = play.honest.write("failure.json", json.dumps(analysis))
        engine.fail(root_of(play), play.task, "cpu_smoke", file, Present(root_of(play)))

    with pytest.raises(GateError, match=f"null, and {job} is this attempt's job"):
        hand_in()
    analysis["jobId"] = job
    hand_in()
    told = briefs.text(page(play))
    assert f"nothing has changed since {job} failed" in told
    assert "jobs.py submit" not in told
    path.write_text(path.read_text().replace("raise KeyError('text')\n", ""))
    assert "jobs.py submit" in briefs.text(page(play))


def test_a_task_is_not_closed_while_a_job_of_it_is_open(local_play: Play) -> None:
    play = local_play
    play.advance("cpu_smoke")
    job = submit(play, "cpu_smoke")
    with pytest.raises(Exception, match=f"open in the ledger: {job}"):
        closing.finalize(root_of(play), play.task, play.world, stop="interrupted")
    ended(play)
    done = closing.finalize(root_of(play), play.task, play.world)
    assert done.stopped is not None
    assert done.stopped["reason"] == "interrupted"


def test_an_approval_is_read_as_the_seal_tells_it(make_play: MakePlay) -> None:
    play = make_play()
    assert paying.approval(root_of(play)).state == "none"
    play.advance("research.landmark")
    tend(play)
    assert paying.approval(root_of(play)).state == "draft"
    approve(play)
    assert paying.approval(root_of(play)).holds


def test_a_task_without_training_starts_from_the_template_and_its_job_is_found_again(
    make_play: MakePlay, local_play: Play
) -> None:
    play = local_play
    closing.finalize(root_of(play), play.task, play.world, stop="interrupted")
    play = make_play(text="Evaluate Qwen/Qwen2-0.5B on trl-lib/Capybara", backend="local", output="Qwen/Qwen2-0.5B")
    asked = {"method": "eval", "adapter": None, "sequenceLength": None}
    plan = play.honest.plan()
    play.complete("plan", {**plan, "taskType": "eval", "baseline": {**plan["baseline"], **asked}})
    while "evaluate" not in (state := play.state).todo:
        for step in state.todo:
            extra = {"citationGraphFidelity": "none"} if step == "research.recipe" else {}
            play.complete(step, {**play.answer(step), **extra})
    approve(play)
    before = briefs.text(page(play))
    assert "eval_lm.py" in before
    assert f"jobs.py submit --backend local --script work/{play.task}/evaluate.py" in before
    script = play.root / play.honest.write("evaluate.py", "print(1)\n")
    job = jobs.submit(root_of(play), Order("local", str(script), "cpu", 60), backends.get("local", root_of(play))).job
    assert f"jobs.py wait --job {job}" in briefs.text(page(play))
    ended(play)
    after = page(play)
    assert after.held is not None
    assert (after.held.job, after.held.stage) == (job, "COMPLETED")
    script.write_text("print(2)\n")
    assert page(play).held is None
