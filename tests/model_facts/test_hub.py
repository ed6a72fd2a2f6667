"""Models on the emulated Hub: what is closed, missing, damaged or late, what is read, and where the token goes."""

from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import HfApi

from fakes.hub_server import Fault, HubServer, Model
from fakes.hub_server.models import SHA, safetensors
from model_facts.samples import LLAMA_NUMBERS, ask, encoded, failed, llama, look, text

NAME = "ada/model"


def put(hub: HubServer, files: dict[str, bytes] | None = None, **more: Any) -> str:
    hub.add_model(Model(NAME, files or llama(), **more))
    return NAME


def test_the_stand_in_is_understood_by_the_real_client(hub: HubServer) -> None:
    put(hub, gated=True, more={"safetensors": {"parameters": {"BF16": 5}, "total": 5}})
    told = HfApi(endpoint=hub.url, token=False).model_info(NAME, files_metadata=True)
    assert (told.gated, told.sha, told.safetensors and told.safetensors.total) == ("manual", SHA, 5)
    assert {each.rfilename: each.size for each in told.siblings or ()}["config.json"]


def test_an_answer_names_page_revision_licence_and_sizes(hub: HubServer) -> None:
    data = look("--model", put(hub))
    assert (data["url"], data["revision"], data["license"]) == (f"{hub.url}/{NAME}", SHA, "apache-2.0")
    assert (data["gated"], data["kind"], data["source"]) == (False, "transformers", "hub")
    assert {each["path"]: each["bytes"] for each in data["files"]}["model.safetensors"] > 2 * LLAMA_NUMBERS
    assert data["architecture"] | {"layers": 2, "key_value_heads": 2, "context": 512} == data["architecture"]


def test_parameters_come_from_the_record_when_it_has_them(hub: HubServer) -> None:
    put(hub, more={"safetensors": {"parameters": {"BF16": 1000, "F32": 24}, "total": 1024}})
    told = look("--model", NAME)["parameters"]
    assert (told["total"], told["by_type"]) == (1024, {"BF16": 1000, "F32": 24})
    assert "by the Hub" in told["counted"]
    assert not any("safetensors" in asked.place for asked in hub.asked)


def test_else_from_the_headers_by_range_and_no_weight_is_read(hub: HubServer) -> None:
    big = safetensors({"all": ("BF16", [4_000_000])})
    put(hub, llama() | {"model.safetensors": big})
    told = look("--model", NAME)["parameters"]
    assert (told["total"], told["by_type"]) == (4_000_000, {"BF16": 4_000_000})
    assert "header" in told["counted"]
    spans = [asked.headers["range"] for asked in hub.asked if asked.place.startswith("cdn ")]
    assert spans == ["bytes=0-131071"]


def test_all_shards_of_an_index_are_counted_and_other_weights_are_not(hub: HubServer) -> None:
    shard = safetensors({"x": ("F32", [500])})
    files = {name: data for name, data in llama().items() if name != "model.safetensors"}
    files |= {"model-1.safetensors": shard, "model-2.safetensors": shard, "consolidated.safetensors": shard}
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-3.safetensors"}}
    put(hub, files | encoded(model__safetensors__index__json=index))
    data = look("--model", NAME)
    assert data["parameters"]["total"] == 1000
    assert "names 1 files that are not there: model-3.safetensors" in data["warnings"][0]


def test_without_safetensors_arithmetic_answers_and_says_so(hub: HubServer) -> None:
    files = llama()
    del files["model.safetensors"]
    data = look("--model", put(hub, files | {"pytorch_model.bin": b"x"}))
    assert (data["parameters"]["total"], data["parameters"]["by_type"]) == (LLAMA_NUMBERS, {})
    assert "arithmetic" in data["parameters"]["counted"]
    assert "pickles" in data["warnings"][0]


def test_a_missing_model_is_told_from_a_private_one_where_that_can_be(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "or it is private: no token is set" in failed("--model", "ada/gone")["error"]
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    told = failed("--model", "ada/gone")
    assert told["error"] == "there is no model ada/gone on the Hub"
    assert "do not take another model" in told["fallback"]


@pytest.mark.parametrize("token", ["", "hf_stranger"])
def test_a_gated_model_says_where_a_person_asks_for_access(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    told = failed("--model", put(hub, gated=True))
    assert "is gated" in told["error"]
    assert f"asks for access at {hub.url}/{NAME}" in told["fallback"]


def test_a_gated_model_opens_to_who_was_let_in_and_says_what_a_job_needs(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    data = look("--model", put(hub, gated=True, readers=("hf_member",)))
    assert data["gated"] == "manual"
    assert any("a job needs a token" in line for line in data["warnings"])
    assert {asked.token for asked in hub.asked if asked.place.startswith("cdn ")} == {""}


def test_a_revision_is_read_at_its_commit_and_a_missing_one_is_named(hub: HubServer) -> None:
    put(hub, revisions=("main", "v1.0"))
    assert look("--model", NAME, "--revision", "v1.0")["revision"] == SHA
    assert all(f"/resolve/{SHA}/" in asked.place for asked in hub.asked if "/resolve/" in asked.place)
    told = failed("--model", NAME, "--revision", "v9")
    assert told["error"] == "ada/model has no revision 'v9'"
    assert "/commits/main" in told["fallback"]


def test_a_model_without_a_config_says_what_lies_there(hub: HubServer) -> None:
    told = failed("--model", put(hub, {"data.parquet": b"x", "README.md": b""}))
    assert "no config.json" in told["error"]
    assert ".md, .parquet" in told["error"]


def test_gguf_files_are_named_with_what_is_not_read(hub: HubServer) -> None:
    gguf = {"total": 7_000_000, "context_length": 4096, "architecture": "llama"}
    data = look("--model", put(hub, {"m.Q4.gguf": b"x"}, more={"gguf": gguf}))
    assert (data["kind"], data["parameters"]["total"], data["memory"]) == ("gguf", 7_000_000, {})
    assert (data["architecture"]["context"], data["architecture"]["class"]) == (4096, "llama")
    assert "not read" in data["warnings"][0]
    assert "gguf" in text("--model", NAME)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"model.safetensors": b"short"}, id="too short"),
        pytest.param({"model.safetensors": (2**40).to_bytes(8, "little") + b"{}"}, id="length beyond the file"),
        pytest.param({"model.safetensors": (9).to_bytes(8, "little") + b'{"a": 1, '}, id="half a header"),
        pytest.param({"model.safetensors": (2).to_bytes(8, "little") + b"[]"}, id="no table"),
        pytest.param({"model.safetensors": safetensors({"x": ("F32", [9])})[:-4]}, id="weights cut off"),
        pytest.param(
            {"model.safetensors": safetensors({"x": ("F32", [9])}).replace(b"[9]", b"[8]")},
            id="shape and span disagree",
        ),
        pytest.param(
            {"model.safetensors": safetensors({"x": ("F32", [9])}).replace(b"[9]", b"[-]")}, id="header is no JSON"
        ),
    ],
)
def test_a_damaged_safetensors_file_is_named_and_not_counted(hub: HubServer, files: dict[str, bytes]) -> None:
    told = failed("--model", put(hub, llama() | files))
    assert "model.safetensors of ada/model is damaged" in told["error"]


def test_a_broken_config_is_a_failure_that_names_the_file(hub: HubServer) -> None:
    assert "config.json of ada/model is no JSON" in failed("--model", put(hub, {"config.json": b"{"}))["error"]
    assert "holds no table" in failed("--model", put(hub, {"config.json": b"[1]"}))["error"]


def test_a_service_that_is_down_is_a_failure_with_a_next_step(hub: HubServer) -> None:
    hub.faults.add(Fault(".", status=503, error="down", times=1000))
    told = failed("--model", put(hub))
    assert "503" in told["error"]
    assert told["fallback"]


def test_a_service_that_hangs_ends_within_the_limit(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_RESEARCH_HTTP_LIMIT_S", "0.3")
    hub.faults.add(Fault(".", kind="hang", times=1000))
    assert "did not answer within" in failed("--model", put(hub))["error"]


def test_weights_that_can_not_be_reached_are_a_failure(hub: HubServer) -> None:
    hub.faults.add(Fault("cdn", status=500, error="no", times=1000))
    assert "500" in failed("--model", put(hub))["error"]


@pytest.mark.parametrize("name", ["a/b/c", "ada/mo--del", "a b", "ada/../x"])
def test_what_can_be_no_id_is_refused(hub: HubServer, name: str) -> None:
    code, told = ask("--model", name)
    assert (code, set(told)) == (2, {"error", "fallback"})
    assert not hub.asked
