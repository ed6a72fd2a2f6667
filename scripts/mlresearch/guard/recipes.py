"""Lists of commands in a form of their own (Makefiles, package scripts, notebooks), turned into sources."""

from __future__ import annotations

import os

from mlresearch.guard.shelf import Shelf, Source
from mlresearch.light_json import loads


def notebook(text: str) -> str:
    """The code cells of a notebook as one source; `!command` lines become calls of a shell."""
    try:
        cells = loads(text)["cells"]
        codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
    lines = ["import os"]
    for line in "\n".join(codes).split("\n"):
        bare = line.lstrip()
        if bare.startswith(("!", "%%bash", "%sh", "%%sh")):
            lines.append(line[: len(line) - len(bare)] + f"os.system({bare.lstrip('!')!r})")
        elif not bare.startswith("%"):
            lines.append(line)
    return "\n".join(lines)


def made(words: list[str | None], cwd: str, shelf: Shelf) -> list[Source]:
    """The recipes of the goals, and of what the goals need, as shell text."""
    folder, name, goals = cwd, "", []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-C", "--directory", "-f", "--file", "--makefile", "--justfile") and rest:
            value = rest.pop(0) or ""
            folder, name = (os.path.join(folder, value), name) if word in ("-C", "--directory") else (folder, value)
        elif word is None or (not word.startswith("-") and "=" not in word):
            goals.append(word or "")
    names = [name] if name else ["GNUmakefile", "makefile", "Makefile", "justfile", "Justfile"]
    for candidate in names:
        text = shelf.text(os.path.normpath(os.path.join(folder, candidate)))
        if text is not None:
            return [Source("shell", _recipes(text, goals), f"{candidate} {' '.join(goals)}".strip(), folder=folder)]
    return [Source("unknown", "", "make")] if shelf.full else []


def _recipes(text: str, goals: list[str]) -> str:
    import re

    rule_of = re.compile(r"^([^\s#:=][^:=]*)::?(?!=)([^=]*)$")
    recipes: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.replace("\\\n", " ").split("\n"):
        rule = rule_of.match(line)
        if line[:1] in "\t " and line.strip() and current:
            for name in current:
                recipes.setdefault(name, []).append(_plain(line))
        elif rule:
            current = rule[1].split()
            for name in current:
                recipes.setdefault(name, [])
                needs.setdefault(name, []).extend(rule[2].split(";")[0].split())
                recipes[name] += [_plain(part) for part in rule[2].split(";")[1:]]
    first = next((name for name in recipes if not name.startswith(".")), "")
    wanted, lines = [goal for goal in goals] or [first], []
    # $(shell ...) runs whatever the goal is
    lines += [_plain(found) for found in re.findall(r"\$\(shell ([^()]*)\)", text)]
    if "" in wanted or any("%" in name for name in recipes):
        wanted = list(recipes)
    for name in wanted:
        lines += recipes.get(name, [])
        wanted += [need for need in needs.get(name, []) if need not in wanted]
    return "\n".join(lines)


def _plain(line: str) -> str:
    """A recipe line as the shell gets it; make's own variables become unknown ones."""
    import re

    line = re.sub(r"\$[({]([A-Za-z_][A-Za-z0-9_]*)[)}]|\$[@<^*?%+]", "${_}", line.strip().lstrip("@-+"))
    return line.replace("$$", "$")


def package_script(words: list[str | None], cwd: str, shelf: Shelf) -> list[Source]:
    given = [word for word in words if word and not word.startswith("-")]
    named = given[1:2] if given[:1] in (["run"], ["run-script"]) else given[:1]
    text = shelf.text(os.path.join(cwd, "package.json"))
    if not named or text is None:
        return []
    try:
        scripts = loads(text)["scripts"]
        found = [scripts[prefix + named[0]] for prefix in ("pre", "", "post") if prefix + named[0] in scripts]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [Source("shell", str(line), f"package.json: {named[0]}", folder=cwd) for line in found]
