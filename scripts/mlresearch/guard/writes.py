"""Which words of one command name files that it writes, moves or removes; the rules are data (`writers`, `git`).

Answers with words, never with paths: what a path means is the business of `paths`.
"""

from __future__ import annotations

from mlresearch.guard.table import table
from mlresearch.guard.words import static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mlresearch.guard.words import Command, Word

_WRITING = (">", ">>", ">|", "&>", "&>>", "<>", ">&")


class Target:
    """One word that names what is written. `whole` means that a folder goes with all it holds."""

    __slots__ = ("whole", "word")

    def __init__(self, word: Word, whole: bool = False) -> None:
        self.word, self.whole = word, whole


def redirected(command: Command) -> list[Target]:
    """The files that the command's redirects write."""
    found = []
    for redirect in command.redirects:
        text = redirect.target.text
        duplicates = redirect.op == ">&" and text is not None and (text.isdigit() or text == "-")
        if redirect.op in _WRITING and not duplicates:
            found.append(Target(redirect.target))
    return found


def targets(program: str, arguments: list[Word]) -> list[Target]:
    """The files that a program's own arguments make it write."""
    if program == "find":
        return _found(arguments)
    if program in ("tar", "bsdtar"):
        return _unpacked(arguments)
    rule = table()["writers"].get(program)
    return [] if rule is None else _by_rule(rule, arguments)


def _by_rule(rule: dict[str, Any], arguments: list[Word]) -> list[Target]:
    texts = [word.text or "" for word in arguments]
    if not _applies(rule, texts):
        return []
    words, outputs = _split(rule, arguments)
    skip = rule.get("skip", 0)
    if skip and any(text.split("=")[0] in rule.get("skip_unless", ()) for text in texts):
        skip = 0
    taken = _taken(rule["take"], words[skip:], outputs)
    if not taken and not outputs and "default" in rule:
        return [Target(static(rule["default"][0]), True)]
    whole = bool(rule.get("whole"))
    return [Target(word, whole) for word in [*taken, *outputs]]


def _applies(rule: dict[str, Any], texts: list[str]) -> bool:
    if any(text.split("=")[0] in rule.get("unless", ()) for text in texts):
        return False
    only = rule.get("only_with")
    if only is None:
        return True
    must = rule.get("must", [""])[0]
    if must == "inplace":
        return any("inplace" in text for text in texts)
    short = [name[1] for name in only if len(name) == 2]
    return any(_has_switch(text, only, short) and must in text for text in texts)


def _has_switch(text: str, only: list[str], short: list[str]) -> bool:
    """`-i`, `--in-place=.bak`, `-i.bak` and bundles such as `-ni` count alike."""
    if text.startswith("--"):
        return text.split("=")[0] in only
    return text.startswith("-") and any(letter in text[1:] for letter in short)


def _split(rule: dict[str, Any], arguments: list[Word]) -> tuple[list[Word], list[Word]]:
    """The plain words, and the values of options that name an output."""
    names = [*rule.get("outputs", ()), *rule.get("into", ())]
    values, prefix = rule.get("values", ()), rule.get("prefix", "")
    words: list[Word] = []
    outputs: list[Word] = []
    kept: list[Word] | None = None
    for word in arguments:
        text = word.text
        if kept is not None:
            kept.append(word)
            kept = None
        elif text is not None and prefix and text.startswith(prefix):
            outputs.append(static(text[len(prefix) :]))
        elif (
            text is not None
            and text.startswith("-")
            and len(text) > 1
            and not (rule.get("modes") and set(text[1:]) <= set("rwxXstugo,+-="))
        ):
            kept = outputs if text in names else [] if text in values else None
            outputs += [static(value) for value in _glued(text, names)]
        else:
            words.append(word)
    return words, outputs


def _glued(text: str, names: list[str]) -> list[str]:
    """The value of `--output=x` or `-ox`."""
    flag, equals, value = text.partition("=")
    if equals and flag in names:
        return [value]
    return [text[2:] for name in names if len(name) == 2 and text.startswith(name) and len(text) > 2]


def _taken(take: str, words: list[Word], outputs: list[Word]) -> list[Word]:
    if take == "all":
        return words
    if take == "first":
        return words[:1]
    if take == "last" and words and not outputs:
        return [*words[-1:], *_inside(words)]
    return _inside([*words, *outputs]) if take == "last" else []


def _inside(words: list[Word]) -> list[Word]:
    """`cp a/program.md .` writes ./program.md: each source's last name inside the destination."""
    if len(words) < 2 or words[-1].text is None:
        return []
    folder = words[-1].text
    names = [word.text.rstrip("/").rsplit("/", 1)[-1] for word in words[:-1] if word.text]
    return [static(folder + "/" + name) for name in names if name not in ("", ".", "..")]


def _found(arguments: list[Word]) -> list[Target]:
    """`find PLACE -delete` removes below PLACE; `-fprint FILE` writes FILE. What -exec runs is a command of its own."""
    texts = [word.text or "" for word in arguments]
    found = [Target(arguments[i + 1]) for i, text in enumerate(texts[:-1]) if text in ("-fprint", "-fprintf", "-fls")]
    if "-delete" in texts:
        starts = next((i for i, text in enumerate(texts) if text.startswith(("-", "(", "!"))), len(texts))
        found += [Target(word, True) for word in arguments[:starts] or [static(".")]]
    return found


def _unpacked(arguments: list[Word]) -> list[Target]:
    """tar writes where it extracts to, or the archive that it makes."""
    texts = [word.text or "" for word in arguments]
    mode = texts[0].lstrip("-") if texts and not texts[0].startswith("--") else ""
    if "x" in mode or "--extract" in texts or "--get" in texts or "-x" in texts:
        places = [arguments[i + 1] for i, text in enumerate(texts[:-1]) if text in ("-C", "--directory")]
        places += [static(text.split("=", 1)[1]) for text in texts if text.startswith("--directory=")]
        return [Target(word, True) for word in places or [static(".")]]
    names = [
        i + 1 for i, text in enumerate(texts[:-1]) if text == "--file" or _has_switch(text, ["-f"], ["f"]) or not i
    ]
    making = any(letter in mode for letter in "cru") or "--create" in texts
    return [Target(arguments[i]) for i in names[:1]] if making else []
