"""Differential test: bash itself runs generated lines, and every program it started must have been read.

The lines run with an empty environment, in an empty folder, on a PATH that holds logging stubs and a few harmless
wrappers; they name no path and no builtin that could change anything outside that folder.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlresearch.guard.unwrap import commands
from mlresearch.guard.words import ReadError

LINES = int(os.environ.get("MLR_ORACLE_LINES", "300"))
SEED = int(os.environ.get("MLR_ORACLE_SEED", "1"))
BATCH = 100
STUBS = ("alpha", "beta", "gamma", "delta")
REAL = ("bash", "sh", "env", "xargs", "nice", "nohup", "timeout", "cat", "setsid", "true", "stdbuf")
DRIVER = 'while IFS= read -r -d "" line; do ( eval "$line" ) <"$1" >"$1" 2>&1; done; wait'
MARK = re.compile(r"m\d{6}m")
BROKEN = "'\"$(){}[];&|<>\\\n #`!=*?,a"

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: the bash of macOS is 3.2")


class Grammar:
    """Random shell lines in which every command carries a mark of its own."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.mark = 0

    def stub(self) -> str:
        name = self.random.choice(STUBS)
        cut = self.random.randrange(1, len(name))
        head, tail = name[:cut], name[cut:]
        forms = (name, name, name, f"{head}''{tail}", f'"{name}"', f"\\{name}", f"'{head}'{tail}",
                 f"$'\\x{ord(name[0]):x}'{name[1:]}", f'{head}"{tail}"', f"{head}\\\n{tail}")  # fmt: skip
        return self.random.choice(forms)

    def simple(self) -> str:
        self.mark += 1
        decoys = ("", "", " '; alpha no'", ' "# beta no"', " \\; gamma", " <<<x", " 2>&1", " # delta no\n", " a=b",
                  " {a,b}", ' "$(( 1 + 2 ))"', " ${unset-x}", " $'it\\'s'", " >out", " 3>&1 >&2", ' "a\\"b"',
                  " [x] ~", " !")  # fmt: skip
        return f"{self.stub()} m{self.mark:06d}m" + self.random.choice(decoys)

    def line(self, depth: int = 0) -> str:
        if depth > 3 or self.random.random() < 0.25:
            return self.simple()
        template = self.random.choice(TEMPLATES)
        pieces = template.split("@")
        text = pieces[0]
        for piece in pieces[1:]:
            inner = self.line(depth + 1)
            if piece.startswith("'"):  # inside single quotes
                inner = inner.replace("'", "'\\''")
            elif piece.startswith("`"):
                inner = inner if "`" not in inner and "\\" not in inner and "$" not in inner else self.plain()
            elif piece.startswith('"'):
                inner = self.plain()
            text += inner + ("\n" if "#" in inner and not piece.startswith(("\n", "'", '"', "`")) else "") + piece
        return text

    def plain(self) -> str:
        self.mark += 1
        return f"{self.random.choice(STUBS)} m{self.mark:06d}m"

    def mutated(self) -> str:
        text = self.line()
        for _ in range(self.random.randrange(1, 3)):
            at = self.random.randrange(len(text) + 1)
            text = self.random.choice((
                text[:at] + self.random.choice(BROKEN) + text[at:], text[:at] + text[at + 1 :],
                text[:at] + self.random.choice(BROKEN) + text[at + 1 :],
            ))  # fmt: skip
        return text


TEMPLATES = (
    "@; @", "@ && @", "@ || @", "@ | @", "@ |& @", "@ & @", "@\n@", "( @; @ )", "{ @; @; }", "! @",
    "time @", "time -p @", "if @; then @; else @; fi", "if @\nthen @\nfi", "for i in 1 2; do @; done",
    "for ((i=0;i<1;i++)); do @; done", "for i in a $(@); do @; done", "case x in y) @;; x|z) @;; *) @;; esac",
    "case $(@) in (*) @;& (b) @;; esac", "f() { @; }; f", "f() ( @ ); f", "function f { @; }; f; @",
    "f () if @; then @; fi; f", "echo $(@)", 'echo "a $(@) b"', "echo `@`", 'echo "`@`"', "x=$(@)", "x=$(@) @",
    "echo ${x:-$(@)}", 'echo "${x:-$(@)}"', "echo ${x+$(@)}; @", "echo $(( 1 + $(@) ))", "(( x = $(@) )); @",
    "cat <<E\n$(@)\nE\n@", "cat <<'E'\n$(alpha no)\nE\n@", "cat <<-E\n\ttext\n\tE\n@", "cat <<E <<F\na\nE\n$(@)\nF\n@",
    "cat <<E; @\nbody it's\nE\n@", "cat <<< $(@)", "cat <(@)", "cat < <(@)", "@ > >(cat)", "a=(x $(@) y); @",
    "declare -a a=(x $(@)); @", "[[ a == a && -n $(@) ]] && @", "[[ a =~ (a|b) ]] && @", "[ -n x ] && @",
    "while @; do @; break; done", "until @; do @; break; done", "coproc { @; } <<<x; wait $!",
    "coproc f { @; } <<<x; wait $!",
    "eval '@'", "bash -c '@'", "sh -c '@'", "bash -ec '@'", "env A=b bash -c '@'", "env -u X @", "command @",
    "nice -n 1 @", "nohup @", "timeout 9 @", "exec @", "trap '@' EXIT", "setsid -w @", "stdbuf -oL @",
    "bash <<'E'\n@\nE\n@", "echo '@' | bash", "printf '%s\\n' '@' | sh", "bash <<< '@'", "cat <<'E' | bash -s\n@\nE",
    "echo x | xargs @", "echo x | xargs -I{} @", "x='@'; eval \"$x\"", "X=alpha; $X m0; @", "X='@'; bash -c \"$X\"",
    "set -- @; \"$@\"", "# it's a comment\n@", "@ \\\n  more", "echo a#b; @", "{ @; } 2>&1 | cat", "@ >out 2>&1 &",
    "echo 'a\\'; @", 'echo "a\\\\"; @', "echo \\\\; @", "echo $'a\\'b'; @", "x=1 y=2 @", ">out @", "x[1]=2 @",
    "echo {a,$(@)}", "select i in a; do @; break; done <<< 1", "if ((1)); then @; fi", "((1)) && @",
    "echo $((1<<2)); @",
    "export X=$(@); @", "local_f() { local x=$(@); }; local_f", "@; : 'x\ny'; @", "echo \"a\nb\"; @", "@ ;\n\n@",
)  # fmt: skip


def _oracle(folder: Path, lines: list[str]) -> set[tuple[str, str]]:
    """Run the lines under bash; the (program, mark) pairs that were really started."""
    stubs, work, log = folder / "stubs", folder / "work", folder / "log"
    stubs.mkdir()
    work.mkdir()
    for name in STUBS:
        (stubs / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $1" >>"{log}"\n')
        (stubs / name).chmod(0o755)
    for name in REAL:
        found = shutil.which(name)
        if found is not None:
            (stubs / name).symlink_to(Path(found).resolve())
    log.touch()
    with subprocess.Popen(
        ["/bin/bash", "--norc", "-c", DRIVER, "bash", os.devnull], cwd=work, encoding="utf-8",
        env={"PATH": str(stubs), "FUNCNEST": "20"}, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as bash:  # fmt: skip
        try:
            bash.communicate("".join(line + "\0" for line in lines), timeout=30)
        except subprocess.TimeoutExpired:  # a line that waits for ever: what ran before it still counts
            os.killpg(bash.pid, signal.SIGKILL)
    rows = (row.partition(" ") for row in log.read_text().splitlines())
    return {(name, mark) for name, _, mark in rows if MARK.fullmatch(mark)}


def _read(line: str) -> tuple[set[tuple[str, str]], bool]:
    """The (program, argument) pairs read from a line, and whether it was refused or holds an unknown program."""
    try:
        found = commands(line)
    except ReadError:
        return set(), True
    pairs: set[tuple[str, str]] = set()
    for command in found:
        texts = [word.text for word in command.argv]
        pairs |= {(texts[0] or "", text) for text in texts[1:] if text is not None}
        pairs |= {(texts[0] or "", part.text) for word in command.argv[1:] for part in word.parts}
    return pairs, any(command.argv and command.argv[0].text is None for command in found)


def _batches(make: Callable[[Grammar], str], count: int) -> Iterator[tuple[int, list[str]]]:
    for start in range(0, count, BATCH):
        grammar = Grammar(SEED * 100_003 + start)
        yield start, [make(grammar) for _ in range(min(BATCH, count - start))]


def _missed(folder: Path, make: Callable[[Grammar], str]) -> tuple[int, int, list[str]]:
    """How many programs ran, in how many lines one was refused or unknown, and the lines with an unread program."""
    ran = refused = 0
    missed: list[str] = []
    for start, lines in _batches(make, LINES):
        batch = folder / str(start)
        batch.mkdir()
        really = _oracle(batch, lines)
        ran += len(really)
        read = [_read(line) for line in lines]
        refused += sum(unknown for _, unknown in read)
        for pair in sorted(really):
            holders = [index for index, line in enumerate(lines) if pair[1] in line]
            if holders and not any(pair in read[index][0] or read[index][1] for index in holders):
                missed.append(f"{pair} in {lines[holders[0]]!r}")
    return ran, refused, missed


@ON_LINUX
def test_every_program_that_bash_starts_is_read(tmp_path: Path) -> None:
    ran, refused, missed = _missed(tmp_path, Grammar.line)
    assert ran > LINES / 2
    assert not missed, "\n".join(missed[:20])
    assert refused < LINES / 5


@ON_LINUX
def test_every_program_that_bash_starts_from_a_broken_line_is_read_or_the_line_refused(tmp_path: Path) -> None:
    def make(grammar: Grammar) -> str:
        while True:
            line = grammar.mutated()
            if not any(word in line for word in ("while", "until", "select", "for ((")):  # may never end
                return line

    ran, _, missed = _missed(tmp_path, make)
    assert ran > LINES / 5
    assert not missed, "\n".join(missed[:20])
