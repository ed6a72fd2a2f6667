"""What a brief tells: commands that exist and may run, files that exist, and everything an agent needs to go on."""

from __future__ import annotations

import hashlib
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.pipeline_play import Play
from mlresearch import options, program, schema
from mlresearch.campaign import approval
from mlresearch.guard import situations
from mlresearch.guard.calls import DENY, Call
from mlresearch.guard.decide import decide
from mlresearch.pipeline import briefs, job_plans, steps, upkeep
from mlresearch.pipeline.briefs import Brief
from mlresearch.pipeline.rules import RULES
from mlresearch.pipeline.task import Accept, Refuse
from mlresearch.pipeline.taxonomy import CATEGORIES
from mlresearch.surface import SURFACE

PLUGIN = Path(__file__).parents[2]
Walk = Callable[[], Iterator[tuple[Play, Brief]]]


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """Every brief of a task on this machine, the task played on honestly in between; a person approves at once."""
    for name in ("HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))

    def walked() -> Iterator[tuple[Play, Brief]]:
        play = Play(tmp_path / "project", backend="local", output="work/{task}/model")
        root = str(play.root)
        while (state := upkeep.tend(root, play.task)).todo:
            found = briefs.briefs(state)[0]
            yield play, found
            if found.approval is not None:
                approval.approve(root, program.load(root).digest)
                continue
            if found.step.name == "final_verification":
                return
            play.complete(found.step.name, play.answer(found.step.name))

    return walked


def all_lines(found: Brief) -> list[str]:
    return [*(line.command for line in found.lines), found.complete, found.fail]


def test_every_step_has_a_brief_and_the_approval_comes_once(walk: Walk) -> None:
    seen = [(found.step.name, found.approval is not None) for _, found in walk()]
    wanted = [(step.name, False) for step in steps.STEPS]
    wanted.insert([step.name for step in steps.STEPS].index("gpu_preflight"), ("gpu_preflight", True))
    assert seen == wanted


def test_every_command_of_ours_is_one_that_its_script_reads(walk: Walk) -> None:
    for _, found in walk():
        for line in all_lines(found):
            if job_plans.SCRIPTS in line:
                script, verb, *words = shlex.split(line.partition(job_plans.SCRIPTS)[2].partition(" > ")[0])
                options.parse(SURFACE[script][verb], words)


def test_the_guard_denies_no_command_of_a_brief(walk: Walk) -> None:
    for play, found in walk():
        root = str(play.root)
        for line in all_lines(found):
            situation = situations.find([root], "session", time.time())
            answer = decide(Call("Bash", {"command": line}, root), situation)
            assert answer.decision != DENY, f"{found.step.name}: {line}: {answer.reason}"


def test_every_input_is_there_with_the_hash_that_a_critic_reports(walk: Walk) -> None:
    for play, found in walk():
        for path in found.inputs:
            assert (play.root / path).is_file(), path
        for path, digest in found.review.items():
            assert hashlib.sha256((play.root / path).read_bytes()).hexdigest() == digest
        assert bool(found.review) == (found.step.agent == "critic")


def test_a_page_tells_goal_rules_fields_and_how_to_hand_in(walk: Walk) -> None:
    for _, found in walk():
        text, whole = briefs.text(found), found.as_dict()
        assert found.step.goal in text
        assert all(RULES[rule] in text for rule in found.step.rules)
        assert len(text.splitlines()) <= briefs.LONGEST
        if found.approval is None:
            assert f"complete --phase {found.step.name}" in text
            assert all(f"  {name} (" in text for name in whole["schema"]["properties"])


def test_a_page_that_is_too_long_is_cut_and_says_where_the_rest_is(walk: Walk) -> None:
    _, found = next(walk())
    issue = {"severity": "error", "claim": "x", "evidence": "y", "url": None}
    long = briefs.Brief(**{**vars(found), "issues": (issue,) * 200})
    lines = briefs.text(long).splitlines()
    assert len(lines) == briefs.LONGEST
    assert any("more lines: pipeline.py next --json" in line for line in lines)
    assert "complete --phase plan" in lines[-1]


def test_a_critics_page_lists_all_that_its_gate_asks_for_and_nothing_else(walk: Walk) -> None:
    for play, found in walk():
        if found.step.name not in ("verify_research", "format_critic", "code_review"):
            assert found.subjects == ()
            continue
        listed = briefs.text(found).partition("spelled as here:\n")[2].partition("\ndo: ")[0]
        assert tuple(" ".join(listed.split()).split("; ")) == found.subjects
        answer = play.answer(found.step.name)
        for left_out in found.subjects:
            told = [entry for entry in answer["checked"] if left_out.lower() not in str(entry).lower()]
            none = {"what": "nothing", "command": "none", "found": "nothing"}
            verdict = play.judge(found.step.name, {**answer, "checked": [*told, none]})
            assert isinstance(verdict, Refuse)
            assert any(fault.endswith(left_out) for fault in verdict.faults)
        named = [{"what": subject, "command": "looked up", "found": "as told"} for subject in found.subjects]
        assert isinstance(play.judge(found.step.name, {**answer, "checked": named}), Accept)


def test_a_list_of_many_sources_is_wrapped_and_whole(walk: Walk) -> None:
    found = next(found for _, found in walk() if found.step.name == "verify_research")
    many = tuple(f"https://huggingface.co/docs/library-{number}/a-page" for number in range(60))
    told = briefs.text(briefs.Brief(**{**vars(found), "subjects": many}))
    lines = told.partition("spelled as here:\n")[2].partition("\ndo: ")[0].splitlines()
    assert all(len(line) <= briefs.WIDTH for line in lines)
    assert tuple(" ".join(" ".join(lines).split()).split("; ")) == many


def test_a_template_is_cited_to_the_letter_of_its_page(walk: Walk) -> None:
    for play, found in walk():
        if found.step.name not in ("research.examples", "research.recipe"):
            continue
        note = next(note for note in found.notes if "templates/train_sft.py" in note)
        kind, name, url, file = re.findall(r"(?:kind|id|url|evidence) ([^ ,]+)", note)
        content = (play.root / file).read_text()
        assert content == (PLUGIN / "skills" / "ml-research-task" / name).read_text()
        play.world.known.add((kind, name))
        source = {"kind": kind, "id": name, "url": url, "title": "the template", "evidence": file}
        answer = play.answer(found.step.name)
        answer = {**answer, "sources": [*answer["sources"], source]}
        assert schema.faults(f"pipeline/{found.step.schema}", answer) == []
        assert isinstance(play.judge(found.step.name, answer), Accept)


def test_copies_of_templates_come_back_and_are_no_scripts_of_the_task(walk: Walk) -> None:
    play, _ = next((play, found) for play, found in walk() if found.step.name == "research.examples")
    folder = play.root / "work" / play.task / "evidence" / "templates"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["eval_lm.py.txt", "train_sft.py.txt"]
    (folder / names[0]).unlink()
    upkeep.tend(str(play.root), play.task)
    assert sorted(path.name for path in folder.iterdir()) == names


def test_after_a_failure_a_page_tells_what_each_category_allows(walk: Walk) -> None:
    _, found = next(walk())
    past = {
        "job": "j0001",
        "signature": "s",
        "category": "oom",
        "rootCause": "a.",
        "minimalFix": "b",
        "configChanges": {},
    }
    text = briefs.text(briefs.Brief(**{**vars(found), "failures": (past,), "rung": 1}))
    assert "failed before (j0001, oom): a. Fix: b" in text
    assert "rung 1" in text
    assert all(f"if {category.name}: {category.fix}" in text for category in CATEGORIES)
