"""Programs that run a command once for each of many inputs: xargs, parallel, entr, find -exec, fd -x."""

from __future__ import annotations

from mlresearch.guard.getopt import read
from mlresearch.guard.inner import PLACE, Inner, filled, joined, texts
from mlresearch.guard.produce import consumed
from mlresearch.guard.words import Command, static, unknown

PARALLEL = ("jobs", "delay", "joblog", "results", "colsep", "delimiter", "arg-file", "arg-sep", "max-args",
            "max-procs", "retries", "timeout", "sshlogin", "sshloginfile", "tmpdir", "tempdir", "halt", "load",
            "memfree", "nice", "workdir", "env", "tagstring", "rpl", "basefile", "return", "block", "recstart",
            "recend", "replace", "max-lines", "max-chars")  # fmt: skip
MOST_ARGUMENTS = 20
MOST_ARGUMENTS = 20


def xargs(command: Command) -> list[Inner]:
    """xargs: the command with what it reads, unknown here, at its end or in place of the mark."""
    options = read(command.argv[1:], "adEILnPs", ("arg-file", "delimiter", "max-args", "max-procs", "max-chars",
                                                  "max-lines", "process-slot-var"))  # fmt: skip
    words = options.operands or [static("echo")]
    marks = [word.text or "" for word in options.values("-I", "--replace")]
    if options.has("-i", "--replace") and not marks:
        marks = ["{}"]
    if marks:
        return [Inner("xargs", argv=[filled(word, marks[-1]) for word in words])]
    return [Inner("xargs", argv=[*words, unknown("xargs input")])]


def parallel(command: Command) -> list[Inner]:
    """parallel: its template with every literal argument behind ``:::``, else with an unknown one."""
    options = read(command.argv[1:], "aCdEIJjLlNnPSsTU", PARALLEL)
    words = options.operands
    stop = next((at for at, word in enumerate(words) if (word.text or "").startswith(":::")), len(words))
    template = joined(words[:stop])
    given = [word.text for word in words[stop + 1 :]] if stop < len(words) and words[stop].text == ":::" else []
    known = [text for text in given if text is not None]
    if len(known) < len(given) or len(known) > MOST_ARGUMENTS or any(text[:3] == ":::" for text in known):
        known = []
    if not words[:stop]:
        lines = consumed(command) if stop == len(words) else known or None
        return texts("parallel", lines)
    if template.text is None:
        return [Inner("parallel", text=template)]
    return texts("parallel", [_replaced(template.text, f"'{text}'") for text in known or [f'"${{{PLACE}}}"']
                              if "'" not in text])  # fmt: skip


def _replaced(template: str, value: str) -> str:
    value = value.strip("'") if value.startswith("'\"$") else value
    found = template
    for mark in ("{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{%}", "{1}", "{2}", "{3}"):
        found = found.replace(mark, value)
    return found if found != template else f"{template} {value}"


def entr(command: Command) -> list[Inner]:
    options = read(command.argv[1:])
    words = [filled(word, "/_") for word in options.operands]
    if options.has("-s"):
        return [Inner("entr -s", text=joined(words))] if words else []
    return [Inner("entr", argv=words)] if words else []


def find(command: Command) -> list[Inner]:
    """find: each -exec up to ``;`` or ``+``."""
    return _executed(command, ("-exec", "-execdir", "-ok", "-okdir"))


def fd(command: Command) -> list[Inner]:
    return _executed(command, ("-x", "-X", "--exec", "--exec-batch"))


def _executed(command: Command, marks: tuple[str, ...]) -> list[Inner]:
    found: list[Inner] = []
    program = (command.argv[0].text or "").rsplit("/", 1)[-1]
    words = command.argv[1:]
    at = 0
    while at < len(words):
        at += 1
        if words[at - 1].text not in marks:
            continue
        stop = at
        while stop < len(words) and words[stop].text not in (";", "+"):
            stop += 1
        if stop > at:
            label = f"{program} {words[at - 1].text}"
            found.append(Inner(label, argv=[filled(word, "{}") for word in words[at:stop]]))
        at = stop
    return found
