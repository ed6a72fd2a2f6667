"""Differential test of the decision: what bash really started of the known spenders had been refused under a seal.

The lines name spenders, and harmless stand-ins of the same names log that they ran: in an empty folder, with nothing
else on PATH than a few wrappers, without a network where the system lets a user have a namespace of its own.
A second reader, shfmt, names the simple commands of the same lines.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlresearch.guard.scan import scan
from mlresearch.guard.words import ReadError

LINES = int(os.environ.get("MLR_ORACLE_LINES", "400"))
SEED = int(os.environ.get("MLR_ORACLE_SEED", "1"))
BATCH = 100
DEEPEST = 3
REAL = ("bash", "sh", "env", "xargs", "nice", "nohup", "timeout", "cat", "setsid", "stdbuf")
DRIVER = 'while IFS= read -r -d "" line; do ( eval "$line" ) <"$1" >"$1" 2>&1; done; wait'
MARK = re.compile(r"m\d{6}m")

# What the words of a spender are, and a harmless use of the same program.
SPENDERS = (
    "hf jobs run", "hf jobs uv run", "hf endpoints deploy", "hf sandbox create", "hf upload me/x", "hf repos delete",
    "modal run", "modal deploy", "sky launch", "sbatch", "srun", "runpodctl create pod", "vastai create instance",
    "kubectl apply -f", "ray job submit", "aws sagemaker create-training-job", "gcloud compute instances create",
    "trl-jobs sft", "autotrain llm --backend spaces-a10g-large",
)  # fmt: skip
DECOYS = ("git status", "ls -la", "pytest -q", "hf jobs ps", "grep -rn 'hf jobs run'", "echo 'modal run'", "wc -l")
PROGRAMS = sorted({line.split()[0] for line in (*SPENDERS, *DECOYS)} - {"echo"})
BENT = ("{}", "{}", "{}", "{}", '"{}"', "'{}'", "\\{}", "{}''", "$'{}'", '""{}')
SHAPES = (
    "@; @", "@ && @", "@ || @", "@ | @", "@ & @", "@\n@", "( @; @ )", "{ @; @; }", "! @", "time @",
    "if @; then @; else @; fi", "for i in 1 2; do @; done", "for ((i=0;i<1;i++)); do @; done",
    "case x in y) @;; x|z) @;; esac", "case $(@) in (*) @;& (b) @;; esac", "f() { @; }; f", "function f { @; }; f; @",
    "echo $(@)", 'echo "a $(@) b"', "x=$(@)", "x=$(@) @", "echo ${x:-$(@)}", 'echo "${x:-$(@)}"', "(( x = $(@) )); @",
    "echo $(( 1 + $(@) ))", "cat <<E\n$(@)\nE\n@", "cat <<'E'\n$(hf jobs run no)\nE\n@", "cat <<-E\n\ttext\n\tE\n@",
    "cat <<E; @\nit's\nE\n@", "cat <<< $(@)", "cat <(@)", "@ > >(cat)", "a=(x $(@) y); @", "[[ -n $(@) ]] && @",
    "[[ a == a ]] && @", "while @; do @; break; done", "until @; do @; break; done", "coproc { @; } <<<x; wait $!",
    "eval '@'", "bash -c '@'", "sh -c '@'", "bash -ec '@'", "env A=b bash -c '@'", "env -u X @", "command @",
    "nice -n 1 @", "nohup @", "timeout 9 @", "exec @", "trap '@' EXIT", "setsid -w @", "stdbuf -oL @",
    "bash <<'E'\n@\nE\n@", "echo '@' | bash", "printf '%s\\n' '@' | sh", "bash <<< '@'", "echo x | xargs @",
    "echo x | xargs -I{} @", "x='@'; eval \"$x\"", "X='@'; bash -c \"$X\"", "set -- @; \"$@\"", "# it's a note\n@",
    "echo a#b; @", "{ @; } 2>&1 | cat", "@ >out 2>&1 &", "echo 'a\\'; @", 'echo "a\\\\"; @', "echo $'a\\'b'; @",
    "x=1 y=2 @", ">out @", "echo {a,$(@)}", "((1)) && @", "export X=$(@); @", "@; : 'x\ny'; @",
)  # fmt: skip

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the bash of macOS is 3.2")


class Lines:
    """Random shell lines of spenders and harmless commands, each with a mark of its own."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.mark = 0

    def simple(self) -> str:
        self.mark += 1
        is_spender = self.random.random() < 0.6
        head, *rest = self.random.choice(SPENDERS if is_spender else DECOYS).split(" ", 1)
        tail = self.random.choice(("", "", " 2>&1", " >out", " <<<x", " # hf jobs run no\n", " '; sbatch no'"))
        return " ".join([self.random.choice(BENT).format(head), *rest, f"m{self.mark:06d}m"]) + tail

    def line(self, depth: int = 0) -> str:
        if depth >= DEEPEST or self.random.random() < 0.2:
            return self.simple()
        text, *pieces = self.random.choice(SHAPES).split("@")
        for piece in pieces:
            inner = self.line(depth + 1)
            if piece.startswith("'"):
                inner = inner.replace("'", "'\\''")
            ends = "\n" if "#" in inner and not piece.startswith(("\n", "'", '"')) else ""
            text += inner + ends + piece
        return text


def _alone(path: str) -> list[str]:
    """The beginning of a command without network or rights, as far as the system has such a thing."""
    words = ["unshare", "--user", "--net"]
    try:
        works = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        works = False
    return [*(words if works else []), "env", "-i", f"PATH={path}", "FUNCNEST=20"]


def ran(folder: Path, lines: list[str]) -> set[tuple[str, str]]:
    """Run the lines under bash; what was really started, each with every mark among its words."""
    stubs, work, log = folder / "stubs", folder / "work", folder / "log"
    for made in (stubs, work):
        made.mkdir(mode=0o777)
        made.chmod(0o777)
    for name in PROGRAMS:
        (stubs / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"{log}"\n')
        (stubs / name).chmod(0o755)
    for name in REAL:
        found = shutil.which(name)
        assert found, name
        (stubs / name).symlink_to(Path(found).resolve())
    log.touch()
    log.chmod(0o666)
    with subprocess.Popen(
        [*_alone(str(stubs)), "/bin/bash", "--norc", "-c", DRIVER, "bash", os.devnull], cwd=work, encoding="utf-8",
        start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as bash:  # fmt: skip
        try:
            bash.communicate("".join(line + "\0" for line in lines), timeout=60)
        except subprocess.TimeoutExpired:  # a line that waits for ever: what ran before it still counts
            os.killpg(bash.pid, signal.SIGKILL)
    return {(told, mark) for told in log.read_text().splitlines() for mark in MARK.findall(told)}


def _batches(count: int) -> Iterator[tuple[int, list[str]]]:
    for start in range(0, count, BATCH):
        lines = Lines(SEED * 100_003 + start)
        yield start, [lines.line() for _ in range(min(BATCH, count - start))]


@ON_LINUX
def test_every_spend_that_bash_really_started_had_been_refused(tmp_path: Path, sealed: Any) -> None:
    spent = flagged_in_vain = 0
    missed: list[str] = []
    for start, lines in _batches(LINES):
        folder = tmp_path / str(start)
        folder.mkdir()
        folder.chmod(0o777)
        started = {mark: told for told, mark in ran(folder, lines) if told.startswith(SPENDERS)}
        spent += len(started)
        for line in lines:
            told = [started[mark] for mark in MARK.findall(line) if mark in started]
            is_refused = sealed.bash(line).decision == "deny"
            flagged_in_vain += is_refused and not told
            missed += [f"{told} in {line!r}"] if told and not is_refused else []
    print(f"{LINES} lines, {spent} spends started, {len(missed)} missed, {flagged_in_vain} lines refused in vain")
    assert spent > LINES / 2
    assert not missed, "\n".join(missed[:20])


@ON_LINUX
def test_the_harmless_lines_of_the_oracle_are_not_refused(sealed: Any) -> None:
    refused = [line for line in DECOYS if sealed.bash(line).decision != "silent"]
    assert not refused


SHFMT = [str(Path(sys.executable).with_name("shfmt")), "--to-json", "-ln", "bash"]


# `$((` that begins a subshell and not a sum, and a here-document inside another that ends with the same word
REFUSED_HERE_ALONE = re.compile(r"\$\(\(|(?s:<<-?'?E.*\$\(.*<<-?'?E)")

# shfmt looks for the body of a here-document only behind a `case` that begins on its line; bash and dash, like the
# scanner, at the next new line, so that they take for the body what shfmt takes for the branches
READ_LATE = re.compile(r"<<-?'?E[^\n]*\bcase\b")


def _shfmt(line: str) -> Counter[str] | None:
    """The first words of the simple commands that shfmt finds, None for a line that it refuses."""
    done = subprocess.run(SHFMT, input=line.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        return None
    heads: Counter[str] = Counter()
    waiting: list[Any] = [json.loads(done.stdout)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            if node.get("Type") == "CallExpr" and node.get("Args"):
                place = node["Args"][0]
                heads[line.encode()[place["Pos"]["Offset"] : place["End"]["Offset"]].decode()] += 1
        elif isinstance(node, list):
            waiting += node
    return heads


def _ours(line: str) -> Counter[str] | None:
    """The same by our scanner, None for a line that it refuses, which the guard then denies."""
    try:
        return Counter(command.argv[0].raw for command in scan(line) if command.argv)
    except ReadError:
        return None


def test_every_simple_command_that_shfmt_finds_is_found_or_its_line_refused() -> None:
    """The classes of difference are listed: REFUSED_HERE_ALONE and READ_LATE."""
    found = 0
    refused = Counter[str]()
    missed: list[str] = []
    for _, lines in _batches(LINES):
        for line in lines:
            theirs, ours = _shfmt(line), _ours(line)
            refused["shfmt"] += theirs is None
            explained = "ours" if REFUSED_HERE_ALONE.search(line) else "ours, unexplained"
            refused[explained] += ours is None and theirs is not None
            if theirs is not None and ours is not None:
                found += sum(theirs.values())
                unread = theirs - ours
                missed += [f"{dict(unread)} in {line!r}"] if unread and not READ_LATE.search(line) else []
    print(f"{LINES} lines, {found} commands found by shfmt, {len(missed)} lines differ, refused: {dict(refused)}")
    assert found > LINES
    assert not missed, "\n".join(missed[:20])
    assert not refused["ours, unexplained"]
    assert refused["ours"] < LINES / 50
    assert refused["shfmt"] < LINES / 4
