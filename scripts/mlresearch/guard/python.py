"""Judges Python that a command runs: its facts against the table, the protected places, and the modules beside it."""

from __future__ import annotations

import os

from mlresearch.guard import code, files
from mlresearch.guard.paths import TOLD
from mlresearch.guard.running import run
from mlresearch.guard.shelf import Source
from mlresearch.guard.words import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.judge import Judge

_INSTEAD = "jobs.py submit (--backend local for a smoke run)"


def judge_python(judge: Judge, source: Source, depth: int) -> None:
    """Add what the source would do to the judge's findings, its local imports included."""
    facts = code.read(source.text)
    local = _follow(judge, facts, source, depth)
    for kind, name in code.classes(facts, local):
        # a training script that pushes its model is the submit's business; only code in the call itself publishes
        pushes = kind in ("publish", "credential") and not source.inline
        judge.add("pushes" if pushes else kind, name, _INSTEAD)
    for path in facts.scripts:
        for found in files.script(path, judge.cwds[-1], judge.shelf):
            run(judge, found, depth + 1)
    if facts.dynamic and source.inline:
        judge.add("dynamic", facts.dynamic)
    for text in dict.fromkeys(facts.started):
        _command(judge, text, depth, only_known=not source.inline)
    if facts.modules & {"subprocess", "os", "pty", "asyncio", "pexpect", "sh"}:
        for text in {*facts.lists, *(text for text in facts.texts if " " in text)}:
            _command(judge, text, depth, only_known=True)
    _places(judge, facts, source)


def _command(judge: Judge, text: str, depth: int, only_known: bool) -> None:
    if len(text) > 20000 or not text.strip() or depth >= 3:
        return
    try:
        judge.text(text, judge.cwds[-1], depth + 1, only_known)
    except ReadError:
        if not only_known:
            judge.add("unreadable", f"the command {text[:80]!r} can not be read")


def _places(judge: Judge, facts: code.Facts, source: Source) -> None:
    cwd, places = judge.cwds[-1], judge.places
    for text in facts.texts:
        if len(text) > 1024 or "\n" in text or "\0" in text:
            continue
        if "ml-research/roots" in text or "share/ml-research" in text or places.secret(text, cwd) == "peek":
            judge.add("peek", f"{text} is sealed data or the store", "campaign.py finalize opens sealed data, once")
        kind = places.kind(text, cwd) if facts.writes_somewhere and text else ""
        if kind and kind != "other":
            judge.add("write " + kind, f"Python that writes names {text}: {TOLD[kind]}")
    for text in facts.written:
        kind = places.kind(text, cwd) if len(text) <= 1024 and "\n" not in text else ""
        if not kind and places.holds(text, cwd):
            kind = "whole"
        if kind and (source.inline or kind != "other"):
            judge.add("write " + kind, f"Python writes {text}: {TOLD[kind]}")


def _follow(judge: Judge, facts: code.Facts, source: Source, depth: int) -> set[str]:
    """Judge the modules that lie beside the source or in the call's folder; answers with their top names."""
    from mlresearch.guard.running import run
    from mlresearch.guard.shelf import Source

    local = set()
    folders = list(dict.fromkeys([source.folder or judge.cwds[-1], judge.cwds[-1]]))
    for module in sorted(facts.modules):
        parts = [part for part in module.split(".") if part]
        if not parts or not all(part.isidentifier() for part in parts):
            continue
        for folder in folders:
            stem = os.path.join(folder, *parts)
            for path in (stem + ".py", os.path.join(stem, "__init__.py")):
                if path in judge.shelf.seen:
                    local.add(parts[0])
                    continue
                text = judge.shelf.text(path)
                if text is not None:
                    local.add(parts[0])
                    run(judge, Source("python", text, path, folder=folder), depth + 1)
    return local
