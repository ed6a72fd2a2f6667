"""A task at any of its steps: played honestly once a module, then put back as it was for each test."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.pipeline_play import Play

# the play as it stood when this step was open
At = Callable[[str], Play]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Play, Path, dict[str, Play]]]:
    """One honest paid play: the live one, where its pictures lie, and the world at each."""
    place = tmp_path_factory.mktemp("film")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(place / "store"))
        play, worlds = Play(place / "project"), dict[str, Play]()
        while todo := play.state.todo:
            shutil.copytree(play.root, place / todo[0])
            for step in todo:
                worlds[step] = copy.deepcopy(play)
            for step in todo:
                play.complete(step, play.answer(step))
        yield play, place, worlds


@pytest.fixture
def at(film: tuple[Play, Path, dict[str, Play]], monkeypatch: pytest.MonkeyPatch) -> At:
    live, place, worlds = film

    def put_back(step: str) -> Play:
        monkeypatch.setenv("XDG_DATA_HOME", str(place / "store"))
        found = copy.deepcopy(worlds[step])
        group = next(name for name in worlds if name.partition(".")[0] == step.partition(".")[0])
        picture = place / (step if (place / step).is_dir() else group)
        shutil.rmtree(live.root)
        shutil.copytree(picture, live.root)
        return found

    return put_back
