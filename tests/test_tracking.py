"""Where curves go is a person's choice in program.md, and never public by omission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlresearch import program, tracking
from mlresearch.errors import ProgramError

TEMPLATE = (Path(program.__file__).parents[2] / "program.template.md").read_text()


def run(choice: str, backend: str = "hf") -> dict[str, Any]:
    return {"tracking": choice, "backend": backend}


def parsed(choice: str) -> dict[str, Any]:
    """The Run block of a program whose jobs run on hf and may write ada/run-*."""
    blocks = program.parse(TEMPLATE).blocks
    blocks["Goal"]["final"], blocks["Scope"]["sealed_data"] = None, []
    blocks["Run"] |= {"args": [], "backend": "hf", "memory": None, "tracking": choice}
    blocks["Budget envelope"] |= {"backends": ["hf"], "output_repos": ["ada/run-*"]}
    found: dict[str, Any] = program.parse(program.written(TEMPLATE, blocks)).blocks["Run"]
    return found


@pytest.mark.parametrize("choice", ["local", "space:ada/run-curves", "public-space:ada/run-curves"])
def test_a_program_may_choose(choice: str) -> None:
    assert parsed(choice)["tracking"] == choice


def test_a_space_outside_output_repos_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"Run\.tracking: 'eve/curves' is not in"):
        parsed("space:eve/curves")


def test_curves_of_this_machine_share_one_folder_and_no_job_is_given_a_token_for_them() -> None:
    here = run("local", "local")
    assert tracking.variables("/srv/p", here) == {"TRACKIO_DIR": "/srv/p/runs/trackio"}
    assert tracking.variables("/srv/p", run("local")) == {}
    assert (tracking.secrets(here), tracking.space(here), tracking.url(here)) == ((), None, None)


@pytest.mark.parametrize(("kind", "public"), [("space", None), ("public-space", "ada/c")])
def test_a_space_has_an_address_and_is_public_only_when_that_was_said(kind: str, public: str | None) -> None:
    chosen = run(f"{kind}:ada/c")
    assert tracking.variables("/srv/p", chosen) == {"TRACKIO_SPACE_ID": "ada/c"}
    assert tracking.secrets(chosen) == ("HF_TOKEN",)
    assert tracking.url(chosen) == "https://huggingface.co/spaces/ada/c"
    assert tracking.public_space(chosen) == public


@pytest.mark.parametrize(
    "choice", ["space:ada", "space:ada/c/d", "space:<b>/c", "space:a/c\n", "space: a/c", "other:a/b"]
)
def test_no_other_text_names_a_space(choice: str) -> None:
    assert tracking.space(run(choice)) is None


def test_a_seal_from_before_the_choice_keeps_curves_here() -> None:
    assert tracking.variables("/srv/p", {"backend": "local"}) == {"TRACKIO_DIR": "/srv/p/runs/trackio"}
