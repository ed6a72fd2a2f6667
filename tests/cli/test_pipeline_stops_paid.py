"""Reasons to stop that only a task on the Hub has: nothing is submitted past the cap, or that must not be sent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from fakes.papers_server import PapersServer
from fakes.pipeline_world import DATASET, MODEL
from fakes.task_film import Film, approve_with, desk, ended
from fakes.whole_hub import WholeHub


@pytest.fixture(scope="module")
def papers() -> Iterator[PapersServer]:
    with PapersServer() as opened:
        yield opened


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeHub]:
    with WholeHub(tmp_path_factory.mktemp("jobs")) as opened:
        opened.add(MODEL, DATASET)
        yield opened


@pytest.fixture(scope="module")
def paid(papers: PapersServer, hub: WholeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Film]:
    top, pictures = tmp_path_factory.mktemp("play"), tmp_path_factory.mktemp("pictures")
    with desk(top, papers.environment | hub.environment):
        shutil.rmtree(top / "project" / MODEL.partition("/")[0])
        shutil.rmtree(top / "project" / DATASET.partition("/")[0])
        film = Film(top, pictures, is_paid=True)
        film.shoot(["resources.model", "cpu_smoke", "gpu_preflight", "full_job"], "--backend", "hf")
        yield film


def test_a_model_that_is_gated_ends_the_task(paid: Film, hub: WholeHub) -> None:
    player = paid.at("resources.model")
    hub.pages.models[MODEL].gated = True
    try:
        player.complete(player.to("resources.model"))
    finally:
        hub.pages.models[MODEL].gated = False
    ended(player, "gated_access", 0)


def test_a_cap_that_does_not_cover_the_short_job_ends_the_task_before_it(paid: Film, hub: WholeHub) -> None:
    player, before = paid.at("cpu_smoke"), len(hub.jobs.jobs)
    player.step(player.to("cpu_smoke"))
    approve_with(player, max_usd="0.1")
    ended(player, "cost_cap_preflight", 1)
    assert len(hub.jobs.jobs) == before


def test_a_cap_that_does_not_cover_the_full_job_ends_the_task_before_it(paid: Film, hub: WholeHub) -> None:
    player, before = paid.at("cpu_smoke"), len(hub.jobs.jobs)
    player.step(player.to("cpu_smoke"))
    approve_with(player, max_usd="1")
    player.to("readiness")
    player.step(player.to("readiness"))
    ended(player, "cost_cap_full_job", 2)
    assert len(hub.jobs.jobs) == before + 1


@pytest.mark.parametrize(
    ("step", "reason", "count"),
    [("gpu_preflight", "submit_invariant_preflight", 1), ("full_job", "submit_invariant_full", 2)],
)
def test_a_script_that_must_not_be_sent_ends_the_task(paid: Film, step: str, reason: str, count: int) -> None:
    player = paid.at(step)
    script = next((player.root / "work").glob("*/train.py"))
    script.write_text(script.read_text() + "open('/home/ada/rows.json')\n")
    ended(player, reason, count)
