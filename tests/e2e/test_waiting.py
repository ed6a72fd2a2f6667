"""The real client goes to sleep: jobs are settled while no session lives, and the next one reads what happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e import project
from e2e.actor import bash, command
from e2e.client import Client
from e2e.model_api import ScriptedModel, say
from fakes import watchers
from mlresearch import ledger
from mlresearch.jobs import watcher

EDITS = ("--permission-mode", "acceptEdits")
SLOW = """import os, time
while not os.path.exists(os.environ["ML_RESEARCH_ROOT"] + "/go_on"): time.sleep(0.05)
print("val_accuracy: 0.5")
"""
SUBMIT = "--backend local --script slow.py --flavor cpu --timeout 2m"


@pytest.fixture
def sealed(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("XDG_DATA_HOME", str(client.data))
    project.make(client)
    (client.project / "slow.py").write_text(SLOW)
    project.approve(client)
    yield client
    (client.project / "go_on").write_text("")
    watchers.end(str(client.project))


def test_jobs_are_settled_while_no_session_lives_and_the_next_one_reads_the_news(
    sealed: Client, model: ScriptedModel
) -> None:
    root = str(sealed.project)
    model.plays(
        [bash(command("jobs.py", "submit", SUBMIT))],
        [bash(command("jobs.py", "watch", "--every 1s"))],
        [bash(command("jobs.py", "news"))],
        [say("asleep")],
    )
    first = sealed.ask(model, "go", flags=EDITS)
    assert first.status == 0, first.errors
    submitted, watching, before = (result.text for result in model.results)
    assert "j0001 submitted" in submitted
    assert "sleep: " in submitted
    assert watching.startswith("watching (process ")
    assert "since 0.0: jobs ended: 0" in before

    assert watcher.is_watching(root)
    (sealed.project / "go_on").write_text("")
    watchers.until(lambda: not ledger.standing(root).open, "the settling")

    model.plays([bash(command("jobs.py", "news"))], [say("awake")])
    second = sealed.ask(model, "go on", flags=EDITS)
    assert second.status == 0, second.errors
    news = model.results[-1].text
    assert "j0001 COMPLETED - " in news
    assert "next: campaign.py start" in news
