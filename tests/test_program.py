"""program.md: a person's contract is read whole, or every fault in it is told at once with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlresearch import money, program, seal
from mlresearch.errors import ProgramError, SealError, UsageError

TEMPLATE = (Path(program.__file__).parents[2] / "program.template.md").read_text()
FINAL = TEMPLATE[TEMPLATE.index("final:\n") : TEMPLATE.index("```\n\n## Scope")]
LEVER = TEMPLATE.partition("  learning_rate: ")[2].partition("\n")[0]


def test_the_template_is_valid_and_free() -> None:
    read = program.parse(TEMPLATE)
    assert read.envelope.max_usd_micro == 0
    assert read.envelope.backends == ("local",)
    assert read.expires_s == 7 * 86400
    assert read.digest == seal.digest_of(TEMPLATE)
    assert set(read.stored()) == {"goal", "scope", "run", "criteria", "envelope"}


def test_limits_are_kept_in_micro_dollars_and_seconds() -> None:
    text = TEMPLATE.replace("max_usd: 0", "max_usd: 2.50").replace("max_walltime: 4h", "max_walltime: 1h30m")
    limits = program.parse(text).limits
    assert (limits["max_usd_micro"], limits["max_walltime_s"]) == (2_500_000, 5400)
    assert "expires_s" not in limits


def test_a_final_evaluation_may_be_left_out() -> None:
    assert program.parse(TEMPLATE.replace(FINAL, "final: null\n")).blocks["Goal"]["final"] is None


def test_what_is_written_reads_back() -> None:
    blocks = program.parse(TEMPLATE).blocks
    blocks["Run"]["parameters"]["kind"] = {"flag": "--kind", "kind": "choice", "choices": ["1e5", "no", "8:00"]}
    assert program.parse(program.written(TEMPLATE, blocks)).blocks == blocks


# what is replaced, by what, and how the fault begins
BAD: dict[str, tuple[str, str, str]] = {
    # the page
    "no goal": ("## Goal", "## Aim", "the heading '## Goal' is missing"),
    "heading twice": ("## Scope", "## Goal\n\n## Scope", "'## Goal' has 2 yaml blocks or headings"),
    "two blocks": ("```\n\n## Scope", "```\n\n```yaml\na: 1\n```\n\n## Scope", "'## Goal' has 2 yaml blocks"),
    "block of another language": ("```yaml\nmodels", "```json\nmodels", "'## Scope' has 0 yaml blocks"),
    "block in a comment": ("## Run\n", "<!--\n## Run\n", "the heading '## Run' is missing"),
    # YAML
    "YAML error": ("models: []", "models: [", "Scope: line "),
    "key twice": ("max_jobs: 100", "max_jobs: 100\nmax_jobs: 200", "Budget envelope: line 4: the key 'max_jobs' comes"),
    "anchor": ("models: []", "models: &x []", "Scope: line 1: an anchor"),
    "hidden line": ("max_usd: 0", "max_usd: 0 # \u2028max_jobs: 9", "Budget envelope: line 2: the character U+2028"),
    "empty block": ("max_usd: 0", "# max_usd: 0", "Budget envelope: 'max_usd' is a required property"),
    # Goal
    "unknown key": ("metric: val", "metrics: 1\nmetric: val", "Goal: Additional properties are not allowed ('metrics'"),
    "direction": ("direction: maximize", "direction: up", "Goal.direction: 'up' is not one of"),
    "direction of true": ("direction: maximize", "direction: true", "Goal.direction: True is not one of"),
    "target as text": ("target: null", "target: high", "Goal.target: 'high' is not of type"),
    "target infinite": ("target: null", "target: 1e999", "Goal: line 3: '1e999' is no number"),
    "negative effect": ("min_effect: 0.002", "min_effect: -1", "Goal.min_effect: -1 is less than the minimum of 0"),
    "NaN effect": ("min_effect: 0.002", "min_effect: .nan", "Goal.min_effect: '.nan' is not of type 'number'"),
    "pattern that is none": (r"^val_accuracy: (\S+)$", r"^val_accuracy: (\S+$", "Goal.metric_pattern: '^val_accuracy"),
    "pattern without group": (r"^val_accuracy: (\S+)$", r"^val_accuracy", "Goal.metric_pattern: '^val_accuracy' has 0"),
    "pattern with two groups": (r"^val_accuracy: (\S+)$", r"(\w+): (\S+)", "Goal.metric_pattern: '(\\\\w+): (\\\\S+)'"),
    "final pattern": (r"^test_accuracy: (\S+)$", "xyz", "Goal.final.metric_pattern: 'xyz' has 0 groups"),
    "final without script": ("  script: evaluate.py\n", "", "Goal.final: 'script' is a required property"),
    "final not sealed": ("sealed_files: [evaluate.py]", "sealed_files: []", "Scope.sealed_files: must hold"),
    "final no Python": ("script: evaluate.py", "script: evaluate.sh", "Goal.final.script: 'evaluate.sh' is no Python"),
    # Scope
    "editable and sealed": ("editable_files: [train.py]", "editable_files: [evaluate.py]", "Scope: evaluate.py is bot"),
    "path above": ("[data/test.npz]", "[../test.npz]", "Scope.sealed_data.0: '../test.npz' does not match"),
    "path of the machine": ("[data/test.npz]", "[/etc/passwd]", "Scope.sealed_data.0: '/etc/passwd' does not match"),
    "path of the home": ("[data/test.npz]", "[~/x]", "Scope.sealed_data.0: '~/x' does not match"),
    "files as text": ("editable_files: [train.py]", "editable_files: train.py", "Scope.editable_files: 'train.py' is"),
    "file twice": ("[train.py]", "[train.py, train.py]", "Scope.editable_files: ['train.py', 'train.py'] has non-uniq"),
    "protected is no flag": ("protected: {}", "protected: {steps: 1}", "Scope.protected: 'steps' does not match"),
    "protected lever": ("protected: {}", "protected: {--learning-rate: 1}", "Run.parameters.learning_rate: --learning"),
    "protected seed": ("protected: {}", "protected: {--seed: 1}", "Scope.protected: --seed is the seed"),
    # Run
    "unreadable timeout": ("timeout: 10m\nmem", "timeout: soon\nmem", "Run.timeout 'soon' is not a duration"),
    "timeout zero": ("timeout: 10m\nmem", "timeout: 0\nmem", "Run.timeout 0 is not a duration"),
    "timeout longer than allowed": ("timeout: 10m\nmem", "timeout: 11m\nmem", "Run.timeout: '11m' is longer than"),
    "backend unknown": ("backend: local", "backend: cloud", "Run.backend: 'cloud' is not one of"),
    "backend not allowed": ("backend: local", "backend: hf", "Run.backend: 'hf' is not in Budget envelope.backends"),
    "flavor not allowed": ("flavor: cpu", "flavor: a100", "Run.flavor: 'a100' is not in Budget envelope.allowed_flavo"),
    "memory": ("memory: 2g", "memory: 2 GB", "Run.memory: '2 GB' does not match"),
    "script no Python": ("script: train.py", "script: train.sh", "Run.script: 'train.sh' is no Python file"),
    "arguments as text": ('args: ["--data", "{root}/data", "--out", "{out}"]', "args: --out", "Run.args: '--out' is n"),
    "tracking missing": ("tracking: local\n", "", "Run: 'tracking' is a required property"),
    "tracking of no kind": ("tracking: local", "tracking: wandb", "Run.tracking: 'wandb' does not match"),
    "tracking without owner": ("tracking: local", "tracking: space:curves", "Run.tracking: 'space:curves' does not m"),
    "tracking from here": ("tracking: local", "tracking: space:ada/c", "Run.tracking: 'ada/c' needs backend hf"),
    "tracking elsewhere": ("tracking: local", "tracking: space:ada/c", "Run.tracking: 'ada/c' is not in Budget env"),
    "parameter without flag": ("flag: --learning-rate, ", "", "Run.parameters.learning_rate: 'flag' is a required"),
    "parameter is the seed": ("--learning-rate", "--seed", "Run.parameters.learning_rate: --seed is protected"),
    "flag of two": (LEVER, f"{LEVER}\n  other: {LEVER}", "Run.parameters.learning_rate: --learning-rate is the flag o"),
    "range upside down": ("high: 0.1", "high: 0.00001", "Run.parameters.learning_rate: low must be below high"),
    "range empty": ("high: 0.1", "high: 0.0001", "Run.parameters.learning_rate: low must be below high"),
    "log of zero": ("low: 0.0001", "low: 0", "Run.parameters.learning_rate: a log scale needs low above zero"),
    "int of fractions": ("kind: float", "kind: int", "Run.parameters.learning_rate: kind int needs whole numbers"),
    "choice with range": ("kind: float", "kind: choice", "Run.parameters.learning_rate: "),
    "parameter name": ("learning_rate:", "Learning-Rate:", "Run.parameters: 'Learning-Rate' does not match"),
    # Keep or discard
    "two seeds": ("baseline_seeds: 5", "baseline_seeds: 2", "Keep or discard.baseline_seeds: 2 is less than the minim"),
    "seeds as float": ("baseline_seeds: 5", "baseline_seeds: 5.0", "Keep or discard.baseline_seeds: 5.0 is not of typ"),
    "seeds as text": ("confirm_seeds: 3", "confirm_seeds: three", "Keep or discard.confirm_seeds: 'three' is not of t"),
    "yes is no boolean": ("prefer_simpler: true", "prefer_simpler: yes", "Keep or discard.prefer_simpler: 'yes' is no"),
    # Budget envelope
    "limit missing": ("max_walltime: 4h\n", "", "Budget envelope: 'max_walltime' is a required property"),
    "jobs as text": ("max_jobs: 100", 'max_jobs: "12"', "Budget envelope.max_jobs: '12' is not of type 'integer'"),
    "jobs as float": ("max_jobs: 100", "max_jobs: 100.0", "Budget envelope.max_jobs: 100.0 is not of type 'integer'"),
    "jobs with underscore": ("max_jobs: 100", "max_jobs: 1_00", "Budget envelope.max_jobs: '1_00' is not of type"),
    "jobs true": ("max_jobs: 100", "max_jobs: true", "Budget envelope.max_jobs: True is not of type 'integer'"),
    "jobs empty": ("max_jobs: 100", "max_jobs:", "Budget envelope.max_jobs: '' is not of type 'integer'"),
    "jobs of 5,000 digits": ("max_jobs: 100", "max_jobs: " + "9" * 5000, "Budget envelope: line 3: '999"),
    "jobs negative": ("max_jobs: 100", "max_jobs: -1", "Budget envelope.max_jobs: -1 is less than the minimum of 0"),
    "money negative": ("max_usd: 0", "max_usd: -5", "Budget envelope.max_usd -5 is not an amount"),
    "money NaN": ("max_usd: 0", "max_usd: .nan", "Budget envelope.max_usd '.nan' is not an amount"),
    "money infinite": ("max_usd: 0", "max_usd: .inf", "Budget envelope.max_usd '.inf' is not an amount"),
    "money in words": ("max_usd: 0", "max_usd: ten", "Budget envelope.max_usd 'ten' is not an amount"),
    "money too exact": ("max_usd: 0", "max_usd: 0.0000001", "Budget envelope.max_usd 1e-07 is not an amount"),
    "money null": ("max_usd: 0", "max_usd: null", "Budget envelope.max_usd: None is not of type"),
    "walltime unreadable": ("max_walltime: 4h", "max_walltime: 4:00", "Budget envelope.max_walltime '4:00' is not a d"),
    "max_timeout negative": ("max_timeout: 10m", "max_timeout: -10m", "Budget envelope.max_timeout '-10m' is not a du"),
    "expires never": ("expires: 7d", "expires: never", "Budget envelope.expires 'never' is not a duration"),
    "reserve too large": ("reserve_final: 0.1", "reserve_final: 1", "Budget envelope.reserve_final: 1 is greater than"),
    "backend of no kind": ("backends: [local]", "backends: [cloud]", "Budget envelope.backends.0: 'cloud' is not one"),
    "repository of all": ("output_repos: []", "output_repos: ['*/*']", "Budget envelope.output_repos.0: '*/*' does no"),
    "repository without owner": ("output_repos: []", "output_repos: [model]", "Budget envelope.output_repos.0: 'model"),
    "program with a path": ("programs: []", "programs: [/bin/sh]", "Budget envelope.programs.0: '/bin/sh' does not ma"),
    "program with words": ("programs: []", "programs: ['git push']", "Budget envelope.programs.0: 'git push' does not"),
    "deadline": ("expires: 7d", "expires: 7d\ndeadline: tomorrow", "Budget envelope.deadline: 'tomorrow' does not mat"),
    "no such day": ("expires: 7d", "expires: 7d\ndeadline: 2026-02-30T08:00Z", "Budget envelope.deadline: '2026-02-30"),
    "long past": ("expires: 7d", "expires: 7d\ndeadline: 0001-01-01T00:00+14:00", "Budget envelope.deadline: '0001-"),
    "GPU hours": ("expires: 7d", "expires: 7d\nmax_gpu_hours: 5", "Budget envelope.max_gpu_hours: no backend here cou"),
    "GPU hours without end": ("expires: 7d", "expires: 7d\nmax_gpu_hours: 1e308", "Budget envelope.max_gpu_hours: no"),
}  # fmt: skip


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize(("old", "new", "told"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_the_place(old: str, new: str, told: str) -> None:
    assert old in TEMPLATE, "the template has changed: nothing was replaced"
    with pytest.raises(ProgramError) as caught:
        program.parse(TEMPLATE.replace(old, new))
    assert any(fault.startswith(told) for fault in caught.value.faults), caught.value.faults
    assert all(len(fault) < 500 and "\n" not in fault for fault in caught.value.faults)


def test_every_fault_of_a_file_is_told_at_once() -> None:
    text = TEMPLATE
    names = (
        "direction", "final pattern", "path above", "unreadable timeout", "two seeds", "jobs as text", "range empty",
        "GPU hours", "protected is no flag",
    )  # fmt: skip
    for name in names:
        text = text.replace(*BAD[name][:2])
    with pytest.raises(ProgramError) as caught:
        program.parse(text)
    told = " ".join(caught.value.faults)
    for place in (
        "Goal.direction", "Scope.sealed_data.0", "Run.timeout", "Keep or discard.baseline_seeds",
        "Budget envelope.max_jobs", "Run.parameters.learning_rate", "Scope.protected",
    ):  # fmt: skip
        assert place in told, place


def test_a_block_that_is_broken_hides_no_fault_of_another() -> None:
    text = TEMPLATE.replace("models: []", "models: [").replace("## Run\n", "## Walk\n")
    text = text.replace("max_usd: 0", "max_usd: ten").replace("(\\S+)$'\nmin_effect", "\\S+$'\nmin_effect")
    with pytest.raises(ProgramError) as caught:
        program.parse(text)
    assert [fault.split(":")[0].split("'")[0].strip() for fault in sorted(caught.value.faults)] == [
        "Budget envelope.max_usd", "Goal.metric_pattern", "Scope", "the heading",
    ]  # fmt: skip


def test_a_file_of_other_words_is_told_what_is_missing() -> None:
    with pytest.raises(ProgramError) as caught:
        program.parse("# Notes\n")
    assert len(caught.value.faults) == len(seal.HEADINGS)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return os.path.realpath(tmp_path)


def test_a_project_without_a_program_is_told_to_make_one(root: str) -> None:
    with pytest.raises(UsageError) as caught:
        program.load(root)
    assert caught.value.next_step == "program.py init"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ProgramError),
        (b"# Another tool's file\n", ProgramError),
        (b"## Budget envelope\n\xff", SealError),
        (b"## Budget envelope\n" * 9999, SealError),
    ],
    ids=["empty", "not ours", "not UTF-8", "too large"],
)
def test_a_file_that_is_no_program_is_refused(root: str, content: bytes, error: type[Exception]) -> None:
    Path(root, "program.md").write_bytes(content)
    with pytest.raises(error):
        program.load(root)


def test_a_program_with_windows_line_ends_is_the_same_program(root: str) -> None:
    Path(root, "program.md").write_bytes(TEMPLATE.replace("\n", "\r\n").encode())
    assert program.load(root) == program.parse(TEMPLATE)


@pytest.mark.parametrize("amount", ["0", "0.01", "'2.50'", "1000000"])
def test_money_may_be_a_number_or_text(amount: str) -> None:
    limits = program.parse(TEMPLATE.replace("max_usd: 0", f"max_usd: {amount}")).limits
    assert limits["max_usd_micro"] == money.to_micro(amount.strip("'"))
