"""How gates read evidence, logs and words: what is quoted to the letter counts, however it is wrapped or coloured."""

from __future__ import annotations

import json

import pytest

from mlresearch.pipeline.gates import asked, looking

LOG = ("\x1b[32mstep 1\x1b[0m loss 2.0", "  5%|#| 1/20\r 10%|##| 2/20\r", "", '{"steps": 2, "ended": "done"}', "bye")


@pytest.mark.parametrize(
    "told",
    [
        "bye",
        '{"steps": 2, "ended": "done"}\nbye',
        '10%|##| 2/20\n\n{"steps": 2, "ended": "done"}\n bye\n',
        "\n".join(LOG),
    ],
)
def test_the_end_of_a_log_is_recognized(told: str) -> None:
    assert looking.tail_faults(told, LOG) == []


@pytest.mark.parametrize("told", ["", "   ", "step 1 loss 2.0", "bye bye", '{"steps": 3, "ended": "done"}\nbye'])
def test_other_lines_are_not_the_end_of_a_log(told: str) -> None:
    assert looking.tail_faults(told, LOG)


def test_the_last_object_is_what_the_script_said_last() -> None:
    assert looking.last_object(LOG) == {"steps": 2, "ended": "done"}
    assert looking.last_object(('{"steps": 1}', "{broken", '{"a": ', "[1]")) == {"steps": 1}
    assert looking.last_object(()) == {}


def test_steps_are_the_scripts_own_count_else_the_largest_that_a_line_tells() -> None:
    assert looking.steps_in(LOG) == 2
    assert looking.steps_in(("step 3 loss 1.0", "step 12 loss 0.5", '{"steps": true}')) == 12
    assert looking.steps_in(("loading",)) == 0


@pytest.mark.parametrize(
    ("log", "broken"),
    [("step 1 loss nan", True), ("step 1 loss inf", True), ("step 1 loss 1.0", False), ("nan", False)],
)
def test_a_loss_that_is_no_finite_number_is_seen(log: str, broken: bool) -> None:
    assert looking.is_broken([log]) is broken


def test_text_inside_json_is_read_as_it_is_meant() -> None:
    told = looking.told_in(json.dumps({"text": 'he said "ö"\nand left', "deep": [{"x": "inner words"}]}).encode())
    assert 'he said "ö" and left' in told
    assert "inner words" in told


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (1.9, 1.90001, True),
        (1.9, 1.91, False),
        (200, 200, True),
        (None, None, True),
        (None, 0.0, False),
        (0.0, 1e-12, True),
    ],
)
def test_numbers_agree_as_far_as_a_log_prints_them(one: object, other: object, agree: bool) -> None:
    assert looking.same(one, other) is agree


def test_names_are_taken_out_of_a_sentence() -> None:
    text = "tune https://huggingface.co/datasets/a/b-c and Qwen/Qwen2-0.5B@abc1234 on ./x/y.json, and/or d/e."
    assert asked.names(text) == ["a/b-c", "Qwen/Qwen2-0.5B", "and/or", "d/e"]
    assert asked.revisions(text) == {"abc1234"}


@pytest.mark.parametrize(
    ("text", "work"),
    [
        ("Fine-tune x/y-1", True),
        ("evaluate x/y-1 on z", True),
        ("What does x/y-1 need to be trained?", False),
        ("Can you fine-tune x/y-1 for me", True),
        ("list the models of x", False),
    ],
)
def test_a_question_is_told_from_work(text: str, work: bool) -> None:
    assert asked.is_work(text) is work
