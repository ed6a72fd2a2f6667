"""The present world tells what ledger, logs, folders and the Hub say, and nothing that an answer claims."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.hub_server import Dataset, HubServer, Model
from fakes.toy_project import Toy
from inspection.shapes import SHAPES
from mlresearch import backends, jobs, ledger
from mlresearch.errors import GateError, SealError
from mlresearch.jobs import Order
from mlresearch.jobs.order import args_sha256
from mlresearch.pipeline.world import Present

SCRIPT = "print('step 1 loss 2.0')\nprint('{\"steps\": 1}')\n"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    """A project without program.md, where jobs on this machine are free."""
    made = Toy(tmp_path)
    made.use(monkeypatch)
    made.root.mkdir()
    yield made
    made.end_jobs()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        for name, value in server.variables().items():
            monkeypatch.setenv(name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
        yield server


def submitted(toy: Toy, script: str = SCRIPT, *args: str) -> str:
    (toy.root / "train.py").write_text(script)
    order = Order("local", str(toy.root / "train.py"), "cpu", 60, args, env={"SMOKE": "1"})
    return jobs.submit(toy.path, order, backends.get("local", toy.path)).job


def finished(toy: Toy, script: str = SCRIPT, *args: str) -> str:
    job = submitted(toy, script, *args)
    jobs.wait(toy.path, {"local": backends.get("local", toy.path)}, {job}, time.time() + 60)
    return job


def test_a_settled_job_is_told_by_ledger_and_log(toy: Toy) -> None:
    job = finished(toy, SCRIPT, "--steps", "1")
    found = Present(toy.path).job(job)
    assert found is not None
    assert (found.backend, found.flavor, found.timeout_s, found.is_smoke) == ("local", "cpu", 60, True)
    assert found.args_sha256 == args_sha256(["--steps", "1"])
    assert list(found.files) == ["train.py"]
    assert found.stage == "COMPLETED"
    assert found.log == ("step 1 loss 2.0", '{"steps": 1}')
    assert Present(toy.path).job("j0099") is None
    assert Present(toy.path).open_jobs() == ()
    assert Present(toy.path).spent_micro() == 0


def test_a_log_that_was_edited_after_the_job_is_no_evidence(toy: Toy) -> None:
    job = finished(toy, "raise SystemExit(1)")
    path = toy.root / "runs" / "jobs" / job / "log.txt"
    path.write_text(SCRIPT)
    with pytest.raises(GateError, match="not the one that was settled"):
        Present(toy.path).job(job)


def test_a_job_that_runs_has_no_stage(toy: Toy) -> None:
    job = submitted(toy, "import time\ntime.sleep(60)\n")
    found = Present(toy.path).job(job)
    assert found is not None
    assert found.stage is None
    assert Present(toy.path).open_jobs() == (job,)


def test_a_reservation_that_was_given_back_is_no_job(toy: Toy) -> None:
    job = submitted(toy, "import time\ntime.sleep(60)\n")
    ledger.append(toy.path, "released", job=job, why="a test")
    assert Present(toy.path).job(job) is None


def test_what_the_approval_leaves_is_told_and_its_absence_too(toy: Toy) -> None:
    with pytest.raises(SealError):
        Present(toy.path).left()
    toy.write()
    toy.approve()
    left = Present(toy.path).left()
    assert left["max_timeout_s"] == 120
    assert "cpu" in left["flavors"]
    assert left["usd_micro"] >= 0


def test_a_folder_holds_a_result_when_a_file_with_bytes_is_in_it(toy: Toy, hub: HubServer) -> None:
    world = Present(toy.path)
    assert not world.saved("work/model")
    (toy.root / "work" / "model").mkdir(parents=True)
    (toy.root / "work" / "model" / "empty").touch()
    assert not world.saved("work/model")
    (toy.root / "work" / "model" / "model.safetensors").write_text("weights")
    assert world.saved("work/model")
    assert not world.saved("../elsewhere")


def test_data_of_this_machine_is_inspected_in_its_project(toy: Toy) -> None:
    place = toy.root / "data" / "train.jsonl"
    place.parent.mkdir()
    place.write_text("".join(json.dumps({"conversations": [{"from": "human", "value": "a"}]}) + "\n" for _ in range(3)))
    found = Present(toy.path).verdict("data/train.jsonl", None, "dpo")
    assert found["status"] == "incompatible"
    assert found["missing"]
    assert found["splits"] == {"train": 3}
    assert set(found["columns"]) == {"conversations"}
    assert Present(toy.path).verdict("data/train.jsonl", None, "eval")["status"] is None
    assert Present(toy.path).dataset("data/train.jsonl") is not None


def test_data_on_the_hub_is_inspected(toy: Toy, hub: HubServer) -> None:
    name = SHAPES["preference"]().put_on(hub)
    found = Present(toy.path).verdict(name, None, "dpo")
    assert found["status"] == "compatible"
    assert found["columns"]
    assert Present(toy.path).dataset(name) is not None


def test_models_and_data_sets_of_the_hub_are_told_as_they_are(toy: Toy, hub: HubServer) -> None:
    weights = {"config.json": b"{}", "model.safetensors": b"weights"}
    hub.models["me/open"] = Model("me/open", weights, more={"safetensors": {"parameters": {"F32": 12}}})
    hub.models["me/gated"] = Model("me/gated", weights, gated=True)
    hub.models["me/empty"] = Model("me/empty", {"README.md": b"nothing"})
    hub.add(Dataset("me/closed", {}, gated=True))
    world = Present(toy.path)
    opened = world.model("me/open")
    assert opened is not None
    assert (opened["gated"], opened["access"], opened["licence"], opened["parameters"]) == (
        False, True, "apache-2.0", 12,
    )  # fmt: skip
    gated = world.model("me/gated")
    assert gated is not None
    assert (gated["gated"], gated["access"]) == (True, False)
    assert world.model("me/none") is None
    assert world.model("me/open", "abc1234") is None
    assert world.model("me/open", "main") is not None
    closed = world.dataset("me/closed")
    assert closed is not None
    assert (closed["gated"], closed["access"]) == (True, False)
    assert world.saved("me/open")
    assert not world.saved("me/empty")
    assert not world.saved("me/none")
    assert world.resolves("model", "me/gated")
    assert not world.resolves("dataset", "me/none")
    assert world.resolves("web", "https://huggingface.co/me/open")
    assert not world.resolves("web", "https://huggingface.co/me/none/tree/main")
