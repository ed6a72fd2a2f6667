"""What one command runs besides itself: inline code, local scripts, make targets, package scripts, notebooks.

Reads through the reader it is given, bounded in bytes and number, and answers with source texts. It judges nothing.
"""

from __future__ import annotations

import os

from mlresearch.guard.shelf import Shelf, Source
from mlresearch.guard.table import is_python, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.words import Command

_SHELLS = ("bash", "sh", "zsh", "dash", "ksh", "ash", "source", ".", "fish")
_SCRIPTED = {
    "node": "-e --eval -p --print", "perl": "-e -E", "ruby": "-e", "php": "-r", "lua": "-e", "Rscript": "-e",
    "julia": "-e", "R": "-e", "deno": "", "bun": "", "tsx": "", "ts-node": "", "osascript": "-e", "expect": "-c",
}  # fmt: skip
_EDITORS = ("vim", "vi", "nvim", "view", "ex", "ed", "emacs")
_AWK = ("awk", "gawk", "mawk", "nawk")
_LAUNCHERS = (
    "torchrun", "accelerate", "deepspeed", "coverage", "kernprof", "py-spy", "scalene", "memray", "viztracer",
    "ipython", "ipython3", "streamlit", "pytest", "py.test", "papermill", "jupyter", "optuna", "cython",
)  # fmt: skip
_MAKERS = ("make", "gmake", "just")
_RUNNERS = ("npm", "pnpm", "yarn", "bun")
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def sources(program: str, words: list[str | None], command: Command, cwd: str, shelf: Shelf) -> list[Source]:
    """Everything that a program with these arguments runs. `words` are its arguments, None for dynamic ones."""
    if is_python(program):
        return _python(words, command, cwd, shelf)
    if program in _SHELLS:
        return _shell(words, command, cwd, shelf)
    if program in (*_MAKERS, *_RUNNERS):
        from mlresearch.guard import recipes

        return (recipes.package_script if program in _RUNNERS else recipes.made)(words, cwd, shelf)
    if program in _LAUNCHERS:
        return [source for word in words if word and _is_code(word) for source in _file(word, cwd, shelf)]
    if program in _SCRIPTED:
        return _scripted(program, words, cwd, shelf)
    return _coded(program, words)


def _coded(program: str, words: list[str | None]) -> list[Source]:
    """Code that stands in the arguments of a program whose business is another."""
    given = [word for word in words if word]
    if program in table()["options_run"]:
        return _optioned(words, table()["options_run"][program])
    if program in _EDITORS:
        return [Source("shell", word.split("!", 1)[1], program, True) for word in given if "!" in word]
    if program in _AWK:
        code = next((word for word in given if not word.startswith("-")), "")
        return [Source("strings", code, program, True)]
    return _sed(words) if program == "sed" else []


def _is_code(word: str) -> bool:
    return word.split("::")[0].endswith((".py", ".ipynb"))


def script(path: str, cwd: str, shelf: Shelf) -> list[Source]:
    """The source of a program that is named by its path."""
    return _file(path, cwd, shelf)


def _file(word: str, cwd: str, shelf: Shelf) -> list[Source]:
    path = os.path.normpath(os.path.join(cwd, word.split("::")[0]))
    if path in shelf.seen:
        return [Source("seen", "", word)]
    text = shelf.text(path)
    if text is None:
        entry = os.path.join(path, "__main__.py")
        inner = shelf.text(entry)
        if inner is not None:
            return [Source("python", inner, entry, folder=path)]
        known = path in shelf.written or shelf.full
        return [Source("unknown", "", word)] if known else [Source("absent", "", word)]
    return [Source(_language(path, text), _body(path, text), word, folder=os.path.dirname(path))]


def _language(path: str, text: str) -> str:
    first = text[:120].split("\n", 1)[0] if text.startswith("#!") else ""
    if path.endswith((".py", ".pyw", ".ipynb")) or "python" in first or "uv run" in first:
        return "python"
    if path.endswith((".sh", ".bash", ".zsh")) or any(word.endswith("sh") for word in first.replace("/", " ").split()):
        return "shell"
    if "\0" in text[:1024]:
        return "unknown"
    # a script without a first line of its own is read by the shell that starts it
    return (
        "strings"
        if first or path.endswith((".js", ".ts", ".mjs", ".rb", ".pl", ".php", ".lua", ".jl", ".r", ".R"))
        else "shell"
    )


def _body(path: str, text: str) -> str:
    if not path.endswith(".ipynb"):
        return text
    from mlresearch.guard import recipes

    return recipes.notebook(text)


def _python(words: list[str | None], command: Command, cwd: str, shelf: Shelf) -> list[Source]:
    """What python runs: `-c` text, a `-m` module, a script, or what it reads from its input."""
    for place, word in enumerate(words):
        if place and words[place - 1] in _WITH_VALUE:
            continue
        if word is None:
            return [Source("unknown", "", "python with an unknown script")]
        if word == "-":
            break
        if not word.startswith("-"):
            return _file(word, cwd, shelf)
        letter = next((letter for letter in word[1:] if letter in "cmWX-"), "")
        after = [word.partition(letter)[2]] if letter and not word.endswith(letter) else []
        if letter in ("c", "m"):
            given = [*after, *words[place + 1 :]]
            return _inline(given[0] if given else "") if letter == "c" else _module(given, cwd, shelf)
        if word in ("--help", "--version"):
            return []
    return _stdin(command, cwd, shelf)


def _inline(text: str | None) -> list[Source]:
    return (
        [Source("unknown", "", "python -c with unknown text")] if text is None else [Source("python", text, "-c", True)]
    )


def _module(words: list[str | None], cwd: str, shelf: Shelf) -> list[Source]:
    name, rest = (words[0], words[1:]) if words else (None, [])
    if not name:
        return [Source("unknown", "", "python -m with an unknown module")]
    found = [Source("module", name, name)]
    for tail in (".py", "/__main__.py", "/__init__.py"):
        path = os.path.join(cwd, name.replace(".", "/") + tail)
        text = shelf.text(path)
        if text is not None:
            found.append(Source("python", text, path, folder=cwd))
    return found + [source for word in rest if word and _is_code(word) for source in _file(word, cwd, shelf)]


def _stdin(command: Command, cwd: str, shelf: Shelf) -> list[Source]:
    """What an interpreter without a script reads: a here-document, a file, or another command's output."""
    if command.stdin is not None:
        return [Source("python", command.stdin, "stdin", True)]
    feed = command.feed
    if feed is not None:
        name = feed.target.text if feed.op == "<" else None
        return _file(name, cwd, shelf) if name else [Source("unknown", "", "python reading unknown text")]
    if command.pipe_from is None:
        return []
    return _piped(command.pipe_from, cwd, shelf)


def _piped(before: Command, cwd: str, shelf: Shelf) -> list[Source]:
    words = [word.text for word in before.argv]
    if words and words[0] in ("echo", "printf") and None not in words:
        return [Source("python", " ".join(word or "" for word in words[1:]), "stdin", True)]
    if words and words[0] == "cat" and len(words) == 1 and before.stdin is not None:
        return [Source("python", before.stdin, "stdin", True)]
    if words and words[0] == "cat" and None not in words[1:] and len(words) > 1:
        return [source for word in words[1:] if word for source in _file(word, cwd, shelf)]
    return [Source("unknown", "", "python reading another command's output")]


def _shell(words: list[str | None], command: Command, cwd: str, shelf: Shelf) -> list[Source]:
    """The file that a shell runs; `-c` and here-documents are the shell reader's."""
    for word in words:
        if word is None:
            return [Source("unknown", "", "a shell with an unknown script")]
        if word.startswith("-") and not word.startswith("--") and "c" in word:
            return []
        if not word.startswith(("-", "+")):
            return _as_shell(_file(word, cwd, shelf))
    feed, before = command.feed, command.pipe_from
    if feed is not None:
        return _as_shell(_file(feed.target.text, cwd, shelf)) if feed.op == "<" and feed.target.text else []
    words = [word.text for word in before.argv] if before is not None else []
    return _as_shell([s for word in words[1:] if word for s in _file(word, cwd, shelf)]) if words[:1] == ["cat"] else []


def _as_shell(found: list[Source]) -> list[Source]:
    return [Source("shell" if s.language == "strings" else s.language, s.text, s.name, folder=s.folder) for s in found]


def _optioned(words: list[str | None], names: list[str]) -> list[Source]:
    """The commands in options such as tar's `--to-command=...`."""
    found = []
    for place, word in enumerate(words):
        flag, equals, value = (word or "").partition("=")
        if flag in names:
            text = value if equals else words[place + 1] if place + 1 < len(words) else ""
            found.append(Source("shell", (text or "").removeprefix("exec="), flag, True))
    return found


def _sed(words: list[str | None]) -> list[Source]:
    """GNU sed's `e` runs a command: `1e ls`, `/x/e ls`, and as a flag, `s/x/ls/e`, what the line then holds."""
    found = []
    for part in "\n".join(word for word in words if word).replace(";", "\n").split("\n"):
        command = part.lstrip("0123456789,$!{ ")
        command = command.rpartition("/")[2] if command.startswith("/") else command
        if command.startswith("e "):
            found.append(Source("shell", command[2:], "sed", True))
        elif part.startswith("s") and len(part) > 3 and "e" in part.rpartition(part[1])[2] and part.count(part[1]) >= 3:
            found.append(Source("unknown", "", "sed that runs what a line holds"))
    return found


def _scripted(program: str, words: list[str | None], cwd: str, shelf: Shelf) -> list[Source]:
    flags = _SCRIPTED[program].split()
    found = [Source("strings", words[i + 1] or "", program, True) for i, word in enumerate(words[:-1]) if word in flags]
    if found:
        return found
    name = next((word for word in words if word and not word.startswith("-") and word not in ("run", "test")), "")
    return (
        [Source("strings", s.text, s.name) for s in _file(name, cwd, shelf) if s.language not in ("absent", "unknown")]
        if name
        else []
    )
