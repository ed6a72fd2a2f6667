"""What the inspection tells of each shape, the same for a folder here and for a data set on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspection.shapes import SHAPES, Put, ask, look, read
from mlresearch.data_rules import METHODS


def column(data: dict[str, Any], name: str, split: str = "train") -> dict[str, Any]:
    found: dict[str, Any] = data["columns"][split][name]
    return found


def statuses(data: dict[str, Any]) -> dict[str, str]:
    return {method: each["verdict"] for method, each in data["verdicts"].items()}


def test_a_chat_with_tools_shows_roles_turns_tools_and_who_ends(put: Put) -> None:
    data = look("--dataset", put("chat with tools"))
    chat = column(data, "messages")["chat"]
    assert chat["roles"] == {"assistant": 60, "system": 30, "user": 30, "tool": 30}
    assert chat["turns"]["median"] == 5
    assert chat["system_share"] == 1.0
    assert chat["with_tool_calls"] == 30
    assert chat["last_role"] == {"assistant": 30}
    assert "tool_calls" in str(data["schema"]["messages"])
    assert statuses(data)["sft"] == "compatible"
    assert statuses(data)["grpo"] == "needs_mapping"
    assert statuses(data)["dpo"] == "incompatible"


def test_preference_pairs_fit_dpo_and_reward_and_can_be_unpaired_for_kto(put: Put) -> None:
    data = look("--dataset", put("preference"))
    found = statuses(data)
    assert (found["dpo"], found["reward"], found["grpo"]) == ("compatible", "compatible", "compatible")
    assert found["kto"] == "needs_mapping"
    assert "unpair_preferences" in data["verdicts"]["kto"]["code"]
    assert found["classification"] == found["vision"] == "incompatible"


def test_a_pair_without_a_prompt_gets_it_from_the_shared_opening(put: Put) -> None:
    data = look("--dataset", put("implicit preference"))
    dpo = data["verdicts"]["dpo"]
    assert dpo["verdict"] == "needs_mapping"
    assert dpo["mapping"]["prompt"] == ["chosen", "rejected"]
    assert "shared_opening" in dpo["code"]
    assert statuses(data)["reward"] == "compatible"


def test_nested_lists_keep_their_whole_type(put: Put) -> None:
    data = look("--dataset", put("nested"))
    assert data["schema"]["deep"] == [["int64"]]
    assert data["types"]["deep"] == "list<list<int64>>"
    assert data["schema"]["tree"] == {"name": "string", "parts": [{"id": "int64", "tags": ["string"]}]}
    assert column(data, "deep")["nulls"] == 5
    assert set(statuses(data).values()) == {"incompatible"}


def test_images_are_described_and_never_dumped(put: Put) -> None:
    data = look("--dataset", put("images"))
    image = column(data, "image")
    assert image["media"] == {"image/png": 12}
    assert (image["width"]["max"], image["height"]["max"]) == (8, 6)
    assert data["schema"]["image"] == "image"
    assert data["samples"]["rows"][0]["image"]["bytes"].startswith("<png 8×6, ")
    assert statuses(data)["vision"] == "compatible"


def test_audio_is_told_by_its_header(put: Put) -> None:
    data = look("--dataset", put("audio"))
    audio = column(data, "audio")
    assert audio["media"] == {"audio/wav": 6}
    assert audio["seconds"]["min"] == 0.1
    assert data["schema"]["audio"] == "audio"


def test_class_labels_come_with_names_and_their_distribution(put: Put) -> None:
    data = look("--dataset", put("classes"))
    label = column(data, "label")
    assert label["classes"] == [{"value": 0, "name": "neg", "rows": 30}, {"value": 2, "name": "pos", "rows": 10}]
    assert data["schema"]["label"] == {"class_label": ["neg", "neutral", "pos"]}
    assert statuses(data)["classification"] == "compatible"


def test_a_row_in_two_splits_is_found(put: Put) -> None:
    data = look("--dataset", put("classes"))
    assert data["duplicates"]["across"] == [{"splits": ["train", "test"], "rows": 1}]
    assert data["duplicates"]["scope"] == "all rows"
    assert "train and test share 1 rows" in "; ".join(data["warnings"])


def test_broken_json_strings_are_counted_and_the_first_are_named(put: Put) -> None:
    data = look("--dataset", put("broken json"))
    told = column(data, "payload")["json_text"]
    assert (told["parsed"], told["broken"]) == (28, 2)
    assert told["first_broken"][0].startswith("sampled row 28: ")
    assert "2 of 30 JSON texts are broken" in "; ".join(data["warnings"])


def test_an_empty_split_is_said_to_be_empty(put: Put) -> None:
    data = look("--dataset", put("empty split"))
    rows = {each["split"]: (each["rows"], each["rows_are"]) for each in data["splits"]}
    assert rows == {"train": (2, "exact"), "test": (0, "exact")}
    assert "split test is empty" in data["warnings"]


def test_an_empty_split_alone_is_judged_by_its_schema_and_says_so(put: Put) -> None:
    data = look("--dataset", put("empty split"), "--split", "test", "--method", "sft")
    assert data["samples"]["rows"] == []
    assert data["verdicts"]["sft"]["warnings"] == ["no row was read: this rests on the schema alone"]


def test_column_names_may_be_any_text(put: Put) -> None:
    data = look("--dataset", put("unicode"))
    assert set(data["schema"]) == {"名前", "größe 🙂", " text "}
    assert column(data, "größe 🙂")["nulls"] == 1
    assert any("begins or ends with one" in line for line in data["warnings"])


def test_turns_in_another_spelling_come_with_the_conversion(put: Put) -> None:
    data = look("--dataset", put("sharegpt"))
    sft = data["verdicts"]["sft"]
    assert (sft["verdict"], sft["form"], sft["mapping"]) == ("needs_mapping", "messages", {"messages": "conversations"})
    assert "def sharegpt_to_messages(turns):" in sft["code"]


def test_a_column_of_nulls_is_as_good_as_absent(put: Put) -> None:
    data = look("--dataset", put("nulls"), "--method", "sft")
    assert column(data, "prompt")["nulls"] == 10
    assert data["verdicts"]["sft"]["verdict"] == "incompatible"
    assert "train: prompt: nothing but nulls" in data["warnings"]


def test_a_missing_config_or_split_names_those_that_exist(put: Put) -> None:
    name = put("classes")
    code, told = ask("--dataset", name, "--config", "french")
    assert (code, set(told)) == (1, {"error", "fallback"})
    assert "no config 'french'" in told["error"]
    assert "default" in told["fallback"]
    code, told = ask("--dataset", name, "--split", "dev")
    assert code == 1
    assert "test" in told["fallback"] and "train" in told["fallback"]


def test_at_most_five_rows_are_shown_and_long_text_is_cut(put: Put) -> None:
    data = look("--dataset", put("chat with tools"))
    assert len(data["samples"]["rows"]) == 5


def test_a_sample_is_fixed_by_its_seed(put: Put) -> None:
    name = put("classes")
    words = ("--dataset", name, "--split", "train", "--sample", "9", "--seed")
    first, again, other = look(*words, "3"), look(*words, "3"), look(*words, "4")
    assert first == again
    assert first["samples"] != other["samples"]
    assert first["splits"][0]["rows_read"] == 9


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_can_be_read_as_text_and_drawn(tmp_path: Path, name: str) -> None:
    folder, target = SHAPES[name]().put_here(tmp_path / "data"), tmp_path / "p.png"
    text = read("--dataset", folder, "--picture", str(target))
    assert all(f"\n{method} " in text for method in METHODS)
    assert target.read_bytes()[:4] == b"\x89PNG"


def test_one_method_asked_for_shows_the_code_of_its_mapping(tmp_path: Path) -> None:
    text = read("--dataset", SHAPES["sharegpt"]().put_here(tmp_path), "--method", "sft")
    assert "dataset.map(convert, remove_columns=dataset.column_names)" in text
    assert "def sharegpt_to_messages(turns):" in text
