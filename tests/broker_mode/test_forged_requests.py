"""A request is untrusted: whatever the model writes into the queue does no more than an allowed call would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from broker_mode.household import SUBMIT, Household, until

Forgery = Callable[[Household], object]


def submit(house: Household, *more: str, **changes: object) -> dict[str, object]:
    return house.call("jobs.py", *SUBMIT, *more, **changes)


def swapped(house: Household, old: str, new: str) -> dict[str, object]:
    return house.call("jobs.py", *[new if word == old else word for word in SUBMIT])


def linked(house: Household) -> dict[str, object]:
    (house.root / "link.py").symlink_to(house.top / "outside.py")
    return swapped(house, "train.py", "link.py")


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "no JSON": (lambda house: b"\xff{", "can not be read"),
    "a list": (lambda house: [1], "can not be read"),
    "a key more": (lambda house: submit(house, root="/"), "other keys"),
    "other types": (lambda house: submit(house, argv="submit"), "other types"),
    "no words": (lambda house: house.call("jobs.py"), "no text"),
    "deep JSON": (lambda house: b"[" * 100_000, "can not be read"),
    "another program": (lambda house: house.call("../../bin/sh", "-c"), "does not run"),
    "another script of ours": (lambda house: house.call("demo.py", "run"), "does not run"),
    "an approval": (lambda house: house.call("program.py", "approve", "--digest", "x"), "a person's act"),
    "a revocation": (lambda house: house.call("program.py", "revoke"), "a person's act"),
    "another broker": (lambda house: house.call("broker.py", "run"), "does not run"),
    "no such verb": (lambda house: house.call("jobs.py", "buy"), "does not run"),
    "an unknown option": (lambda house: submit(house, "--now"), "unknown option"),
    "an option twice": (lambda house: submit(house, "--flavor", "l40sx1"), "given twice"),
    "another account": (lambda house: submit(house, "--namespace", "rich"), "bill another account"),
    "a limit of its own": (lambda house: submit(house, "--max-usd", "1000"), "no place under an approved program"),
    "on this machine": (lambda house: swapped(house, "hf", "local"), "submits to hf alone"),
    "with a secret": (lambda house: submit(house, "--secret", "HF_TOKEN"), "passes on no secret"),
    "elsewhere": (lambda house: submit(house, cwd="/"), "no folder of"),
    "above": (lambda house: submit(house, cwd=f"{house.root}/.."), "no folder of"),
    "a script elsewhere": (lambda house: swapped(house, "train.py", f"{house.top}/outside.py"), "leads out of"),
    "a script above": (lambda house: swapped(house, "train.py", "../outside.py"), "leads out of"),
    "a link": (linked, "leads out of"),
    "a plan elsewhere": (lambda house: house.call("campaign.py", "plan", "--file", "/etc/passwd"), "leads out of"),
    "a stranger's Space": (
        lambda house: house.call("jobs.py", "wait", "--space", "eve/space", "--project", "p"),
        "not of an approved owner",
    ),
    "an address": (
        lambda house: house.call("jobs.py", "wait", "--space", "http://127.0.0.1/", "--project", "p"),
        "not of an approved owner",
    ),
    "no session": (lambda house: submit(house, session=""), "is none"),
    "a session with a path": (lambda house: submit(house, session="../../x"), "is none"),
    "of yesterday": (lambda house: submit(house, asked_at=1.0), "older than a day"),
    "of no time": (lambda house: json.dumps(submit(house, asked_at=float("nan"))).encode(), "older than a day"),
    "too large": (lambda house: b" " * (1 << 20) + json.dumps(submit(house)).encode(), "at most 1 MB"),
    # the last one: a breach ends the campaign
    "too long": (lambda house: swapped(house, "10m", "9h"), "max_timeout"),
}


@pytest.fixture
def served(house: Household) -> Household:
    house.approve()
    (house.top / "outside.py").write_text("print('mine')\n")
    house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    return house


def test_every_forgery_is_refused_and_the_broker_goes_on(served: Household) -> None:
    wrong = []
    for name, (forgery, told) in FORGERIES.items():
        (served.root / "link.py").unlink(missing_ok=True)
        code, out, err = served.forge(forgery(served))
        if code != 2 or told not in err or out:
            wrong.append((name, code, err))
    assert not wrong
    assert len(FORGERIES) > 25
    assert served.hub.jobs == {}
    assert served.brokers[0].poll() is None


def test_the_same_hand_may_ask_for_what_is_allowed(served: Household) -> None:
    code, _, err = served.forge(submit(served))
    assert (code, err) == (0, "")
    assert len(served.hub.jobs) == 1


def test_a_breach_ends_the_campaign_as_one_in_the_shell_does(served: Household) -> None:
    served.forge(swapped(served, "10m", "9h"))
    code, _, err = served.run("jobs.py", *SUBMIT)
    assert (code, "has stopped" in err) == (2, True)
    assert served.hub.jobs == {}


def test_without_a_program_nobody_at_a_terminal_means_no(house: Household) -> None:
    house.start()
    house.done("jobs.py", "hardware", "--backend", "hf")
    code, _, err = house.forge(submit(house, "--max-usd", "5"))
    assert code == 2
    assert "No program is approved here" in err
    assert house.hub.jobs == {}


@pytest.mark.parametrize(("typed", "code", "jobs"), [(b"y\n", 0, 1), (b"n\n", 2, 0), (b"\n", 2, 0)])
def test_without_a_program_the_person_at_the_terminal_answers(
    house: Household, typed: bytes, code: int, jobs: int
) -> None:
    keyboard, terminal = os.openpty()
    house.start(terminal=terminal)
    house.done("jobs.py", "hardware", "--backend", "hf")
    with house.forged(submit(house, "--max-usd", "5", "--arg", "\x1b[2J")) as path:
        until(lambda: "yes or no?" in house.log.read_text(), "nothing is asked")
        os.write(keyboard, typed)
        assert house.answer(path)[0] == code
    os.close(keyboard)
    os.close(terminal)
    assert "one-off limit $5.00" in house.log.read_text()
    assert "\x1b" not in house.log.read_text()
    assert len(house.hub.jobs) == jobs


def test_an_answer_is_never_written_through_a_link(served: Household) -> None:
    mine = served.top / "mine"
    mine.write_text("untouched")
    name = "ef" * 16
    for ending in ("taken", "answer"):
        (served.queue / f"{name}.{ending}").symlink_to(mine)
    with served.forged(served.call("jobs.py", "list"), name):
        served.done("jobs.py", "list")
    assert mine.read_text() == "untouched"


@pytest.mark.parametrize("thing", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_no_request(served: Household, thing: str) -> None:
    path = served.queue / ("12" * 16 + ".request")
    secret = served.top / "secret"
    secret.write_text(json.dumps(served.call("jobs.py", "list")))
    if thing == "link":
        path.symlink_to(secret)
    elif thing == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    served.done("jobs.py", "list")
    assert served.brokers[0].poll() is None


@pytest.mark.parametrize("place", ["queue", "work"])
def test_a_queue_that_is_a_link_is_not_followed(house: Household, place: str) -> None:
    house.approve()
    elsewhere = house.top / "elsewhere"
    elsewhere.mkdir()
    house.start()
    moved = house.root / "work" if place == "work" else house.queue
    moved.rename(house.top / "moved")
    moved.symlink_to(elsewhere)
    until(lambda: "can not be used" in house.log.read_text(), "nothing is said")
    assert [*elsewhere.iterdir()] == []
    moved.unlink()
    until(lambda: Path(house.queue / "broker").exists(), "the broker does not come back")
    assert house.done("jobs.py", "list")["jobs"] == []
