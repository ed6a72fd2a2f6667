"""What a command writes, moves, removes or reads, judged against the protected places."""

from __future__ import annotations

import os

from mlresearch.guard import writes
from mlresearch.guard.paths import TOLD
from mlresearch.guard.unwrap import name
from mlresearch.guard.words import Command, Word, static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.judge import Judge

_DEVICES = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/fd/1", "/dev/fd/2", "-")
_KILLERS = ("kill", "pkill", "killall", "xkill")
_SELF = ("PPID", "claude", "node", "guard", "ml-research", "mlresearch")
_PEEK = "campaign.py finalize opens sealed data, once"


def redirects(judge: Judge, command: Command) -> None:
    """Judge the files that a command's redirects write and read."""
    for target in writes.redirected(command):
        _write(judge, "a redirect", target)
        is_copy = name(command) in ("cat", "tee") and command.stdin is not None
        _remember(judge, target.word, command.stdin if is_copy else None)
    for redirect in command.redirects:
        if redirect.op == "<":
            read(judge, redirect.target)


def assigned(judge: Judge, command: Command) -> None:
    """Note the variables that hold a fresh temporary file."""
    for variable, word in command.assigns:
        is_scratch = len(word.parts) == 1 and word.parts[0].kind == "command" and _is_mktemp(word.parts[0].text)
        (judge.scratch.add if is_scratch else judge.scratch.discard)(variable)


def _is_mktemp(text: str) -> bool:
    return text.split()[:1] == ["mktemp"] and not set(text) & set(";|&\n")


def program(judge: Judge, program: str, words: list[Word], command: Command, depth: int) -> None:
    """Judge what a program's own arguments make it write."""
    if program == "git":
        _git(judge, words, depth)
    elif program in _KILLERS and any(name in word.raw for word in words for name in _SELF):
        judge.add("tamper", f"{program} of the client or the guard")
    targets = writes.targets(program, words)
    for target in targets:
        _write(judge, program, target)
    if program == "ln":
        _linked(judge, words)
    if program == "patch":
        _patch(judge, command, words)
    text = _copied(judge, program, words)
    for target in targets:
        if not target.whole or program == "mv":
            _remember(judge, target.word, text)


def _remember(judge: Judge, word: Word, text: str | None) -> None:
    """What the call writes now it may run later; None stands for text that is not known."""
    if word.text is not None:
        judge.shelf.written[judge.places.full(word.text, judge.cwds[-1])] = text


def _copied(judge: Judge, program: str, words: list[Word]) -> str | None:
    """The text that `cp a b` or `mv a b` puts into b."""
    names = [word for word in words if not (word.text or "-").startswith("-")]
    if program not in ("cp", "mv", "install", "ln") or len(names) != 2:
        return None
    return judge.shelf.text(judge.places.full(names[0].text or "", judge.cwds[-1]))


def _linked(judge: Judge, words: list[Word]) -> None:
    """A link's target is looked up from the link's own folder."""
    names = [word.text for word in words if word.text and not word.text.startswith("-")]
    if len(names) == 2:
        link = static(os.path.join(os.path.dirname(names[1]), names[0]))
        _write(judge, "ln", writes.Target(link))
        read(judge, link)


def _write(judge: Judge, by: str, target: writes.Target) -> None:
    text = target.word.text
    if text is None:
        if not target.word.glob:
            _write_unknown(judge, by, target.word)
            return
        text = "".join(part.text for part in target.word.parts)
    if text in _DEVICES:
        return
    for cwd in judge.cwds:
        is_literal = target.word.text is not None
        kind = judge.places.kind(text, cwd) if is_literal else judge.places.could_match(text, cwd)
        if not kind and target.whole and judge.places.holds(text, cwd):
            kind = "whole"
        if kind:
            judge.add("write " + kind, f"{by} writes {text}: {TOLD[kind]}")
            return


def _write_unknown(judge: Judge, by: str, word: Word) -> None:
    """A target that begins in a free folder, or that is a fresh temporary file, is no matter."""
    first = next((part for part in word.parts if part.text), word.parts[0])
    if ".." not in word.raw:
        if (first.kind == "command" and _is_mktemp(first.text)) or (
            first.kind == "variable" and first.text in judge.scratch
        ):
            return
        folder = first.text.rpartition("/")[0] if first.kind == "text" else ""
        if folder and not any(judge.places.kind(folder + "/x", cwd) for cwd in judge.cwds):
            return
    judge.add("dynamic", f"{by} writes {word.raw}, known at run time only", "a literal path under work/")


def read(judge: Judge, word: Word) -> None:
    """Judge a word that may name a file to be read: as it is, or behind `--option=`, `@` or `<`."""
    text = word.text
    if text is None:
        pattern = "".join(part.text for part in word.parts) if word.glob else ""
        if pattern and any(judge.places.could_be_secret(pattern, cwd) for cwd in judge.cwds):
            judge.add("peek", f"{pattern} reaches sealed data or the store", _PEEK)
        return
    for cwd in judge.cwds:
        if (text, cwd) not in judge.looked_at:
            judge.looked_at.add((text, cwd))
            _read_path(judge, text, cwd)


def _read_path(judge: Judge, text: str, cwd: str) -> None:
    for part in {text, text.rpartition("=")[2], text.lstrip("@<")}:
        kind = judge.places.secret(part, cwd) if part and (part[0] != "-" or "/" in part) else ""
        if kind == "peek":
            judge.add(kind, f"{text} is sealed data or the store", _PEEK)
        elif kind:
            judge.add(kind, text)


def _git(judge: Judge, words: list[Word], depth: int) -> None:
    from mlresearch.guard import vcs
    from mlresearch.guard.running import nested

    work = vcs.read(words)
    before = judge.cwds
    judge.cwds = [judge.places.full(work.folder, cwd) for cwd in judge.cwds] if work.folder else judge.cwds
    if work.unsafe:
        judge.add("dynamic", f"git {work.unsafe}")
    if work.shell:
        nested(judge, work.shell, "git", depth)
    if work.verb in ("apply", "am"):
        for word in work.paths:
            _patch_file(judge, word)
    elif work.all and any(_is_in_root(judge, cwd) for cwd in judge.cwds):
        judge.add(
            "write other", f"git {work.verb} rewrites files without naming them", "git restore FILE of an editable file"
        )
    for word in work.paths if work.verb not in ("apply", "am") else ():
        _write(judge, f"git {work.verb}", writes.Target(word, True))
    judge.cwds = before


def _is_in_root(judge: Judge, cwd: str) -> bool:
    root = judge.situation.root
    return (bool(root) and (cwd + "/").startswith(root + "/")) or (root + "/").startswith(cwd.rstrip("/") + "/")


def _patch(judge: Judge, command: Command, words: list[Word]) -> None:
    feeds = [redirect.target for redirect in command.redirects if redirect.op == "<"]
    feeds += [words[i + 1] for i, word in enumerate(words[:-1]) if word.text in ("-i", "--input")]
    if command.stdin is not None:
        _patched(judge, command.stdin)
    elif not feeds:
        judge.add("dynamic", "patch of an unknown text", "patch < FILE")
    for word in feeds:
        _patch_file(judge, word)


def _patch_file(judge: Judge, word: Word) -> None:
    text = judge.shelf.text(judge.places.full(word.text, judge.cwds[0])) if word.text else None
    if text is None:
        judge.add("dynamic", f"the patch {word.raw} can not be read")
    else:
        _patched(judge, text)


def _patched(judge: Judge, text: str) -> None:
    import re

    for path in re.findall(r"^(?:\+\+\+|---|rename to|rename from) (?:[abiw]/)?([^\t\n]+)", text, re.MULTILINE):
        if path.strip() != "/dev/null":
            _write(judge, "a patch", writes.Target(static(path.strip())))
