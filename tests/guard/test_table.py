"""The table is whole: it classes everything that the installed huggingface_hub can do, and its own examples."""

from __future__ import annotations

import inspect
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import click
import huggingface_hub
import pytest
from huggingface_hub import HfApi
from huggingface_hub.cli.hf import app

from mlresearch.guard.table import class_of, is_ordinary, matches, table
from mlresearch.surface import SURFACE

PROGRAMS: dict[str, Any] = table()["programs"]
PYTHON: dict[str, Any] = table()["python"]
GRAVE = ("spend", "publish", "delete", "send", "remote", "agent", "tamper", "credential")


def leaves(command: Any, path: tuple[str, ...], context: Any) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "list_commands"):
        yield path
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        yield from leaves(inner, (*path, name), click.Context(inner, info_name=name, parent=context))


LEAVES = list(leaves(app, (), click.Context(app)))


def test_the_installed_client_has_a_tree_to_walk() -> None:
    assert len(LEAVES) > 100


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_of_the_hf_client_is_classed(path: tuple[str, ...]) -> None:
    known = [pattern for patterns in PROGRAMS["hf"]["words"].values() for pattern in patterns]
    assert any(" ".join(path).startswith(pattern) for pattern in known), "add it to table.json with its class"


SPENDS = (
    """
jobs run|jobs uv run|jobs rerun|jobs ssh|jobs expose|jobs scheduled run|jobs scheduled uv run|jobs scheduled resume
jobs scheduled trigger|jobs scheduled reschedule|sandbox create|sandbox exec|sandbox spawn|sandbox cp
sandbox pool create|endpoints deploy|endpoints catalog deploy|endpoints update|endpoints resume
spaces settings|spaces restart
spaces dev-mode|spaces ssh|repos duplicate|webhooks create|webhooks update|webhooks enable|extensions exec
extensions install|anything-unknown
""".strip()
    .replace("\n", "|")
    .split("|")
)
READS = (
    """
jobs ls|jobs inspect|jobs logs|jobs stats|jobs hardware|jobs wait|models info|datasets list|papers read|buckets ls
buckets info|jobs scheduled ls|auth whoami|download|version
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("words", SPENDS)
def test_what_can_start_paid_compute_is_classed_as_spending(words: str) -> None:
    assert class_of("hf", words.split()) == "spend"
    assert class_of("huggingface-cli", [*words.split(), "--json"]) == "spend"


@pytest.mark.parametrize("words", READS)
def test_what_only_looks_is_classed_as_reading(words: str) -> None:
    assert class_of("hf", words.split()) == "read"


def test_help_counts_only_right_behind_the_command() -> None:
    assert class_of("hf", ["jobs", "run", "--help"]) == "read"
    assert class_of("hf", ["jobs", "run", "python:3.12", "run.py", "--help"]) == "spend"
    assert class_of("hf", ["jobs", "run", "--flavor", "--help"]) == "spend"


METHODS = [name for name, _ in inspect.getmembers(HfApi, inspect.isfunction) if not name.startswith("_")]
FUNCTIONS = [name for name in METHODS if hasattr(huggingface_hub, name)]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_hub_client_is_classed(name: str) -> None:
    known = {word for part in ("anywhere", "with_hub") for words in PYTHON[part].values() for word in words}
    assert name in known or name in PYTHON["harmless"], "add it to table.json with its class"


def test_the_hub_client_has_methods_to_walk() -> None:
    assert len(METHODS) > 150
    assert len(FUNCTIONS) > 100


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_entrys_example_belongs_to_a_grave_class(program: str) -> None:
    entry = PROGRAMS[program]
    words = shlex.split(entry["example"])
    assert words[0] == program or words[0] in entry.get("also", ())
    assert class_of(words[0], words[1:]) in (*GRAVE, "local")
    assert set(entry["words"]) | {entry["otherwise"]} <= {*table()["classes"], "unknown"}


def test_no_program_that_spends_by_default_is_on_the_allow_list() -> None:
    by_name = table()["by_name"]
    assert not [name for name, entry in by_name.items() if entry["otherwise"] in GRAVE and is_ordinary(name)]


def test_no_shell_builtin_is_taken_for_a_spender() -> None:
    builtins = subprocess.run(
        ["bash", "-c", "compgen -b -k"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(builtins) > 50
    assert not [name for name in builtins if name in table()["by_name"]]


def test_a_word_known_at_run_time_only_is_never_taken_for_a_read() -> None:
    assert class_of("hf", [None, "ls"]) == "spend"
    assert class_of("hf", ["jobs", None]) == "spend"
    assert class_of("aws", ["s3", None]) == "spend"


def test_options_with_a_value_do_not_hide_the_verb() -> None:
    assert class_of("aws", ["--region", "us-east-1", "ec2", "describe-instances"]) == "read"
    assert class_of("kubectl", ["-n", "get", "apply", "-f", "x"]) == "spend"


def test_the_scripts_the_guard_looks_for_are_those_with_verbs() -> None:
    assert set(table()["own_scripts"]) == set(SURFACE)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("/api/jobs", "https://huggingface.co/api/jobs/me", True),
        ("/api/spaces/*/hardware", "https://huggingface.co/api/spaces/me/x/hardware", True),
        ("/api/spaces/*/hardware", "https://huggingface.co/api/spaces/me/x", False),
        ("*.googleapis.com", "https://aiplatform.googleapis.com/v1", True),
        ("/api/jobs", "https://example.org/jobs", False),
    ],
)
def test_a_star_in_a_rest_path_stands_for_any_text(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found
