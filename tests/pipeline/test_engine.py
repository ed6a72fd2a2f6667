"""The engine's order, record, retries and stops, with the real gates in a world of facts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.pipeline_play import Play
from mlresearch import seal
from mlresearch.errors import GateError, NotFound, UsageError
from mlresearch.pipeline import closing, engine, journal, results, steps, upkeep
from mlresearch.pipeline.stops import STOPS
from mlresearch.pipeline.task import Halt, SendBack

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
MakePlay = Callable[..., Play]


@pytest.fixture
def make_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePlay:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    return lambda **given: Play(tmp_path / "project", **given)


def diagnosis(play: Play, category: str, line: str, job: str | None = None, **changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "category": category,
        "jobId": job,
        "rootCause": "it failed for a reason that the log shows",
        "evidenceLines": [line],
        "minimalFix": "change the one thing that the log names",
        "configChanges": {},
        "scopeChange": False,
        "oomLadderRung": 0,
        "unrecoverable": False,
        "recheckedDocs": [],
    }
    return {**usual, **changes}


def failed_job(play: Play, step: str, line: str) -> str:
    name = play.run(step, f"step 1 loss 2.0\n{line}")
    play.world.change(name, stage="ERROR")
    return name


def fail(play: Play, step: str, category: str, line: str = "ValueError: no", **changes: Any) -> Any:
    """One failed job of the step, and its diagnosis."""
    job = failed_job(play, step, line)
    return hand_in(play, step, diagnosis(play, category, line, job, **changes))


def hand_in(play: Play, step: str, analysis: dict[str, Any]) -> Any:
    file = play.honest.write(f"{step}.failure.json", json.dumps(analysis))
    return engine.fail(str(play.root), play.task, step, file, play.world)


def other_bytes(play: Play) -> None:
    """A correction that changes nothing of the task."""
    path = play.root / "work" / play.task / "train.py"
    path.write_text(path.read_text() + "# corrected\n")


def test_a_task_is_played_from_start_to_end_and_conforms(make_play: MakePlay) -> None:
    play = make_play()
    state = play.advance()
    assert list(state.results) == [step.name for step in steps.STEPS]
    assert state.todo == ()
    ended = closing.finalize(str(play.root), play.task, play.world)
    assert ended.stopped is not None
    assert (ended.stopped["reason"], ended.stopped["conforms"], ended.stopped["missing"]) == ("completed", True, [])
    report = (play.root / "runs" / play.task / "report.md").read_text()
    result = "eval_loss: **1.9** (n = 200, standard error 0.01); baseline (the model before training): 2.4"
    for part in ("Conforms: **yes**", result, "2106.09685"):
        assert part in report
    assert not (play.root / seal.PROGRAM).exists()


def test_steps_of_one_group_are_open_together_and_the_next_waits_for_all(make_play: MakePlay) -> None:
    play = make_play()
    assert play.state.todo == ("plan",)
    state = play.advance("research.landmark")
    assert state.todo == ("research.landmark", "research.citations", "research.examples", "research.datasets")
    for step in reversed(state.todo):
        assert "research.recipe" not in play.state.todo
        play.complete(step, play.answer(step))
    assert play.state.todo == ("research.recipe",)


@pytest.mark.parametrize("step", ["implement", "full_job", "nonsense", ""])
def test_a_step_that_is_not_open_is_refused(make_play: MakePlay, step: str) -> None:
    play = make_play()
    with pytest.raises(GateError, match="is not open") as caught:
        engine.complete(str(play.root), play.task, step, "work/x.json", play.world)
    assert "open: plan" in str(caught.value)


BAD_FILES: list[tuple[str, bytes | None, str]] = [
    ("missing", None, "does not exist; allowed: the answer"),
    ("empty", b"", "can not be read as JSON"),
    ("text", b"done", "can not be read as JSON"),
    ("a list", b"[1]", "holds no JSON object"),
    ("a number", b"7", "holds no JSON object"),
    ("not UTF-8", b'{"a": "\xff"}', "can not be read as JSON"),
    ("nothing of it", b"{}", "required property"),
    ("too deep", b"[" * 100_000, "can not be read as JSON"),
    ("no number", b'{"a": NaN}', "can not be read as JSON"),
    ("an infinite number", b'{"a": 1e999}', "can not be read as JSON"),
    ("half a character", b'{"a": "\\ud800"}', "can not be read as JSON"),
    ("too large", b" " * (engine.LARGEST_OUTPUT + 1), "is larger than"),
]


@pytest.mark.parametrize(("content", "told"), [case[1:] for case in BAD_FILES], ids=[case[0] for case in BAD_FILES])
def test_an_answer_that_can_not_be_read_changes_nothing(make_play: MakePlay, content: bytes | None, told: str) -> None:
    play = make_play()
    if content is not None:
        (play.root / "work" / play.task / "plan.json").write_bytes(content)
    before = journal.rows(str(play.root), play.task)
    with pytest.raises(GateError, match=told):
        engine.complete(str(play.root), play.task, "plan", f"work/{play.task}/plan.json", play.world)
    assert journal.rows(str(play.root), play.task) == before


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../plan.json", "program.md", "runs/x.json", "work/../x.json", "work", "a\0b"]
)
def test_an_answer_elsewhere_than_under_work_is_refused(make_play: MakePlay, name: str) -> None:
    play = make_play()
    with pytest.raises(GateError):
        engine.complete(str(play.root), play.task, "plan", name, play.world)
    assert play.state.todo == ("plan",)


def test_every_fault_of_an_answer_is_told_at_once(make_play: MakePlay) -> None:
    play = make_play()
    answer = play.answer("plan")
    baseline = {**answer["baseline"], "model": "other/model", "sequenceLength": 2048}
    with pytest.raises(GateError) as caught:
        play.complete("plan", {**answer, "baseline": baseline})
    assert "other/model" in caught.value.wrong
    assert "2048" in caught.value.wrong


def blocked(play: Play, step: str) -> dict[str, Any]:
    issue = {"severity": "error", "claim": "it is wrong here", "evidence": "it was opened", "url": None}
    return {**play.answer(step), "ok": False, "mustReblock": True, "issues": [issue]}


@pytest.mark.parametrize(
    ("critic", "again", "reason"),
    [
        ("verify_research", "research.recipe", "research_unverified"),
        ("format_critic", "data_audit", "dataset_format_incompatible"),
        ("code_review", "implement", "code_review_blocked"),
    ],
)
def test_a_critic_sends_back_once_and_a_second_block_stops(
    make_play: MakePlay, critic: str, again: str, reason: str
) -> None:
    play = make_play()
    play.advance(critic)
    assert isinstance(play.complete(critic, blocked(play, critic)), SendBack)
    assert play.state.todo == (again,)
    assert [issue["claim"] for issue in play.state.issues[again]] == ["it is wrong here"]
    upkeep.tend(str(play.root), play.task)
    assert not (play.root / results.path(play.task, again)).exists()
    play.advance(critic)
    assert again not in play.state.issues
    second = play.complete(critic, blocked(play, critic))
    assert isinstance(second, Halt)
    assert play.state.stopped is not None
    assert play.state.stopped["reason"] == second.reason == reason


def test_a_diagnosis_grants_another_try_and_the_failed_job_is_not_taken_again(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    docs = {"recheckedDocs": ["https://huggingface.co/docs/trl/sft_trainer"]}
    assert fail(play, "gpu_preflight", "wrong_trainer_arg", "TypeError: no such argument", **docs).reason is None
    job = play.state.failures["gpu_preflight"][0].job
    same = diagnosis(play, "wrong_trainer_arg", "TypeError: no such argument", job, **docs)
    with pytest.raises(GateError, match=f"the failure of {job} is recorded"):
        hand_in(play, "gpu_preflight", same)
    assert len(play.state.failures["gpu_preflight"]) == 1


def test_a_diagnosis_must_quote_the_log_of_a_job_in_the_ledger(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    job = failed_job(play, "gpu_preflight", "ValueError: no")
    with pytest.raises(GateError, match="is not in the log"):
        hand_in(play, "gpu_preflight", diagnosis(play, "unknown", "KeyError: never printed", job))
    with pytest.raises(GateError, match="j0999 is not in the ledger"):
        hand_in(play, "gpu_preflight", diagnosis(play, "unknown", "ValueError: no", "j0999"))
    assert play.state.failures == {}


def test_a_diagnosis_of_a_job_that_still_runs_is_refused(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("full_job")
    job = failed_job(play, "full_job", "loss is nan")
    play.world.change(job, stage=None)
    with pytest.raises(GateError, match=f"{job} is still open"):
        hand_in(play, "full_job", diagnosis(play, "divergence_nan", "loss is nan", job))


def test_a_script_that_is_no_python_any_more_can_be_diagnosed(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("cpu_smoke")
    job = failed_job(play, "cpu_smoke", "SyntaxError: invalid syntax")
    (play.root / "work" / play.task / "train.py").write_text("def broken(:\n")
    analysis = diagnosis(play, "unknown", "SyntaxError: invalid syntax", job)
    assert hand_in(play, "cpu_smoke", analysis).reason is None


def test_the_memory_ladder_goes_in_order_and_is_carried_into_the_full_job(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    with pytest.raises(GateError, match="the next is rung 1"):
        fail(play, "gpu_preflight", "oom", OOM, oomLadderRung=2)
    assert fail(play, "gpu_preflight", "oom", OOM, oomLadderRung=1).reason is None
    play.advance("full_job")
    with pytest.raises(GateError, match="the next is rung 2"):
        fail(play, "full_job", "oom", OOM, oomLadderRung=1)
    assert fail(play, "full_job", "oom", OOM, oomLadderRung=2).reason is None


def test_a_step_without_counted_attempts_ends_only_by_saying_that_it_can_not_be_done(make_play: MakePlay) -> None:
    play = make_play()
    with pytest.raises(GateError, match="no attempts to count"):
        hand_in(play, "plan", diagnosis(play, "unknown", "nothing"))
    assert hand_in(play, "plan", diagnosis(play, "unknown", "nothing", unrecoverable=True)).reason == "planning_failed"


@pytest.mark.parametrize(
    ("category", "changes", "reason"),
    [
        ("resource_not_found", {}, "resource_unavailable"),
        ("auth_or_gated", {}, "gated_access"),
        ("unknown", {"scopeChange": True}, "scope_change"),
        ("unknown", {}, "research_unverified"),
    ],
)
def test_a_step_without_attempts_ends_for_the_reason_that_its_diagnosis_names(
    make_play: MakePlay, category: str, changes: dict[str, Any], reason: str
) -> None:
    play = make_play()
    play.advance("research.datasets")
    told = diagnosis(play, category, "there is no such data set", unrecoverable=True) | changes
    assert hand_in(play, "research.datasets", told).reason == reason
    assert play.state.stopped is not None
    assert play.state.stopped["reason"] == reason


def test_a_category_that_is_none_is_refused_with_those_that_are(make_play: MakePlay) -> None:
    play = make_play()
    with pytest.raises(GateError, match=r"'data_is_gone' is not one of oom, .*; next: mend it, then fail --phase plan"):
        hand_in(play, "plan", diagnosis(play, "data_is_gone", "gone", unrecoverable=True))
    assert play.state.stopped is None


# --- every reason to stop, by the shortest play that reaches it ---


def answered(play: Play) -> None:
    trivial = {"isTrivial": True, "directAnswer": "It is a method.", "taskType": None, "successMetric": None}
    play.complete("plan", {**play.answer("plan"), **trivial, "steps": []})


def completed(play: Play) -> None:
    play.advance()


def target_reached(play: Play) -> None:
    metric = {"name": "eval_loss", "direction": "minimize", "target": 2.0}
    play.complete("plan", {**play.answer("plan"), "successMetric": metric})
    play.advance()


def resource_unavailable(play: Play) -> None:
    play.advance("resources.model")
    play.world.models.clear()
    play.complete("resources.model", play.answer("resources.model"))


def gated_access(play: Play) -> None:
    play.advance("resources.dataset")
    for found in play.world.datasets.values():
        found |= {"gated": True, "access": False}
    play.complete("resources.dataset", play.answer("resources.dataset"))


def wrong_columns(play: Play) -> None:
    play.advance("data_audit")
    for found in play.world.verdicts.values():
        found |= {"status": "incompatible", "missing": ["messages"], "form": None}
    play.complete("data_audit", {**play.answer("data_audit"), "formatCompatible": False})


def not_ready(play: Play) -> None:
    play.advance("readiness")
    item = {"ok": False, "evidence": "the destination is not decided"}
    missing = {"persistenceConcrete": item, "allSatisfied": False, "missing": ["persistenceConcrete"]}
    play.complete("readiness", {**play.answer("readiness"), **missing})


def not_persisted(play: Play) -> None:
    play.advance("evaluate")
    play.world.places.clear()
    play.complete("evaluate", play.answer("evaluate"))


def impossible(step: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        play.advance(step)
        hand_in(play, step, diagnosis(play, "unknown", "nothing works", unrecoverable=True))

    return play_it


def category(name: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        play.advance("gpu_preflight")
        fail(play, "gpu_preflight", name)

    return play_it


def scope_change(play: Play) -> None:
    play.advance("gpu_preflight")
    fail(play, "gpu_preflight", "timeout", "TimeoutError: too long", configChanges={"max_length": 512})


def same_error(step: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        play.advance(step)
        for _ in range(2):
            fail(play, step, "missing_dependency", "ModuleNotFoundError: No module named 'x'")
            other_bytes(play)

    return play_it


def exhausted(step: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        play.advance(step)
        for kind in ("KeyError", "ValueError", "TypeError"):
            fail(play, step, "missing_dependency", f"{kind}: another one")
            other_bytes(play)

    return play_it


def unrecoverable(step: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        play.advance(step)
        fail(play, step, "unknown", unrecoverable=True)

    return play_it


def critic_twice(step: str) -> Callable[[Play], None]:
    def play_it(play: Play) -> None:
        for _ in range(2):
            play.advance(step)
            play.complete(step, blocked(play, step))

    return play_it


REACHED: list[tuple[str, Callable[[Play], None]]] = [
    ("answered", answered),
    ("completed", completed),
    ("target_reached", target_reached),
    ("resource_unavailable", resource_unavailable),
    ("resource_unavailable", category("resource_not_found")),
    ("gated_access", gated_access),
    ("gated_access", category("auth_or_gated")),
    ("billing_required", category("billing_or_quota")),
    ("dataset_format_incompatible", wrong_columns),
    ("dataset_format_incompatible", critic_twice("format_critic")),
    ("research_unverified", critic_twice("verify_research")),
    ("code_review_blocked", critic_twice("code_review")),
    ("preflight_checklist_unsatisfied", not_ready),
    ("not_persisted", not_persisted),
    ("planning_failed", impossible("plan")),
    ("implementation_failed", impossible("implement")),
    ("evaluation_failed", same_error("evaluate")),
    ("evaluation_failed", unrecoverable("evaluate")),
    ("scope_change", scope_change),
    *((f"{step}_same_error", same_error(step)) for step in ("cpu_smoke", "gpu_preflight", "full_job")),
    *((f"{step}_retries_exhausted", exhausted(step)) for step in ("cpu_smoke", "gpu_preflight", "full_job")),
    *((f"{step}_unrecoverable", unrecoverable(step)) for step in ("cpu_smoke", "gpu_preflight", "full_job")),
]
BY_APPROVAL = {
    "cost_cap_preflight", "cost_cap_full_job", "submit_invariant_preflight", "submit_invariant_full",
    "budget_denied", "walltime_reached",
}  # fmt: skip
SAID = {"interrupted", "approval_denied", "envelope_missing", "auth_missing"}


@pytest.mark.parametrize(
    ("reason", "story"), REACHED, ids=[f"{reason}-{place}" for place, (reason, _) in enumerate(REACHED)]
)
def test_a_story_ends_with_its_reason_and_says_what_a_person_can_do(
    make_play: MakePlay, reason: str, story: Callable[[Play], None]
) -> None:
    text = "What is LoRA?" if reason == "answered" else None
    play = make_play(**({"text": text} if text else {}))
    story(play)
    ended = closing.finalize(str(play.root), play.task, play.world).stopped
    assert ended is not None
    assert ended["reason"] == reason
    assert ended["next"] == STOPS[reason].next_step
    assert ended["conforms"] == (reason in ("answered", "completed", "target_reached"))
    report = (play.root / "runs" / play.task / "report.md").read_text()
    assert f"**{reason}**" in report
    assert ended["next"] in report


@pytest.mark.parametrize("reason", sorted(SAID))
def test_a_session_may_end_a_task_for_a_reason_of_its_own(make_play: MakePlay, reason: str) -> None:
    play = make_play()
    ended = closing.finalize(str(play.root), play.task, play.world, stop=reason).stopped
    assert ended is not None
    assert (ended["reason"], ended["conforms"]) == (reason, False)


def test_every_reason_to_stop_is_reached_by_some_play() -> None:
    assert {reason for reason, _ in REACHED} | SAID | BY_APPROVAL == set(STOPS)


def test_a_stopped_task_takes_nothing_more(make_play: MakePlay) -> None:
    play = make_play()
    impossible("plan")(play)
    with pytest.raises(GateError, match="has stopped"):
        play.complete("plan", play.answer("plan"))


def test_finalize_waits_for_every_step_and_can_be_called_again(make_play: MakePlay) -> None:
    play = make_play()
    with pytest.raises(GateError, match="not done: plan"):
        closing.finalize(str(play.root), play.task, play.world)
    play.advance()
    first = closing.finalize(str(play.root), play.task, play.world)
    rows = journal.rows(str(play.root), play.task)
    assert closing.finalize(str(play.root), play.task, play.world).stopped == first.stopped
    assert journal.rows(str(play.root), play.task) == rows


def test_a_result_that_vanished_before_the_end_does_not_conform(make_play: MakePlay) -> None:
    play = make_play()
    play.advance()
    play.world.places.clear()
    ended = closing.finalize(str(play.root), play.task, play.world).stopped
    assert ended is not None
    assert not ended["conforms"]
    assert any("result" in each for each in ended["missing"])


def test_only_one_task_is_open_in_a_folder(make_play: MakePlay) -> None:
    play = make_play()
    with pytest.raises(UsageError, match=f"task {play.task} is open here"):
        make_play()
    closing.finalize(str(play.root), play.task, play.world, stop="interrupted")
    assert make_play().task != play.task


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_task_is_refused(make_play: MakePlay, text: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        make_play(text=text)


def test_a_task_is_found_by_its_name_or_as_the_open_one(make_play: MakePlay) -> None:
    play = make_play()
    assert engine.chosen(str(play.root), None) == engine.chosen(str(play.root), play.task) == play.task
    with pytest.raises(NotFound, match="'other'"):
        engine.chosen(str(play.root), "other")


def test_the_same_data_by_its_whole_path_is_no_other_data(make_play: MakePlay) -> None:
    play = make_play()
    play.advance("gpu_preflight")
    whole = f"{play.root}/{play.state.baseline['dataset']}"
    answer = fail(play, "gpu_preflight", "local_path_leak", configChanges={"dataset": whole})
    assert answer.is_granted, answer
    assert play.state.stopped is None
