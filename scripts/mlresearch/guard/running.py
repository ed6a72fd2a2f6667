"""What a command runs besides itself: code in the call, local scripts, recipes. Each is read and judged in its turn."""

from __future__ import annotations

import os

from mlresearch.guard import files
from mlresearch.guard.table import entry_of, table
from mlresearch.guard.words import Command, ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.judge import Judge
    from mlresearch.guard.shelf import Source

DEEPEST = 3
_NOTHING = ("absent", "seen")


def program(judge: Judge, head: str, name: str, texts: list[str | None], command: Command, depth: int) -> bool:
    """Judge what a program runs; True when the program itself is a local script, so that its name says nothing."""
    is_path = ("/" in head and "/bin/" not in head) or head.endswith((".py", ".sh"))
    is_script = False
    for cwd in judge.cwds:
        found = files.script(head, cwd, judge.shelf) if is_path else []
        is_script = is_script or any(source.language != "absent" for source in found)
        for source in found if is_script else files.sources(name, texts, command, cwd, judge.shelf):
            run(judge, source, depth)
    return is_script


def run(judge: Judge, source: Source, depth: int) -> None:
    """Judge code in the call or a local file."""
    if source.language in _NOTHING:
        return
    if depth >= DEEPEST or judge.shelf.full:
        judge.add("unreadable", f"{source.name} is too large or too deep to read")
    elif source.language == "unknown":
        judge.add("dynamic", source.name)
    elif source.language == "module":
        _module(judge, source.text)
    else:
        before = judge.in_file
        judge.in_file = before or ("" if source.inline else source.name)
        _text(judge, source, depth)
        judge.in_file = before


def _text(judge: Judge, source: Source, depth: int) -> None:
    if source.language == "shell":
        nested(judge, source.text, source.name, depth, source.folder)
    elif source.language == "strings":
        _strings(judge, source, depth)
    else:
        from mlresearch.guard.python import judge_python

        judge_python(judge, source, depth)


def _module(judge: Judge, module: str) -> None:
    """`python -m MODULE`: a program of the table under its module's name, a local module, or an unknown one."""
    if module.split(".")[0] in table()["python"]["own"]:
        judge.add("own", f"python -m {module}")
        return
    if module in table()["modules"]:
        judge.add("spend", f"python -m {module}", "jobs.py submit")
        return
    seen = {os.path.relpath(path, judge.cwds[-1]).split("/")[0].split(".")[0] for path in judge.shelf.seen}
    if module not in table()["python"]["ordinary_modules"] and module.split(".")[0] not in seen:
        judge.add("unknown", f"python -m {module} is not on the allow-list")


def nested(judge: Judge, text: str, label: str, depth: int, cwd: str = "") -> None:
    """Judge a shell text that stands inside something else."""
    try:
        judge.text(text, cwd or judge.cwds[-1], depth + 1)
    except ReadError as error:
        judge.add("unreadable", f"{label} can not be read as shell text: {error}")


def _strings(judge: Judge, source: Source, depth: int) -> None:
    """The strings of a program in another language, alone and as the words of one command."""
    import re

    pattern = r"'([^'\n]{1,2000})'|\"([^\"\n]{1,2000})\"|`([^`]{1,2000})`"
    texts = [next(filter(None, found), "") for found in re.findall(pattern, source.text)]
    for place, text in enumerate(texts):
        _string(judge, text, depth)
        if entry_of(text) is not None:
            judge.classed(text, list(texts[place + 1 : place + 5]))


def _string(judge: Judge, text: str, depth: int) -> None:
    """A string of a program in another language: judged as a command, but only what is known for certain counts."""
    if " " not in text and "/" not in text:
        return
    try:
        judge.text(text, judge.cwds[-1], depth + 1, only_known=True)
    except ReadError:
        return
