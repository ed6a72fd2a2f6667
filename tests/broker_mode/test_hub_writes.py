"""A write to the Hub through the broker: the model's shell has no token, and the envelope holds for what it asks."""

from __future__ import annotations

from typing import cast

from backends.hf_harness import TOKEN
from broker_mode.household import Household
from fakes.hf_jobs import Emulator
from fakes.hub_repos import HubRepos, Repo
from fakes.table_server import TableServer


def test_an_upload_without_a_token_is_done_by_the_broker_inside_the_envelope(house: Household) -> None:
    hubs = HubRepos("ada", TOKEN)
    inside, outside = hubs.add(Repo("ada/run-1")), hubs.add(Repo("ada/prod"))
    (house.root / "out.txt").write_text("result\n")
    (house.top / "outside.txt").write_text("x")
    with TableServer(hubs.answer) as server:
        house.hub = cast(Emulator, server)
        house.approve()
        house.start()
        done = house.done("hub.py", "upload", "--repo-id", "ada/run-1", "--path", "out.txt")
        assert (done["changed"], inside.files) == (True, {"out.txt": b"result\n"})
        asked = len(server.asked)
        for words in (
            ("upload", "--repo-id", "ada/prod", "--path", "out.txt"),
            ("upload", "--repo-id", "ada/run-1", "--path", "../outside.txt"),
            ("delete", "--repo-id", "ada/run-1", "--path", "out.txt"),
        ):
            assert house.run("hub.py", *words)[0] == 2, words
        assert len(server.asked) == asked
    assert (outside.files, inside.commits) == ({}, ["initial commit", "Upload out.txt"])
