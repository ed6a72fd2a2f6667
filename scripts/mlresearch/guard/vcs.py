"""git: which of its commands change files of the work tree, and which files.

`table.json` holds the verbs. A verb that rewrites files without naming them counts as writing all of them.
"""

from __future__ import annotations

from mlresearch.guard.table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.words import Word

_VALUES = ("-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--super-prefix")
_OWN_VALUES = (
    "-b",
    "-B",
    "-s",
    "--source",
    "--pathspec-from-file",
    "-m",
    "--message",
    "-p0",
    "--directory",
    "--exclude",
    "-n",
)


class Work:
    """What a git command does to files: `paths` that it names, or `all`; `unsafe` is configuration that runs code."""

    __slots__ = ("all", "folder", "paths", "shell", "unsafe", "verb")

    def __init__(self) -> None:
        self.verb, self.folder, self.shell, self.unsafe = "", "", "", ""
        self.all = False
        self.paths: list[Word] = []


def read(words: list[Word]) -> Work:
    """What `git WORDS` does; an unknown verb is an alias or an extension and is left to the table."""
    work = Work()
    rest = list(words)
    while rest and (rest[0].text or "").startswith("-"):
        flag = rest.pop(0).text or ""
        takes = flag in _VALUES and rest
        value = rest.pop(0).text if takes else flag.partition("=")[2]
        if flag == "-C":
            work.folder = value or ""
        if flag == "-c":
            _configured(work, value)
        if flag.split("=")[0] in ("--git-dir", "--work-tree", "--exec-path") and (value or takes):
            work.unsafe = flag
    if not rest:
        return work
    work.verb = rest[0].text or ""
    _files(work, rest[1:])
    return work


def _configured(work: Work, setting: str | None) -> None:
    key, _, value = (setting or "").partition("=")
    unsafe: list[str] = table()["git"]["unsafe_config"]
    if setting is None or any(key.lower().startswith(name) for name in unsafe):
        work.unsafe = f"-c {key or 'with an unknown setting'}"
        work.shell = value.lstrip("!")


def _files(work: Work, words: list[Word]) -> None:
    rules = table()["git"]
    texts = [word.text for word in words]
    if work.verb in rules["frees"] or not work.verb:
        return
    harmless = rules["harmless"].get(work.verb, ())
    if any(text in harmless for text in texts):
        return
    if work.verb == "reset" and not any(text in ("--hard", "--merge", "--keep") for text in texts):
        return
    if work.verb in ("submodule", "bisect", "rebase"):
        work.shell = " ".join(word.raw for word in words[words_after(texts) :])
    named = _named(words) if work.verb in rules["by_path"] else []
    work.paths, work.all = named, not named


def words_after(texts: list[str | None]) -> int:
    """Where the command of `bisect run`, `submodule foreach` or `rebase -x` begins."""
    for place, text in enumerate(texts):
        if text in ("run", "foreach", "-x", "--exec"):
            return place + 1
    return len(texts)


def _named(words: list[Word]) -> list[Word]:
    """The paths a checkout, restore, rm or mv names: what follows `--`, else its plain words."""
    texts = [word.text for word in words]
    if "--" in texts:
        return words[texts.index("--") + 1 :]
    found = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.text is not None and word.text.startswith("-"):
            skip = word.text in _OWN_VALUES
        else:
            found.append(word)
    return found
