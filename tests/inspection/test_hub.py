"""Data sets on the emulated Hub: what is closed, missing, half there or late, and where the token goes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest
from huggingface_hub import HfApi

from fakes.hub_server import Dataset, Fault, HubServer, Model
from inspection.shapes import SHAPES, ask, look, read, table
from mlresearch.inspection import answer
from mlresearch.inspection.answer import Asked
from mlresearch.sources import hub_facts

PLAIN = {"train": table(text=[f"text {place}" for place in range(50)])}


def put(hub: HubServer, name: str = "ada/data", **more: object) -> str:
    hub.add(Dataset(name, {"default": PLAIN}, **more))  # type: ignore[arg-type]
    return name


def failed(*words: str) -> dict[str, str]:
    """The answer of a call that must fail in the agreed form."""
    code, told = ask(*words)
    assert (code, set(told)) == (1, {"error", "fallback"})
    return told


def _length(span: str) -> int:
    begin, _, end = span.removeprefix("bytes=").partition("-")
    return int(end) - int(begin) + 1 if end else 0


def test_the_stand_in_is_understood_by_the_real_client(hub: HubServer) -> None:
    put(hub, gated=True)
    api = HfApi(endpoint=hub.url, token=False)
    assert api.dataset_info("ada/data").gated == "auto"
    put(hub, "ada/open")
    assert [each.rfilename for each in api.dataset_info("ada/open").siblings or ()] == ["README.md"]


def test_an_answer_names_the_page_the_revision_and_exact_rows(hub: HubServer) -> None:
    data = look("--dataset", put(hub))
    assert (data["url"], data["revision"]) == (f"{hub.url}/datasets/ada/data", "5" * 40)
    assert data["splits"][0]["rows"] == 50
    assert data["splits"][0]["rows_are"] == "exact"


CARDS: dict[str, tuple[dict[str, object], str | None]] = {
    "one": ({"cardData": {"license": "mit"}, "tags": ["license:apache-2.0"]}, "mit"),
    "several": ({"cardData": {"license": ["mit", "cc-by-4.0"]}}, "mit, cc-by-4.0"),
    "by a tag alone": ({"tags": ["language:en", "license:apache-2.0"]}, "apache-2.0"),
    "of its own name": ({"cardData": {"license": "other", "license_name": "ada-1"}}, "ada-1"),
    "of no name": ({"cardData": {"license": ["other"]}}, "other"),
    "none": ({"cardData": {"license": None}, "tags": None}, None),
    "of another form": ({"cardData": "text", "tags": "license:mit"}, None),
}


@pytest.mark.parametrize("case", CARDS)
def test_a_licence_is_told_as_a_gate_compares_it(hub: HubServer, case: str) -> None:
    more, licence = CARDS[case]
    name = put(hub, more=more)
    assert look("--dataset", name)["license"] == licence
    assert f"revision {'5' * 40}, licence {licence or 'not told'}\n" in read("--dataset", name)
    known = hub_facts.dataset(name)
    assert known is not None
    assert (known["licence"], known["revision"]) == (licence, "5" * 40)
    hub.add_model(Model("ada/model", {"config.json": b"{}"}, more={"tags": None, **more}))
    model = hub_facts.model("ada/model")
    assert model is not None
    assert model["licence"] == licence, "a model's page says it in the same words"


def test_a_missing_data_set_is_told_from_a_private_one_where_that_can_be(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "or it is private: no token is set" in failed("--dataset", "ada/gone")["error"]
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    told = failed("--dataset", "ada/gone")
    assert told["error"] == "there is no data set ada/gone on the Hub"
    assert "do not take another data set" in told["fallback"]


def test_a_gated_data_set_says_where_a_person_asks_for_access(hub: HubServer) -> None:
    told = failed("--dataset", put(hub, gated=True))
    assert "is gated" in told["error"]
    assert f"asks for access at {hub.url}/datasets/ada/data" in told["fallback"]


def test_a_gated_data_set_opens_to_who_was_let_in(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    data = look("--dataset", put(hub, gated=True, readers=("hf_member",)))
    assert (data["gated"], data["splits"][0]["rows_read"]) == ("auto", 50)


def test_the_token_goes_to_the_hub_and_never_to_where_it_redirects(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    look("--dataset", put(hub))
    at_cdn = [asked for asked in hub.asked if asked.place.startswith("cdn ")]
    assert at_cdn
    assert {asked.token for asked in at_cdn} == {""}
    assert {asked.token for asked in hub.asked if asked not in at_cdn} == {"hf_member"}


def test_a_missing_config_names_those_that_exist(hub: HubServer) -> None:
    hub.add(Dataset("ada/many", {"english": PLAIN, "french": PLAIN}))
    told = failed("--dataset", "ada/many", "--config", "german")
    assert "english, french" in told["fallback"]
    assert look("--dataset", "ada/many")["config"] == "english"


@pytest.mark.parametrize("viewer", ["busy", "off"])
def test_without_the_viewer_the_parquet_files_answer_with_a_warning(hub: HubServer, viewer: str) -> None:
    data = look("--dataset", put(hub, viewer=viewer))
    assert data["splits"][0]["rows_read"] == 50
    assert "without the dataset viewer" in data["warnings"][0]


def test_without_viewer_and_conversion_the_owners_parquet_files_answer(hub: HubServer) -> None:
    data = look("--dataset", put(hub, viewer="busy", is_converted=False))
    assert (data["splits"][0]["split"], data["splits"][0]["rows"]) == ("train", 50)


def test_a_viewer_that_is_not_ready_and_no_files_say_to_call_again(hub: HubServer) -> None:
    hub.add(Dataset("ada/late", {}, viewer="busy"))
    told = failed("--dataset", "ada/late")
    assert "not ready" in told["error"]
    assert "call again later" in told["fallback"]


def test_without_parquet_files_rows_come_from_the_viewer(hub: HubServer) -> None:
    data = look("--dataset", put(hub, is_converted=False))
    assert data["splits"][0]["rows_read"] == 50
    assert "pages of 100 rows from the viewer" in data["splits"][0]["how"]


def test_unreachable_files_fall_back_to_the_viewers_rows(hub: HubServer) -> None:
    hub.faults.add(Fault("cdn", status=404, times=1000))
    split = look("--dataset", put(hub))["splits"][0]
    assert split["rows_read"] == 50
    assert split["not_seen"][0].startswith("the parquet files (")


def test_a_service_that_is_down_is_a_failure_with_a_next_step(hub: HubServer) -> None:
    hub.faults.add(Fault(".", status=503, error="down", times=1000))
    told = failed("--dataset", put(hub))
    assert "503" in told["error"]
    assert told["fallback"]


def test_a_service_that_hangs_ends_within_the_limit(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", "0.3")
    hub.faults.add(Fault(".", kind="hang", times=1000))
    assert "did not answer within" in failed("--dataset", put(hub))["error"]


def test_a_cut_answer_is_no_answer(hub: HubServer) -> None:
    hub.faults.add(Fault("/splits", kind="drop_before", times=1000))
    data = look("--dataset", put(hub))
    assert "without the dataset viewer" in data["warnings"][0]


def test_a_partial_conversion_gives_an_estimate_and_says_what_was_not_seen(hub: HubServer) -> None:
    data = look("--dataset", put(hub, partial=True, full_rows=9000))
    assert (data["splits"][0]["rows"], data["splits"][0]["rows_are"]) == (9000, "estimated")
    assert "only the beginning of train was converted" in data["warnings"][0]
    assert "sampled rows only" in data["duplicates"]["scope"]


def test_beside_a_sample_stands_what_the_viewer_counted_over_every_row(hub: HubServer) -> None:
    name = SHAPES["classes"]().put_on(hub)
    told = look("--dataset", name, "--sample", "5")["over_all_rows"]
    assert told["rows"] == 40
    assert told["columns"]["label"]["frequencies"] == {"neg": 30, "neutral": 0, "pos": 10}
    assert "histogram" not in told["columns"]["text"]
    assert "label: 0 nulls; neg 30, neutral 0, pos 10" in read("--dataset", name, "--sample", "5")
    hub.faults.add(Fault("/statistics", status=404, times=9))
    assert "no counts over all rows" in look("--dataset", name, "--sample", "5")["warnings"][-1]


def test_only_the_drawn_parts_of_large_files_are_fetched(hub: HubServer) -> None:
    noise = random.Random(0)
    big = {"train": pyarrow.table({"text": [noise.randbytes(450).hex() for _ in range(20_000)]})}
    hub.add(Dataset("ada/big", {"default": big}, row_group_rows=100))
    data = answer.inspect(Asked("ada/big", rows=50, most_bytes=400_000)).as_data()
    split = data["splits"][0]
    assert (split["rows"], split["rows_are"], split["rows_read"]) == (20_000, "exact", 50)
    assert "row groups (drawn by the seed)" in split["not_seen"][0]
    fetched = sum(_length(asked.headers.get("range", "")) for asked in hub.asked if asked.place.startswith("cdn "))
    assert fetched < 0.7 * len(hub.datasets["ada/big"].files["default/train/0000.parquet"])


LATE = {"retry-after": "60"}
WRONG = {
    "401": Fault("", status=401, error="Invalid credentials", times=1000),
    "404": Fault("", status=404, error="Not found", times=1000),
    "429": Fault("", status=429, error="Too many requests", headers=LATE, times=1000),
    "501": Fault("", status=501, error="not served", times=1000),
    "broken JSON": Fault("", status=200, body=b'{"splits": [', times=1000),
    "a list for an object": Fault("", status=200, body=[1, 2], times=1000),
    "another form": Fault("", status=200, body={name: [3] for name in ("splits", "parquet_files", "size")}, times=1000),
    "half an answer": Fault("", kind="cut_stream", times=1000),
    "another host": Fault("", status=302, headers={"location": "http://127.0.0.1:9/x"}, times=1000),
    "in a circle": Fault("", status=302, headers={"location": "/splits"}, times=1000),
}
PLACES = ("/api/datasets/ada/data$", "/parquet", "/splits", "/size", "/info", "cdn /blob", "/resolve/")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", WRONG)
def test_any_fault_of_any_address_gives_an_answer_with_a_warning_or_the_agreed_failure(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, place: str, fault: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    hub.faults.add(replace(WRONG[fault], match=place))
    code, told = ask("--dataset", put(hub), "--method", "sft")
    if code:
        assert (code, set(told)) == (1, {"error", "fallback"})
        assert told["error"] and told["fallback"]
    else:
        assert told["splits"][0]["rows_read"] == 50
        assert told["warnings"] or told["splits"][0].get("not_seen") or place == "/parquet"
    assert {asked.token for asked in hub.asked if asked.place.startswith("cdn ")} <= {""}


@pytest.mark.parametrize("name", ["../etc", "a/b/c", "ada/da--ta", "a b"])
def test_what_can_be_no_id_is_refused(hub: HubServer, name: str) -> None:
    code, told = ask("--dataset", name)
    assert (code == 2 or name.startswith("..")) and set(told) == {"error", "fallback"}
    assert not hub.asked


def test_tokens_are_counted_with_a_tokenizer_of_the_hub(hub: HubServer) -> None:
    words = {"[UNK]": 0, "text": 1}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}
    tokenizer: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
    }
    tokenizer |= {"pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None, "model": model}
    hub.files["/ada/model/resolve/main/tokenizer.json"] = json.dumps(tokenizer).encode()
    told = look("--dataset", put(hub), "--tokenizer", "ada/model")["tokens"]
    assert (told["columns"]["text"]["max"], told["rows"]) == (2, 50)
    assert "there is no tokenizer.json" in failed("--dataset", "ada/data", "--tokenizer", "ada/none")["error"]


def test_a_picture_of_the_distributions_is_a_png(hub: HubServer, tmp_path: Path) -> None:
    from PIL import Image

    target = tmp_path / "out" / "shape.png"
    data = look("--dataset", SHAPES["classes"]().put_on(hub), "--picture", str(target))
    assert data["picture"] == str(target)
    with Image.open(target) as image:
        assert image.width == 1040
        assert len(set(image.convert("L").tobytes())) > 2
