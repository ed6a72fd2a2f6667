"""Whether one of our commands is all that a call does: the condition for `allow`, which must never approve a rider.

Two readings have to agree: the commands that were read, put together again, must give the call's own text; a comment, a
brace, `time` or a trailing `&` is then already too much.
"""

from __future__ import annotations

import os

from mlresearch.guard import ours
from mlresearch.guard.paths import is_under
from mlresearch.guard.scan import scan
from mlresearch.guard.unwrap import name
from mlresearch.guard.writes import redirected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.calls import Situation
    from mlresearch.guard.words import Command


def own_command(text: str, listed: list[Command], cwd: str, situation: Situation) -> ours.Own | None:
    """Our command, when it is all that the call does: `cd ROOT &&` before and `| tee FILE` after are let through."""
    written = scan(text)
    if _squeezed(text) != _rebuilt(written):
        return None  # a comment, a brace, `!`, `time` or anything else that is no word of these commands
    rest = [command for command in listed if not command.via]
    if len(rest) != len(written) or not all(_is_plain(command, cwd, situation) for command in rest):
        return None
    if len(rest) > 1 and rest[1].join == "&&" and _goes_home(rest[0], situation):
        cwd, rest = situation.root, rest[1:]
    if len(rest) == 2 and rest[1].join == "|" and _keeps(rest[1], cwd, situation):
        rest = rest[:1]
    if len(rest) != 1 or not rest[0].argv:
        return None
    own = ours.find([word.text for word in rest[0].argv], [cwd], situation)
    return own if own is not None and own.canonical else None


# variables that choose which code runs, which server is asked or where approvals are looked for
STEERING = (
    "ALL_PROXY", "CURL_CA_BUNDLE", "DYLD_", "HF_", "HOME", "HTTPS_PROXY", "HTTP_PROXY", "HUGGING", "LD_",
    "ML_RESEARCH_", "PATH", "PYTHON", "REQUESTS_CA_BUNDLE", "SSL_", "UV_", "VIRTUAL_ENV", "XDG_",
)  # fmt: skip


def steered(listed: list[Command]) -> str:
    """The variable that a call sets for one of our commands, and that would lead it astray; empty for none."""
    for command in listed:
        written = [word.raw.partition("=")[0] for word in command.argv if "=" in word.raw]
        for variable in [variable for variable, _ in command.assigns] + written:
            if variable.upper().startswith(STEERING) and variable.isidentifier():
                return variable
    return ""


def _rebuilt(written: list[Command]) -> str:
    parts = []
    for command in written:
        parts += [command.join, *(word.raw for word in command.argv)]
        parts += [redirect.fd + redirect.op + redirect.target.raw for redirect in command.redirects]
    return _squeezed("".join(parts))


def _is_plain(command: Command, cwd: str, situation: Situation) -> bool:
    """No assignment, no function, and no redirect but to work/, to /dev/null or between descriptors."""
    if command.context or command.assigns or command.arrays or command.function or command.defined:
        return False
    if any(redirect.op.startswith("<") for redirect in command.redirects):
        return False
    return all(_is_free(target.word.text, cwd, situation) for target in redirected(command))


def _is_free(text: str | None, cwd: str, situation: Situation) -> bool:
    work = (situation.root or os.path.realpath(cwd)) + "/work"
    return text == "/dev/null" or (text is not None and is_under(os.path.realpath(os.path.join(cwd, text)), work))


def _keeps(command: Command, cwd: str, situation: Situation) -> bool:
    """Whether it is `tee` into files under work/."""
    words = [word.text for word in command.argv[1:] if word.text not in ("-a", "--append")]
    return name(command) == "tee" and bool(words) and all(_is_free(word, cwd, situation) for word in words)


def _goes_home(command: Command, situation: Situation) -> bool:
    words = [word.text for word in command.argv]
    return bool(situation.root) and words in (["cd", situation.root], ["cd", situation.root + "/"])


def _squeezed(text: str) -> str:
    """A text without white space and line continuations, to compare what was written with what was read."""
    return "".join(text.replace("\\\n", "").split())
