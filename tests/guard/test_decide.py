"""What the decision promises beyond single rows: its reasons, its purity, and that no composition of shell shapes hides
a spend or blocks ordinary work."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlresearch.guard.calls import Call, Outside, Situation
from mlresearch.guard.decide import decide

SUBMIT = "uv run @PLUGIN@/scripts/jobs.py submit --backend hf --script train.py --flavor t4-small --timeout 1h"

REASONS = [
    ("sealed", SUBMIT, ("$0.433355", "t4-small", "1h", "3 jobs", "$10.00")),
    ("sealed", SUBMIT.replace("t4-small", "a100x8"), ("allowed_flavors", "a100x8", "t4-small, a10g-large", "3 jobs")),
    ("sealed", SUBMIT.replace("1h", "9h"), ("max_timeout", "9h", "at most 2h")),
    ("full", SUBMIT, ("max_jobs", "0 left of 3")),
    ("sealed", SUBMIT + " && ls", ("alone in its call", "uv run ${CLAUDE_PLUGIN_ROOT}/scripts/jobs.py submit")),
    ("sealed", SUBMIT + " --flavour x", ("unknown option", "--flavour")),
    ("sealed", SUBMIT.replace("1h", "soon"), ("timeout", "soon", "1h30m")),
    ("sealed", SUBMIT + " --namespace bigcorp", ("bigcorp", "bill another account")),
    ("draft", SUBMIT, ("not approved", "program.py approve")),
    ("changed", SUBMIT, ("differs from what was approved", "program.py show")),
    ("stopped", SUBMIT, ("has stopped", "campaign.py finalize")),
    ("none", SUBMIT + " --max-usd 1", ("at most $0.433355", "one-off limit $1.00", "t4-small", "1h")),
    ("none", SUBMIT.replace("t4-small", "h200x8"), ("price unknown", "h200x8")),
    ("sealed", "hf jobs run python:3.12 true", ("paid compute", "jobs.py submit")),
    ("sealed", "python launch.py", ("run_job", "launch.py", "--backend local")),
    ("sealed", "echo x > program.md", ("program.md", "a person approved", "work/")),
    ("sealed", "cat data/test.npz", ("sealed data", "finalize")),
    ("sealed", "newcloud run train.py", ("newcloud", "allow-list", "programs")),
    ("sealed", "$TOOL run", ("known at run time only",)),
    ("sealed", "uv run @PLUGIN@/scripts/program.py approve --digest abc", ("only a person",)),
]


@pytest.mark.parametrize(("state", "command", "told"), REASONS, ids=[f"{s}: {c[:60]}" for s, c, _ in REASONS])
def test_a_reason_names_the_limit_the_rest_and_the_right_way(
    state: str, command: str, told: tuple[str, ...], fields: dict[str, Any]
) -> None:
    reason = fields[state].bash(command).reason
    assert [word for word in told if word not in reason] == [], reason


TERMINAL = {
    SUBMIT.replace("t4-small", "a100x8"): True,
    "uv run @PLUGIN@/scripts/hub.py upload --repo-id other/prod --path x": True,
    SUBMIT + " && ls": False,
    SUBMIT + " --flavour x": False,
    "hf jobs run python:3.12 true": False,
    "rm -rf runs": False,
}


@pytest.mark.parametrize("command", TERMINAL)
def test_only_a_breach_of_the_envelope_ends_the_campaign(command: str, sealed: Any) -> None:
    verdict = sealed.bash(command)
    assert verdict.decision == "deny"
    assert verdict.terminal is TERMINAL[command]


def test_the_allow_list_that_a_person_extends_lets_a_program_run(sealed: Any) -> None:
    assert sealed.bash("mytool run train.py").decision == "silent"
    assert sealed.bash("mytools run train.py").decision == "deny"


def test_nothing_outside_is_asked_for_an_ordinary_command(sealed: Any) -> None:
    """The ledger, prices, sessions and program.md are read only where a verdict depends on them."""

    class Silent(Outside):
        def state(self) -> str:
            raise AssertionError("state was read")

        def totals(self) -> Any:
            raise AssertionError("the ledger was read")

    given = sealed.situation()
    situation = Situation(
        None, given.root, Silent(), plugin_root=given.plugin_root, base=given.base, home=given.home, seal=given.seal
    )
    assert decide(Call("Bash", {"command": "git status && ls -la | head"}, given.root), situation).decision == "silent"


SPENDS = (
    "hf jobs run python:3.12 true",
    "modal run train_modal.py",
    "sbatch train.sbatch",
    "python launch.py",
    "bash sweep.sh",
    "python3 -c 'from huggingface_hub import run_job'",
    SUBMIT,
)
BENIGN = ("ls -la work", "git status --short", "python train.py", "echo done", "python3 -c 'print(1)'", "wc -l a.py")
PREFIXES = (
    "time {}", "env A=1 {}", "nohup {}", "timeout 9 {}", "nice -n 5 {}", "command {}", "exec {}", "xargs {}",
    "sudo {}",
    "setsid {}", "stdbuf -oL {}",
)  # fmt: skip
SHAPES = (
    "{} &", "( {} )", "{{ {}; }}", "! {}", "cd work; {}", "cd work && cd .. && {}", "true && {}", "false || {}",
    "{} | cat", "cat a.py | {}", "if {}; then ls; fi", "if true; then {}; fi", "while true; do {}; done",
    "for i in 1 2; do {}; done",
    "f() {{ {}; }}; f", "case x in x) {} ;; esac", "echo $( {} )", "x=$( {} )", "cat <( {} )", "{} > /tmp/out 2>&1",
    "[[ -n x ]] && {}", "ls\n{}", "echo \"$( {} )\"",
)  # fmt: skip
OUTERMOST = ("{}", "bash <<'EOF'\n{}\nEOF", "# note\n{}", "{}\nls", "trap ls EXIT\n{}")


@st.composite
def compositions(draw: st.DrawFn, inner: tuple[str, ...]) -> str:
    """A command under at most two prefixes, inside at most three shapes and one outermost shape."""
    text = draw(st.sampled_from(inner))
    for shapes, most in ((PREFIXES, 2), (SHAPES, 3)):
        for shape in draw(st.lists(st.sampled_from(shapes), max_size=most)):
            text = shape.format(text)
    return draw(st.sampled_from(OUTERMOST)).format(text)


QUICK = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=20000)


def spend_is_never_let_through(fields: dict[str, Any], command: str) -> None:
    assert fields["sealed"].bash(command).decision == ("allow" if command == SUBMIT else "deny"), command
    assert fields["none"].bash(command).decision == "ask", command


def benign_is_never_stopped(fields: dict[str, Any], command: str) -> None:
    assert fields["none"].bash(command).decision == "silent", command


@QUICK
@given(command=compositions(SPENDS))
def test_a_spend_in_any_composition_is_never_let_through(fields: dict[str, Any], command: str) -> None:
    spend_is_never_let_through(fields, command)


@QUICK
@given(command=compositions(BENIGN))
def test_ordinary_work_in_any_composition_is_never_stopped_without_a_program(
    fields: dict[str, Any], command: str
) -> None:
    benign_is_never_stopped(fields, command)


@pytest.mark.long
@LONG
@given(command=compositions(SPENDS))
def test_a_spend_in_very_many_compositions_is_never_let_through(fields: dict[str, Any], command: str) -> None:
    spend_is_never_let_through(fields, command)


@pytest.mark.long
@LONG
@given(command=compositions(BENIGN))
def test_ordinary_work_in_very_many_compositions_is_never_stopped(fields: dict[str, Any], command: str) -> None:
    benign_is_never_stopped(fields, command)


STEERED = (
    "HF_ENDPOINT=http://198.51.100.1 uv run @PLUGIN@/scripts/papers.py keys",
    "env HF_ENDPOINT=http://198.51.100.1 uv run @PLUGIN@/scripts/jobs.py list",
    "export ML_RESEARCH_ARXIV_URL=http://198.51.100.1; uv run @PLUGIN@/scripts/papers.py search lora",
    "PYTHONPATH=work uv run @PLUGIN@/scripts/jobs.py reconcile",
    "LD_PRELOAD=./work/x.so uv run @PLUGIN@/scripts/jobs.py list",
    "XDG_DATA_HOME=work uv run @PLUGIN@/scripts/campaign.py status",
)


@pytest.mark.parametrize("command", STEERED)
def test_a_variable_that_would_lead_our_command_astray_is_denied(command: str, sealed: Any) -> None:
    assert sealed.bash(command).decision == "deny"


def test_an_ordinary_variable_before_our_command_is_nobodys_business(sealed: Any) -> None:
    assert sealed.bash("COLUMNS=80 uv run @PLUGIN@/scripts/jobs.py list").decision == "silent"
