"""The real commands against the emulated Hub: what a paid job costs before and after, and what stops one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.hf_harness import TOKEN, seal
from cli.commands import REPO
from fakes.hf_jobs import Emulator, Fault, Plan
from mlresearch import ledger
from mlresearch.guard.situations import PRICES_HOLD_S, Machine

L40S = 30_000  # micro-dollars a minute
START = 5  # minutes that a start may be billed beside the timeout
PREFLIGHT = ("--script", "train.py", "--flavor", "cpu-basic", "--timeout", "10m", "--arg=--max-steps", "--arg", "1")
PAID = ("--script", "train.py", "--flavor", "l40sx1", "--timeout", "75m", "--secret", "HF_TOKEN", "--dep", "trl>=0.34")
TRAIN = """
from trl import SFTConfig, SFTTrainer

SFTTrainer(
    model="Qwen/Qwen2-0.5B",
    train_dataset="trl-lib/Capybara",
    args=SFTConfig(
        push_to_hub=True,
        hub_model_id="ada/run-capybara",
        report_to="trackio",
        trackio_static_space_id=False,
    ),
).train()
"""


class Shop:
    """A project on this machine, and a Hub to buy from."""

    def __init__(self, top: Path, hub: Emulator) -> None:
        self.root, self.data, self.hub = top / "project", top / "data", hub
        self.root.mkdir()
        (self.root / "train.py").write_text(TRAIN)
        self.said: list[str] = []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(*words, "--json")

    def text(self, *words: str) -> str:
        """What a person reads."""
        found = self._run(*words)
        assert found.returncode == 0, found.stderr
        return found.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {"XDG_DATA_HOME": str(self.data), "HF_TOKEN": TOKEN, "HF_ENDPOINT": self.hub.url}
        found = subprocess.run(
            [sys.executable, str(REPO / "scripts" / "jobs.py"), *words],
            cwd=self.root,
            env={**kept, **ours, "HF_HOME": str(self.data / "hf"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.said += [found.stdout, found.stderr]
        return found

    def done(self, *words: str) -> dict[str, Any]:
        found = self.run(*words)
        assert found.returncode == 0, found.stderr
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer

    def submit(self, *words: str) -> dict[str, Any]:
        return self.done("submit", "--backend", "hf", *words)

    def refused(self, *words: str) -> dict[str, Any]:
        found = self.run("submit", "--backend", "hf", *words)
        assert found.returncode == 2, found.stdout + found.stderr
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer

    def ledger(self) -> list[dict[str, Any]]:
        return [*ledger.rows(str(self.root))]

    def settled(self) -> list[dict[str, Any]]:
        return [row for row in self.ledger() if row["event"] == "settled"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Whatever a test does, the token stays out of the store, the project and the output."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Emulator() as hub:
        made = Shop(tmp_path, hub)
        yield made
    written = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert made.said
    assert TOKEN not in "".join(written + made.said)


def approve(shop: Shop, max_usd: float) -> None:
    seal(shop.root, max_usd=max_usd, output_repos=["ada/run-*"])


def test_the_reference_run_costs_what_the_hub_bills_to_the_cent(shop: Shop) -> None:
    """Qwen2-0.5B with LoRA on Capybara, cap 10 USD: a preflight on cpu-basic, then 59 minutes on one L40S."""
    approve(shop, 10)
    shop.hub.plans = [
        Plan(queue_s=4, start_s=15, run_s=200),
        Plan(queue_s=9, start_s=25, run_s=59 * 60 - 40, lines=(f"login with {TOKEN}", "eval_loss: 1.2")),
    ]
    ceilings = []
    for words in (PREFLIGHT, PAID):
        ceilings.append(shop.submit(*words)["ceiling_usd"])
        shop.hub.clock.advance(3600)
        assert shop.done("reconcile")["open"] == []
    shop.done("logs", "--job", "j0002")

    assert ceilings == [pytest.approx((10 + START) * 167 / 1e6), pytest.approx((75 + START) * L40S / 1e6)]
    assert [row["billed_micro"] for row in shop.settled()] == [4 * 167, 59 * L40S]
    assert sum(row["billed_micro"] for row in shop.settled()) == shop.hub.bill_micro()


def test_the_same_run_under_one_dollar_stops_before_the_paid_job(shop: Shop) -> None:
    approve(shop, 1)
    plan = (shop.root / "program.md").read_bytes()
    shop.hub.plans = [Plan(run_s=200)]
    shop.submit(*PREFLIGHT)
    shop.hub.clock.advance(600)
    shop.done("reconcile")

    answer = shop.refused(*PAID)

    assert "max_usd: asked $2.40" in answer["error"]
    assert len(shop.hub.jobs) == 1
    assert (shop.root / "program.md").read_bytes() == plan
    assert [row["event"] for row in shop.ledger()] == ["approved", "reserved", "submitted", "settled", "stopped"]


def test_nobody_approved_so_the_hub_is_not_even_asked(shop: Shop) -> None:
    answer = shop.refused(*PAID)

    assert "nobody approved any spending" in answer["error"]
    assert "--max-usd" in answer["allowed"]
    assert not shop.hub.requests


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("--timeout", "5m"), "--timeout", id="a short timeout"),
        pytest.param(("--timeout", "75m", "--arg", "~/data"), "argument 1", id="a local path"),
        pytest.param(("--timeout", "75m", "--arg", TOKEN), "token", id="a token by value"),
        pytest.param(("--timeout", "75m", "--env", "TRACKIO_SPACE_ID=eve/c"), "'eve/c'", id="another's Space"),
        pytest.param(("--timeout", "75m", "--arg", "train.py"), "travels with the job", id="a companion's place"),
    ],
)
def test_what_is_wrong_with_a_job_is_told_before_the_hub_is_asked(shop: Shop, words: tuple[str, ...], why: str) -> None:
    approve(shop, 10)
    answer = shop.refused("--script", "train.py", "--flavor", "l40sx1", *words)

    assert why in answer["error"]
    assert not shop.hub.requests


@pytest.mark.parametrize(
    ("tracking", "private", "why"),
    [
        pytest.param("local", "True", None, id="a private one"),
        pytest.param("local", "False", "public", id="a public one that nobody allowed"),
        pytest.param("space:ada/run-curves", "None", "public", id="a private one that the script would make public"),
        pytest.param("public-space:ada/run-curves", "None", None, id="a public one that a person allowed"),
    ],
)
def test_curves_go_to_a_space_only_as_a_person_said(shop: Shop, tracking: str, private: str, why: str | None) -> None:
    seal(shop.root, tracking, output_repos=["ada/run-*"])
    source = f"import trackio\ntrackio.init('p', private={private})\ntrackio.log({{'loss': 1}})\n"
    (shop.root / "train.py").write_text(source)
    words = (*PAID, "--env", "TRACKIO_SPACE_ID=ada/run-curves")
    if why is not None:
        assert why in shop.refused(*words)["error"]
        return
    shop.submit(*words)

    assert shop.hub.bodies[0]["environment"]["TRACKIO_SPACE_ID"] == "ada/run-curves"


def test_a_free_job_is_told_where_its_companions_are(shop: Shop) -> None:
    words = ("submit", "--backend", "local", "--flavor", "cpu", "--script", "train.py", "--timeout", "1m")
    found = shop.run(*words, "--arg=--config=train.py")

    assert found.returncode == 2
    assert "{src}/train.py" in json.loads(found.stdout)["allowed"]
    assert shop.ledger() == []


def test_a_one_off_limit_covers_a_job_or_stops_it(shop: Shop) -> None:
    (shop.root / "train.py").write_text("print('loss: 1')\n")
    assert "this job could cost $2.40" in shop.refused(*PAID, "--max-usd", "2")["error"]
    assert not shop.hub.jobs
    shop.submit(*PAID, "--max-usd", "2.40", "--image", "pytorch/pytorch", "--python", "3.12", "--launcher", "torchrun")

    (body,) = shop.hub.bodies
    assert (body["dockerImage"], body["flavor"], body["timeoutSeconds"]) == ("pytorch/pytorch", "l40sx1", 4500)


def test_prices_are_left_for_the_guard_with_the_time_they_were_read(shop: Shop) -> None:
    copy = shop.data / "ml-research" / "prices.json"
    assert shop.done("hardware", "--backend", "hf")["flavors"]["l40sx1"] == 0.03
    copy.write_text("{")  # damaged: it is made anew
    shop.done("hardware", "--backend", "hf")

    known = json.loads(copy.read_text())
    assert known["hf"]["l40sx1"] == L40S
    assert known["read_at"] > 1e9


def test_reconcile_tells_of_jobs_that_the_ledger_does_not_know(shop: Shop) -> None:
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=100), Plan(run_s=61)]
    shop.submit(*PREFLIGHT)
    foreign = shop.hub.create("ada", {"command": ["x"], "flavor": "l40sx1", "dockerImage": "x", "timeoutSeconds": 90})
    shop.hub.clock.advance(300)

    answer = shop.done("reconcile")

    assert [row["event"] for row in answer["rows"]] == ["settled"]
    (stranger,) = answer["strangers"]
    assert (stranger["job_id"], stranger["cost_micro"]) == (f"ada/{foreign.id}", 2 * L40S)


def test_reconcile_settles_what_it_can_and_tells_the_rest(shop: Shop) -> None:
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=100), Plan(run_s=100)]
    for _ in range(2):
        shop.submit(*PREFLIGHT)
    shop.hub.clock.advance(300)
    shop.hub.faults.add(Fault("GET /api/jobs/ada/[0-9a-f]{24}", status=503))

    found = shop.run("reconcile")

    answer = json.loads(found.stdout)
    assert found.returncode == 1
    assert [row["job"] for row in answer["rows"]] == ["j0002"]
    assert (answer["open"], [*answer["troubles"]]) == (["j0001"], ["j0001"])
    assert shop.done("reconcile")["open"] == []


def test_a_job_that_the_hub_does_not_show_yet_is_not_lost(shop: Shop) -> None:
    approve(shop, 10)
    shop.submit(*PREFLIGHT)
    shop.hub.jobs.clear()

    assert shop.done("reconcile")["open"] == ["j0001"]


@pytest.mark.parametrize("option", [("--image", "python:3.12"), ("--launcher", "torchrun")], ids=lambda words: words[0])
def test_this_machine_refuses_what_only_a_container_or_a_cluster_gives(shop: Shop, option: tuple[str, str]) -> None:
    found = shop.run(
        "submit", "--backend", "local", "--flavor", "cpu", "--script", "train.py", "--timeout", "1m", *option
    )

    assert found.returncode == 2
    assert "backend local" in json.loads(found.stdout)["error"]
    assert [row["event"] for row in shop.ledger()] == ["reserved", "released"]


@pytest.mark.parametrize(
    ("known", "counts"),
    [
        pytest.param({"read_at": 1e9 - PRICES_HOLD_S}, True, id="of today"),
        pytest.param({"read_at": 1e9 - PRICES_HOLD_S - 1}, False, id="too old"),
        pytest.param({"read_at": 1e9 + PRICES_HOLD_S + 1}, False, id="of tomorrow"),
        pytest.param({"read_at": float("nan")}, False, id="in a copy that can not be read"),
        pytest.param({"read_at": "now"}, False, id="in words"),
        pytest.param({}, False, id="at a time nobody wrote down"),
    ],
)
def test_the_guard_uses_no_price_of_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], counts: bool
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "ml-research").mkdir()
    (tmp_path / "ml-research" / "prices.json").write_text(json.dumps({"hf": {"l40sx1": L40S}, **known}))

    found = Machine(str(tmp_path), None, "", 1e9).prices()

    assert found == ({"hf": {"l40sx1": L40S}} if counts else {})


def test_the_load_of_a_running_job_is_one_sample_and_then_none(shop: Shop) -> None:
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=100)]
    shop.submit(*PREFLIGHT)
    load = shop.done("metrics", "--job", "j0001")["load"]
    shop.hub.clock.advance(300)
    found = shop.run("metrics", "--job", "j0001")

    assert load["cpu_usage_pct"] == 3
    assert (found.returncode, "does not run now" in found.stdout) == (1, True)


def test_the_load_of_a_job_here_is_known_when_it_has_ended(shop: Shop) -> None:
    (shop.root / "train.py").write_text("print('x: 1')\n")
    shop.done("submit", "--backend", "local", "--flavor", "cpu", "--script", "train.py", "--timeout", "1m")
    shop.done("wait", "--job", "j0001", "--for", "50s")
    assert shop.done("metrics", "--job", "j0001")["load"]["peak_memory_mb"] >= 0


def test_the_list_tells_cost_and_address_and_no_purpose_where_there_is_none(shop: Shop) -> None:
    (shop.root / "free.py").write_text("print('x: 1')\n")
    shop.done("submit", "--backend", "local", "--flavor", "cpu", "--script", "free.py", "--timeout", "1m")
    shop.done("wait", "--job", "j0001", "--for", "50s")
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=200), Plan(run_s=200)]
    shop.submit(*PREFLIGHT)
    shop.hub.clock.advance(600)
    shop.done("reconcile")
    shop.submit(*PREFLIGHT)
    jobs = shop.done("list")["jobs"]
    head, here, ended, still = shop.text("list").splitlines()

    first, last = (f"{shop.hub.url}/jobs/ada/{name}" for name in shop.hub.jobs)
    assert [job["url"] for job in jobs] == [None, first, last]
    assert head.split() == ["job", "stage", "experiment", "purpose", "where", "cost", "address"]
    assert here.split() == ["j0001", "COMPLETED", "-", "-", "local/cpu", "$0.00", "-"]
    assert ended.split() == ["j0002", "COMPLETED", "-", "-", "hf/cpu-basic", "$0.000668", first]
    assert still.split() == ["j0003", "SUBMITTED", "-", "-", "hf/cpu-basic", "<=", "$0.002505", last]


def test_a_look_at_a_job_elsewhere_tells_its_address(shop: Shop) -> None:
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=200)]
    shop.submit(*PREFLIGHT)
    address = f"{shop.hub.url}/jobs/ada/{next(iter(shop.hub.jobs))}"

    assert shop.done("inspect", "--job", "j0001")["url"] == address
    assert shop.text("inspect", "--job", "j0001").split()[-1] == address


def test_the_news_of_a_paid_job_do_not_call_it_free(shop: Shop) -> None:
    approve(shop, 10)
    shop.hub.plans = [Plan(run_s=200)]
    shop.submit(*PREFLIGHT)
    shop.hub.clock.advance(600)
    shop.done("reconcile")

    (line,) = [line for line in shop.text("news").splitlines() if line.startswith("j0001 ")]
    assert line == "j0001 COMPLETED - 3m20s $0.000668"
