"""Rate limits over processes, measured at the server; clocks that jump; a process that dies in its turn."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.papers_server import PapersServer
from mlresearch.errors import Unavailable
from mlresearch.sources import pace
from mlresearch.sources.hosts import ARXIV_API, ARXIV_PAGES, HUB, S2, Source

SCRIPTS = Path(pace.__file__).parents[2]
ASK = """
import sys
from mlresearch.sources import web
from mlresearch.sources.hosts import ARXIV_API, S2
if sys.argv[1] == "s2":
    web.get(S2, "/graph/v1/paper/search", {"query": "LoRA", "n": sys.argv[2]}, ttl_s=0)
else:
    web.get(ARXIV_API, "/api/query", {"search_query": "all:LoRA", "n": sys.argv[2]}, check=lambda reply: reply.xml())
"""


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(pace.VARIABLE, raising=False)
    return tmp_path / "ml-research/cache/pace"


def gaps_at_the_server(service: str, processes: int, store: Path) -> list[float]:
    """Start so many processes at once, each with one request; seconds between the requests as the server saw them."""
    with PapersServer() as server:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**kept, **server.environment, "PYTHONPATH": str(SCRIPTS), "XDG_DATA_HOME": str(store)}
        running = [
            subprocess.Popen([sys.executable, "-c", ASK, service, str(number)], env=environment)
            for number in range(processes)
        ]
        assert [process.wait(120) for process in running] == [0] * processes
        times = [each.at for each in server.asked(service)]
    assert len(times) == processes
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_eight_processes_ask_semantic_scholar_once_a_second_at_most(tmp_path: Path) -> None:
    assert S2.interval_s == 1.0
    assert min(gaps_at_the_server("s2", 8, tmp_path)) >= 1.0


def test_processes_ask_arxiv_once_in_three_seconds_at_most(tmp_path: Path) -> None:
    assert ARXIV_API.interval_s == 3.0
    assert min(gaps_at_the_server("arxiv", 4, tmp_path)) >= 3.0


@pytest.mark.long
def test_eight_processes_ask_arxiv_once_in_three_seconds_at_most(tmp_path: Path) -> None:
    assert min(gaps_at_the_server("arxiv", 8, tmp_path)) >= 3.0


def test_the_interface_and_the_pages_of_arxiv_share_one_line() -> None:
    assert ARXIV_API.name == ARXIV_PAGES.name
    assert ARXIV_PAGES.interval_s == ARXIV_API.interval_s


def seconds(source: Source) -> float:
    begun = time.monotonic()
    with pace.turn(source):
        return time.monotonic() - begun


QUICK = Source("Quick", "QUICK_URL", "https://example.com", interval_s=0.3)


def test_the_next_turn_comes_after_the_interval(store_folder: Path) -> None:
    with pace.turn(QUICK):
        pass
    steady, _ = json.loads((store_folder / "quick").read_text())
    with pace.turn(QUICK):
        assert time.monotonic() - steady >= 0.3


STAMPS = [[1e12, 1e12], [0.0, 1e12], [1e12, 0.0]]


@pytest.mark.parametrize("stamp", STAMPS, ids=["both ahead", "wall clock set back", "machine started anew"])
def test_a_stamp_from_the_future_costs_one_interval_and_no_more(store_folder: Path, stamp: list[float]) -> None:
    with pace.turn(QUICK):
        pass
    (store_folder / "quick").write_text(json.dumps(stamp))
    assert 0.29 <= seconds(QUICK) < 30
    assert json.loads((store_folder / "quick").read_text())[1] == pytest.approx(time.time(), abs=60)


def test_a_wall_clock_set_forward_does_not_shorten_the_interval(store_folder: Path) -> None:
    with pace.turn(QUICK):
        pass
    steady, _ = json.loads((store_folder / "quick").read_text())
    (store_folder / "quick").write_text(json.dumps([steady, time.time() - 1e6]))
    with pace.turn(QUICK):
        assert time.monotonic() - steady >= 0.3


@pytest.mark.parametrize("text", ["", "{", "[1]", '["a", "b"]', "7"])
def test_a_damaged_stamp_counts_as_a_moment_ago(store_folder: Path, text: str) -> None:
    with pace.turn(QUICK):
        pass
    (store_folder / "quick").write_text(text)
    assert seconds(QUICK) >= 0.29


def test_a_process_that_dies_in_its_turn_frees_it_and_has_had_it(store_folder: Path) -> None:
    program = (
        "import os\nfrom mlresearch.sources import pace\nfrom mlresearch.sources.hosts import Source\n"
        "with pace.turn(Source('Quick', 'QUICK_URL', 'https://example.com', interval_s=0.3)):\n    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, timeout=60)
    assert done.returncode == 9
    assert (store_folder / "quick").is_file()
    assert seconds(QUICK) < 30


def test_a_line_that_is_too_long_is_told() -> None:
    with pace.turn(QUICK), pytest.raises(Unavailable, match="others wait in line"), pace.turn(QUICK, wait_s=0.1):
        pass


def test_a_source_without_a_limit_is_never_waited_for(store_folder: Path) -> None:
    with pace.turn(HUB):
        assert not store_folder.exists()


def test_the_interval_is_shortened_for_a_server_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pace.VARIABLE, "0.01")
    assert pace.interval_of(S2) == 1.0
    monkeypatch.setenv("ML_RESEARCH_S2_URL", "http://127.0.0.1.example.com/")
    assert pace.interval_of(S2) == 1.0
    monkeypatch.setenv("ML_RESEARCH_S2_URL", "http://127.0.0.1:1234/s2")
    assert pace.interval_of(S2) == 0.01
    for nonsense in ("x", "nan", "-3", "9"):
        monkeypatch.setenv(pace.VARIABLE, nonsense)
        assert pace.interval_of(S2) in (1.0, 0.0)


def test_a_source_is_not_asked_where_its_line_can_not_be_kept(store_folder: Path) -> None:
    store_folder.parent.mkdir(parents=True)
    store_folder.write_text("a file stands where the folder should")
    with pytest.raises(Unavailable, match="the rate limit of Quick can not be kept"), pace.turn(QUICK):
        pytest.fail("it was asked")
