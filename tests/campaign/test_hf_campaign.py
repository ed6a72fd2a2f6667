"""Whole campaigns on the Hub's jobs: the emulator runs them for real, and the sealed data stays on this machine."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN, sent
from fakes.hf_jobs import Emulator, Fault
from fakes.toy_project import REPO, blocks
from mlresearch import jobs, ledger, money, program, seal
from mlresearch.backends import ENDED
from mlresearch.backends.local import LocalBackend
from mlresearch.campaign import approval, derived, loop, running
from mlresearch.cli import program as cli_program

TRAIN = """
import argparse, os, random, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("--shelf")
parser.add_argument("--to")
parser.add_argument("--seed", type=int)
parser.add_argument("--rate", type=float, default=1.0)
options = parser.parse_args()
value = 0.5 + 0.1 * options.rate + random.Random(options.seed).gauss(0, 0.0001)
if options.to:
    headers = {"authorization": "Bearer " + os.environ["HF_TOKEN"]}
    address = options.shelf + "/" + options.to
    urllib.request.urlopen(urllib.request.Request(address, str(value).encode(), headers, method="PUT")).read()
print("val_accuracy:", value)
"""
EVALUATE = """
import argparse, json, os, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("--shelf")
parser.add_argument("--model")
parser.add_argument("--data", default="")
options = parser.parse_args()
headers = {"authorization": "Bearer " + os.environ["HF_TOKEN"]}
with urllib.request.urlopen(urllib.request.Request(options.shelf + "/" + options.model, headers=headers)) as answer:
    value = float(answer.read()) - (float(open(options.data).read()) if options.data else 0.0)
print("test_accuracy:", value)
print(json.dumps({"metric": "test_accuracy", "value": value, "n": 450, "stderr": 0.001}))
"""
SECRET_NUMBER = "0.0031415"


class Shelf:
    """Repositories of the Hub as far as this file needs them: one model each, for those who bring the token."""

    def __init__(self) -> None:
        self.models: dict[str, bytes] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"shelf": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Shelf:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    shelf: Shelf

    def _answer(self, content: bytes | None) -> None:
        known = self.headers.get("authorization") == f"Bearer {TOKEN}"
        self.send_response(404 if content is None else 200 if known else 401)
        self.end_headers()
        self.wfile.write((content or b"") if known else b"")

    def do_PUT(self) -> None:
        self.shelf.models[self.path[1:]] = self.rfile.read(int(self.headers["content-length"]))
        self._answer(b"stored")

    def do_GET(self) -> None:
        self._answer(self.shelf.models.get(self.path[1:]))

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Rented:
    """A project whose training runs on the emulated Hub."""

    def __init__(self, root: Path, hub: Emulator, shelf: Shelf) -> None:
        self.root, self.path, self.hub, self.shelf = root, str(root), hub, shelf

    def approve(self, final: list[str] | None, args: list[str], limits: Any = None, **run: Any) -> None:
        for name, text in {"train.py": TRAIN, "evaluate.py": EVALUATE, "data/test.txt": SECRET_NUMBER}.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        scoring = {"script": "evaluate.py", "args": final, "metric_pattern": r"^test_accuracy: (\S+)$"}
        rate = {"flag": "--rate", "kind": "float", "low": 0, "high": 3, "default": 1.0}
        changes: dict[str, dict[str, Any]] = {
            "Goal": {"final": None if final is None else scoring},
            "Run": {"backend": "hf", "flavor": "cpu-basic", "timeout": "10m", "memory": None, "args": args}
            | {"parameters": {"rate": rate}} | run,
            "Keep or discard": {"max_experiments": 2},
            "Budget envelope": {
                "backends": ["hf", "local"], "allowed_flavors": ["cpu-basic", "cpu"], "max_usd": 1,
                "max_walltime": "24h", "max_timeout": "10m", "output_repos": ["ada/toy-*"],
            } | (limits or {}),
        }  # fmt: skip
        template = (REPO / "program.template.md").read_text()
        (self.root / "program.md").write_text(program.written(template, blocks(changes)))
        approval.approve(self.path, program.load(self.path).digest)

    def rows(self, event: str) -> list[dict[str, Any]]:
        return [row for row in ledger.rows(self.path) if row["event"] == event]

    def run(self) -> dict[str, Any]:
        return loop.run(self.path, lambda step, campaign: None)


@pytest.fixture
def rented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rented]:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], os.path.dirname(uv)]))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("CLAUDE_CODE_SESSION_ID", raising=False)
    with Emulator(tmp_path / "jobs") as hub, Shelf() as shelf:
        # the client reads HF_ENDPOINT once a process
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        made = Rented(root, hub, shelf)
        yield made
        backend = LocalBackend(made.path)
        for ref in backend.list():
            if backend.inspect(ref).stage not in ENDED:
                backend.cancel(ref)
    written = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert TOKEN not in "".join(written)


def assert_paid_once(rented: Rented) -> None:
    """Each job of the Hub is in the ledger once, and costs there what the Hub bills."""
    assert ledger.verify(rented.path) == []
    assert ledger.standing(rented.path).open == {}
    known = [row["job_id"] for row in rented.rows("submitted") if row["job_id"].startswith("ada/")]
    assert sorted(known) == sorted(f"ada/{job}" for job in rented.hub.jobs)
    assert sum(row["billed_micro"] for row in rented.rows("settled")) == rented.hub.bill_micro()


def test_a_campaign_without_a_final_scoring_ends_on_fresh_seeds(rented: Rented) -> None:
    rented.approve(None, [])
    # a campaign rides out what passes: a page of errors in the middle of a wait
    rented.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=503))
    found = rented.run()

    assert found["incumbent"]["experiment"] != ""
    assert (found["incumbent"]["sealed"], found["gap"]) == ([], None)
    assert found["incumbent"]["fresh"][0] is not None
    assert_paid_once(rented)
    assert "TOKEN" not in str([body.get("secrets") for body in rented.hub.bodies])
    assert derived.write(rented.path)["headline"].count("no sealed score") == 1


def test_what_is_sealed_never_leaves_this_machine(rented: Rented) -> None:
    """Each training leaves its model in a repository of its own; the scoring that reads sealed data runs here."""
    shelf = rented.shelf.url
    final = ["--shelf", shelf, "--model", "{repo}", "--data", "{sealed}/data/test.txt"]
    rented.approve(final, ["--shelf", shelf, "--to", "{repo}"])
    found = rented.run()

    assert_paid_once(rented)
    places = {row["purpose"]: row["backend"] for row in rented.rows("reserved")}
    assert (places["baseline"], places["final_train"], places["final_score"]) == ("hf", "hf", "local")
    model = float(rented.shelf.models[_repository(rented, "baseline")])
    assert found["baseline"]["sealed"] == [pytest.approx(model - float(SECRET_NUMBER))]
    assert (found["baseline"]["sealed_n"], found["baseline"]["sealed_stderr"]) == ([450], [0.001])
    travelled = "".join(str(sent(body)) + str(body) for body in rented.hub.bodies)
    assert SECRET_NUMBER not in travelled
    assert "test.txt" not in travelled
    runs = [row for row in rented.rows("reserved") if row["backend"] == "hf"]
    assert len(rented.shelf.models) == len(runs) == len(rented.hub.jobs)
    derived.write(rented.path)
    told = (rented.root / "runs" / "summary.md").read_text()
    assert _repository(rented, found["incumbent"]["experiment"]) in told
    assert "n = 450" in told


def _repository(rented: Rented, experiment: str) -> str:
    """Of the run on the final's fresh seed."""
    (row,) = [
        row for row in rented.rows("reserved") if (row["experiment"], row["purpose"]) == (experiment, "final_train")
    ]
    return f"ada/toy-{ledger.standing(rented.path).campaign}-{experiment}-{row['seed']}"


def test_a_scoring_that_needs_no_file_of_this_machine_runs_where_training_ran(rented: Rented) -> None:
    shelf = rented.shelf.url
    rented.approve(["--shelf", shelf, "--model", "{repo}"], ["--shelf", shelf, "--to", "{repo}"])
    rented.run()

    assert {row["backend"] for row in rented.rows("reserved")} == {"hf"}
    assert_paid_once(rented)


def test_the_price_of_a_run_holds_the_time_that_its_start_may_take(rented: Rented) -> None:
    rented.approve(None, [])
    approved = seal.require(rented.path, rented.rows("approved")[0]["ts"])
    request = running.request_of(running.backend_of(rented.path, approved), approved)
    assert (request.reserved_s, request.ceiling_micro) == (900, 15 * 167)


def test_the_person_who_approves_sees_what_one_run_can_cost(
    rented: Rented, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rented.approve(None, [])
    monkeypatch.chdir(rented.root)
    for told in ("its price was not read today", f"at most {money.show(15 * 167)} on hf cpu-basic for 10m and a start"):
        assert cli_program.run(["show"]) == 0
        assert told in capsys.readouterr().out
        jobs.prices.read(running.backend_of(rented.path, seal.require(rented.path, time.time())))


def test_reservations_that_do_not_fit_side_by_side_are_told(
    rented: Rented, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rented.approve(None, [], flavor="l40sx1", limits={"allowed_flavors": ["l40sx1"], "max_usd": 1})
    jobs.prices.read(running.backend_of(rented.path, seal.require(rented.path, time.time())))
    monkeypatch.chdir(rented.root)
    assert cli_program.run(["check"]) == 0
    assert "$1.00 holds the reservations of 2 runs at a time" in capsys.readouterr().out
