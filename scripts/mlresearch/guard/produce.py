"""What a command prints when that is known without running it: echo, printf and cat of literals."""

from __future__ import annotations

from mlresearch.guard.escapes import unescape
from mlresearch.guard.scan import scan
from mlresearch.guard.words import Command, ReadError

MOST_PIPED = 20


def produced(command: Command, hops: int = 0) -> list[str] | None:
    """The texts the command can write to its output, None when unknown.

    echo has two readings where a backslash is written: bash keeps it, dash and zsh interpret it.
    """
    words = [word.text for word in command.argv]
    texts = [text for text in words if text is not None]
    if not words or len(texts) < len(words) or hops > MOST_PIPED:
        return None
    program = texts[0].rsplit("/", 1)[-1]
    if program == "echo":
        return _echo(texts[1:])
    if program == "printf":
        return _printf(texts[1:])
    if program == "tee" or (program == "cat" and all(text in ("-", "-u") for text in texts[1:])):
        return consumed(command, hops + 1)
    return None


def consumed(command: Command, hops: int = 0) -> list[str] | None:
    """The texts the command can read on its standard input, None when unknown."""
    if command.feed is not None:
        return None if command.stdin is None else [command.stdin]
    return produced(command.pipe_from, hops) if command.pipe_from is not None else None


def _echo(texts: list[str]) -> list[str]:
    options = ""
    while texts and texts[0][:1] == "-" and texts[0][1:] and not texts[0][1:].strip("neE"):
        options += texts[0][1:]
        texts = texts[1:]
    line = " ".join(texts) + ("" if "n" in options else "\n")
    return [line] if "\\" not in line else [line, unescape(line)]


def _printf(texts: list[str]) -> list[str] | None:
    if texts[:1] == ["--"]:
        texts = texts[1:]
    if not texts or texts[0].startswith("-"):
        return None
    pieces = _directives(texts[0])
    if pieces is None:
        return None
    wanted = sum(kind != "" for kind, _ in pieces)
    given = texts[1:]
    printed: list[str] = []
    while True:
        for kind, literal in pieces:
            value = given.pop(0) if kind and given else ""
            printed.append(unescape(value) if kind == "b" else value if kind else literal)
        if not given or not wanted:
            return ["".join(printed)]


def _directives(form: str) -> list[tuple[str, str]] | None:
    """The format as (directive, literal text) pieces, None when it holds a directive other than s, b, d and %."""
    pieces: list[tuple[str, str]] = []
    for index, chunk in enumerate(form.replace("%%", "\0").split("%")):
        if index and chunk[:1] not in ("s", "b", "d"):
            return None
        if index:
            pieces.append((chunk[0], ""))
        pieces.append(("", unescape(chunk[1 if index else 0 :].replace("\0", "%"))))
    return pieces


def substituted(text: str) -> str | None:
    """What ``$(text)`` stands for when it only prints a literal, None when it does anything else."""
    if not text.lstrip().startswith(("echo ", "printf ", "cat <<", "cat<<")):
        return None
    try:
        commands = scan(text)
    except ReadError:
        return None
    if len(commands) != 1 or any(redirect.op not in ("<<", "<<-", "<<<") for redirect in commands[0].redirects):
        return None
    texts = produced(commands[0])
    return texts[0].rstrip("\n") if texts is not None and len(texts) == 1 else None
