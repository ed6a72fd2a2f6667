"""What git runs besides itself: aliases, configured commands, bisect run, rebase --exec, submodule foreach."""

from __future__ import annotations

from mlresearch.guard.getopt import after, read
from mlresearch.guard.inner import Inner, joined
from mlresearch.guard.words import Command, Word, static

GIT_SHORT = "Cc"
GIT_LONG = ("git-dir", "work-tree", "namespace", "super-prefix", "config-env", "attr-source")
GIT_RUNS = ("editor", "pager", "sshcommand", "askpass", "cmd", "textconv", "clean", "smudge", "process", "command",
            "program", "external", "helper", "proxy")  # fmt: skip


def git(command: Command) -> list[Inner]:
    """git: commands in configuration, and the subcommands that run others."""
    options = read(command.argv[1:], GIT_SHORT, GIT_LONG)
    found: list[Inner] = []
    for setting in options.values("-c"):
        key, equals, value = (setting.text or "").partition("=")
        if equals:
            found += _setting(key, value)
    rest = options.operands[1:]
    program = options.operands[0].text if options.operands else None
    if program == "config":
        for key_word, word in zip(rest, rest[1:]):
            found += _setting(key_word.text or "", word.text or "")
    elif program in ("rebase", "filter-branch", "difftool"):
        found += _git_texts(program, rest)
    elif program == "bisect" and rest and rest[0].text == "run":
        found.append(Inner("git bisect run", argv=rest[1:]) if rest[1:] else Inner("git bisect run", argv=[]))
    elif program == "submodule":
        found += _foreach(rest)
    return [item for item in found if item.argv != []]


def _setting(key: str, value: str) -> list[Inner]:
    lower = key.lower()
    if lower.startswith("alias."):
        return [Inner("git alias", text=static(value[1:] if value.startswith("!") else f"git {value}"))]
    if lower.rsplit(".", 1)[-1] in GIT_RUNS and value and "." in lower:
        item = Inner(f"git {lower}", text=static(value.lstrip("!")))
        item.lenient = True
        return [item]
    return []


def _git_texts(program: str, words: list[Word]) -> list[Inner]:
    """The texts behind -x, --exec, --extcmd and the filters of filter-branch."""
    found: list[Inner] = []
    for index, word in enumerate(words):
        text = word.text or (word.parts[0].text if word.parts else "")
        name, equals, _ = text.partition("=")
        runs = name in ("-x", "--exec", "--extcmd") or (name.startswith("--") and name.endswith("-filter"))
        if runs and equals:
            found.append(Inner(f"git {program}", text=after(word, len(name) + 1)))
        elif runs:
            found += [Inner(f"git {program}", text=value) for value in words[index + 1 : index + 2]]
        elif text.startswith("-x"):
            found.append(Inner(f"git {program}", text=after(word, 2)))
    return found


def _foreach(words: list[Word]) -> list[Inner]:
    at = next((index for index, word in enumerate(words) if word.text == "foreach"), len(words))
    rest = read(words[at + 1 :]).operands
    return [Inner("git submodule foreach", text=joined(rest))] if rest else []
