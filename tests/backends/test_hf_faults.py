"""The hf backend when something goes wrong: what is certain, what is doubt, and that no job is lost or made twice."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from backends.hf_harness import FAST, REPO, TOKEN, backend, seal, spec, until
from fakes.hf_jobs import Emulator, Fault, Plan
from mlresearch import jobs, ledger
from mlresearch.errors import BackendError, EnvelopeBreach, NotFound, ResearchError, Unavailable
from mlresearch.jobs import Order

RESET = {"ratelimit": '"api";r=0;t=55'}


POSTED = "POST /api/jobs/"


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        pytest.param(Fault(POSTED, status=400, error="Invalid flavor"), BackendError, "Invalid flavor", id="400"),
        pytest.param(Fault(POSTED, status=401), BackendError, "hf auth login", id="401"),
        pytest.param(Fault(POSTED, status=402), BackendError, "add credit for lab at https://", id="402"),
        pytest.param(Fault(POSTED, status=403), BackendError, "right to run jobs in lab", id="403"),
        pytest.param(Fault(POSTED, status=404), BackendError, "namespace (lab)", id="404"),
        pytest.param(Fault(POSTED, status=409), BackendError, "409", id="409"),
        pytest.param(Fault(POSTED, status=413, error="too large"), BackendError, "too large", id="413"),
        pytest.param(Fault(POSTED, status=422), BackendError, "422", id="422"),
        pytest.param(Fault(POSTED, status=429), Unavailable, "try again in 5 minutes", id="429"),
        pytest.param(Fault(POSTED, status=429, headers=RESET), Unavailable, "in 55s", id="429, reset told"),
        pytest.param(Fault(POSTED, status=429, headers={"retry-after": "7"}), Unavailable, "in 7s", id="429, retry"),
        pytest.param(Fault(POSTED, status=500), Unavailable, "jobs.py reconcile", id="500"),
        pytest.param(Fault(POSTED, status=503), Unavailable, "jobs.py reconcile", id="503"),
        pytest.param(Fault(POSTED, "drop_before"), Unavailable, "jobs.py reconcile", id="dropped"),
        pytest.param(Fault(POSTED, "hang"), Unavailable, "ReadTimeout", id="hanging"),
        pytest.param(Fault("GET /api/jobs/", status=404), BackendError, "namespace (lab)", id="no such namespace"),
        pytest.param(Fault("GET /api/jobs/", status=503), Unavailable, "listing", id="before the submit"),
    ],
)
def test_a_submit_that_fails_says_whether_that_is_certain_and_what_to_do(
    hub: Emulator, fault: Fault, kind: type[ResearchError], told: str
) -> None:
    hub.faults.add(fault)
    with pytest.raises(ResearchError) as raised:
        backend(hub, FAST).submit(spec(namespace="lab"))

    assert type(raised.value) is kind
    assert told in str(raised.value)
    assert not hub.jobs


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(POSTED, "drop_after"), id="dropped"),
        pytest.param(Fault(POSTED, "hang", does=True), id="hanging"),
        pytest.param(Fault(POSTED, status=500, does=True), id="500"),
        pytest.param(Fault(POSTED, status=429, does=True), id="429"),
    ],
)
def test_a_job_whose_submit_seemed_to_fail_is_found_and_not_made_again(hub: Emulator, fault: Fault) -> None:
    hub.faults.add(fault)
    engine = backend(hub, FAST)
    with pytest.raises(Unavailable):
        engine.submit(spec())

    [made] = hub.jobs
    assert engine.find("mlr-label-j0001", "ada") == engine.submit(spec())
    assert engine.submit(spec()).job_id == f"ada/{made}"
    assert len(hub.jobs) == 1


def test_no_token_is_a_definite_no(hub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")

    with pytest.raises(BackendError, match="hf auth login"):
        backend(hub).submit(spec(namespace=None))


def test_offline_mode_is_a_definite_no(hub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(BackendError, match="unset HF_HUB_OFFLINE"):
        backend(hub).submit(spec())
    assert not hub.requests


def test_no_service_at_all_is_doubt(account: None) -> None:
    with Emulator() as gone:
        pass

    with pytest.raises(Unavailable, match="ConnectError"):
        backend(gone, FAST).prices()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(Fault("GET", status=404), NotFound, id="404"),
        pytest.param(Fault("GET", status=401), BackendError, id="401"),
        pytest.param(Fault("GET", status=429), Unavailable, id="429"),
        pytest.param(Fault("GET", status=503), Unavailable, id="503"),
        pytest.param(Fault("GET", "drop_before"), Unavailable, id="dropped"),
        pytest.param(Fault("GET", "hang"), Unavailable, id="hanging"),
    ],
)
@pytest.mark.parametrize("verb", ["inspect", "logs", "metrics"])
def test_a_question_that_fails_fails_once_and_in_our_words(
    hub: Emulator, fault: Fault, kind: type[ResearchError], verb: str
) -> None:
    engine = backend(hub, FAST)
    ref = engine.submit(spec())
    hub.faults.add(fault)

    with pytest.raises(ResearchError) as raised:
        getattr(engine, verb)(ref)

    assert type(raised.value) is kind
    assert hub.requests[-1] == f"GET /api/jobs/{ref.job_id}"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_listing_is_whole_or_an_error(hub: Emulator, status: int, page: int) -> None:
    """Not as the client's own listing, which sleeps for as long as the service says, five times."""
    engine = backend(hub, FAST)
    for number in range(7):
        engine.submit(spec(job=f"j{number}"))
    hub.faults.add(Fault("GET /api/jobs/ada", status=status, headers=RESET, skip=page))

    with pytest.raises(Unavailable):
        engine.list()
    assert len(engine.list()) == 7


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/api/jobs/ada", "https://huggingface.co/api/jobs/ada", "{}"])
def test_a_listing_never_follows_a_link_to_another_host_or_in_circles(hub: Emulator, address: str) -> None:
    link = {"link": f'<{address.format(hub.url + "/api/jobs/ada?label=ml-research%3Dx")}>; rel="next"'}
    hub.faults.add(Fault("GET /api/jobs/ada", status=200, body=[], headers=link, times=9))

    with pytest.raises(Unavailable, match="does not end"):
        backend(hub, FAST).find("x", "ada")
    assert len(hub.requests) == 1


def test_what_the_service_echoes_of_a_token_is_taken_out(hub: Emulator) -> None:
    hub.faults.add(Fault("GET", status=403, error=f"token {TOKEN} may not"), Fault("GET", status=500, error=TOKEN))
    for _ in range(2):
        with pytest.raises(ResearchError) as raised:
            backend(hub).prices()
        assert "[redacted]" in str(raised.value)
        assert TOKEN not in repr(raised.value) + str(raised.value.__cause__)


LINES = tuple(f"step {number}" for number in range(6))


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("logs", "cut_stream", after=3), id="half an event"),
        pytest.param(Fault("logs", "cut_stream", after=0), id="nothing"),
        pytest.param(Fault("logs", status=503, times=2), id="503"),
        pytest.param(Fault("logs", "drop_before"), id="dropped"),
        pytest.param(Fault("logs", "hang"), id="silent"),
        pytest.param(Fault("logs", "slow_stream", seconds=0.02), id="slow"),
        pytest.param(Fault(r"/ada/\w+$", status=503), id="the stage"),
    ],
)
def test_each_line_of_a_log_comes_once_whatever_breaks_in_between(hub: Emulator, fault: Fault, follow: bool) -> None:
    hub.plan = Plan(lines=LINES)
    engine = backend(hub, FAST)
    lines = engine.logs(engine.submit(spec()), follow)
    hub.faults.add(fault)

    assert tuple(lines) == LINES


def test_a_running_log_that_breaks_is_followed_to_the_end_of_the_job(hub: Emulator) -> None:
    hub.plan = Plan(lines=LINES, run_s=0.6)
    engine = backend(hub, FAST)
    hub.faults.add(*(Fault("logs", "cut_stream", after=count) for count in (1, 2, 3)))

    assert tuple(engine.logs(engine.submit(spec()), follow=True)) == LINES


@pytest.mark.parametrize("follow", [False, True])
def test_a_log_that_stays_cut_is_an_error_and_never_a_short_log(hub: Emulator, follow: bool) -> None:
    hub.plan = Plan(lines=LINES)
    engine = backend(hub, FAST)
    ref = engine.submit(spec())
    hub.faults.add(Fault("logs", "cut_stream", after=3, times=9))

    with pytest.raises(Unavailable, match="breaks off"):
        list(engine.logs(ref, follow))


def test_a_stream_that_falls_silent_is_no_end_of_an_ended_job_and_a_sign_of_life_is(hub: Emulator) -> None:
    hub.plan, hub.streams.ends = Plan(lines=LINES), False
    engine = backend(hub, FAST)
    ref = engine.submit(spec())

    with pytest.raises(Unavailable, match="breaks off"):
        list(engine.logs(ref))
    hub.streams.keep_alive_s = 0.1
    assert tuple(engine.logs(ref)) == tuple(engine.logs(ref, follow=True)) == LINES


def test_a_metric_is_never_read_from_a_cut_log(hub: Emulator, tmp_path: Path) -> None:
    """The job stays open, and is settled when its log can be read."""
    seal(tmp_path)
    (tmp_path / "train.py").touch()
    hub.plan = Plan(lines=("val_accuracy: 0.1", "val_accuracy: 0.9"))
    engine, root = backend(hub, FAST), str(tmp_path)
    done = jobs.submit(root, Order("hf", str(tmp_path / "train.py"), "cpu-basic", 600), engine)
    hub.faults.add(Fault("logs", "cut_stream", after=2, times=3))

    with pytest.raises(Unavailable):
        jobs.reconcile(root, {"hf": engine})
    assert done.job in ledger.standing(root).open
    assert [row["event"] for row in jobs.reconcile(root, {"hf": engine})] == ["settled"]


def test_a_new_job_is_found_once_it_is_listed(hub: Emulator) -> None:
    hub.listed_after_s = 60
    engine = backend(hub)
    ref = engine.submit(spec())

    assert engine.find("mlr-label-j0001", "ada") is None
    hub.clock.advance(61)
    assert engine.find("mlr-label-j0001", "ada") == ref


HAPPENS_FIRST = (
    Fault(POSTED, status=402),
    Fault(POSTED, "drop_after"),
    Fault(POSTED, "hang", seconds=1.0, does=True),
    Fault(POSTED, "drop_before"),
)
MISHAPS = [
    Fault("POST", status=402),
    Fault("POST", status=409),
    Fault("", status=429, headers=RESET),
    Fault("", status=500),
    Fault("", status=503),
    Fault("POST", status=500, does=True),
    Fault("POST", status=503, does=True),
    Fault("", "drop_before"),
    Fault("", "drop_after"),
    Fault("POST", "drop_after"),
    Fault("", "hang", seconds=1.0),
    Fault("POST", "hang", seconds=1.0, does=True),
    Fault("logs", "cut_stream"),
]
SUBMITTERS = 2


@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.long)])
def test_whatever_fails_and_whoever_dies_every_job_is_in_the_ledger_once(
    hub: Emulator, tmp_path: Path, count: int
) -> None:
    seal(tmp_path, max_usd=5, max_jobs=10 * count, max_parallel=1000, max_walltime="90d")
    (tmp_path / "train.py").write_text("print('val_accuracy: 0.5')\n")
    hub.page_size, hub.plan = 20, Plan(lines=("val_accuracy: 0.5",))
    hub.faults.add(*HAPPENS_FIRST)
    hub.faults.at_random(count, 0.08, MISHAPS)

    ends = storm(hub, str(tmp_path), count)

    standing, rows = ledger.standing(str(tmp_path)), list(ledger.rows(str(tmp_path)))
    booked = [row["job_id"] for row in rows if row["event"] in ("submitted", "adopted")]
    labels = Counter(job.labels["ml-research"] for job in hub.jobs.values())
    assert sum(ends.values()) == count
    assert sorted(booked) == sorted(f"{job.namespace}/{job.id}" for job in hub.jobs.values())
    assert set(labels.values()) == {1}
    assert not standing.open
    assert hub.bill_micro() <= standing.spent().micro <= 5_000_000
    assert ledger.verify(str(tmp_path)) == []
    assert TOKEN not in "".join(path.read_text() for path in (tmp_path / "runs").rglob("*") if path.is_file())
    # the test has seen what it is about
    events = Counter(row["event"] for row in rows)
    assert min(events[name] for name in ("submitted", "adopted", "released", "settled")) > 0
    assert {"killed", "submitted", "Unavailable", "BackendError"} <= set(ends) <= ENDS
    assert len(hub.faults.given) >= 5


ENDS = {"killed", "submitted", "Unavailable", "BackendError"}  # "stuck": a submit outlived all its timeouts


def storm(hub: Emulator, root: str, count: int) -> Counter[str]:
    """Submit `count` jobs from processes that die; then reconcile, first under faults, then in peace."""
    submitters = [submitter(hub, root, seed, count // SUBMITTERS) for seed in range(SUBMITTERS)]
    ends: Counter[str] = Counter()
    for process in submitters:
        words, _ = process.communicate(timeout=600)
        ends.update(ast.literal_eval(words))
    until(lambda: hub.busy.count == 0)
    for _ in range(5):
        with suppress(ResearchError):
            jobs.reconcile(root, {"hf": backend(hub, FAST)})
    hub.faults.clear()
    jobs.reconcile(root, {"hf": backend(hub)})
    return ends


def submitter(hub: Emulator, root: str, seed: int, count: int) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(REPO / "scripts"), str(REPO / "tests")])
    words = [sys.executable, "-m", "backends.hf_submitter", root, hub.url, str(seed), str(count)]
    return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True)


def test_submitters_at_once_never_pass_the_envelope(hub: Emulator, tmp_path: Path) -> None:
    seal(tmp_path, max_jobs=3, max_parallel=10)
    (tmp_path / "train.py").touch()

    def submit(_: int) -> bool:
        try:
            jobs.submit(str(tmp_path), Order("hf", str(tmp_path / "train.py"), "cpu-basic", 600), backend(hub))
        except EnvelopeBreach:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        made = sum(pool.map(submit, range(9)))

    assert made == len(hub.jobs) == 3
