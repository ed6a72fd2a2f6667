"""Resolves what a line really runs: literal variables, functions, aliases and wrapper programs.

Most lines of a session hold nothing to resolve; they cost one scan. What the others need (reader.py and behind it
ten modules, 2 ms to import where the whole interpreter takes 6) is loaded when a line needs it.
"""

from __future__ import annotations

from mlresearch.guard.scan import scan
from mlresearch.guard.words import Command, Loop, Word

# Every name that wrappers.py, collect.py or reader.py reacts to; a test holds the two together.
ACTIVE = frozenset((
    ".", "alias", "ash", "at", "autossh", "aws-vault", "bash", "batch", "builtin", "bun", "bunx", "busybox",
    "caffeinate", "catchsegv", "chronic", "chroot", "chrt", "command", "conda", "cpulimit", "crontab", "dash",
    "dbus-run-session", "declare", "direnv", "doas", "docker", "docker-compose", "doppler", "dotenv", "entr",
    "env", "eval", "exec", "expect", "export", "fakeroot", "fd", "fdfind", "find", "firejail", "fish", "flock",
    "gdb", "getopts", "gfind", "gmake", "gtime", "gtimeout", "hatch", "hyperfine", "ifne", "ionice", "ksh",
    "kubectl", "let", "linux32", "linux64", "local", "ltrace", "make", "mamba", "mapfile", "micromamba", "mksh",
    "mosh", "nerdctl", "nice", "nocorrect", "noglob", "nohup", "npm", "npx", "nsenter", "numactl", "op",
    "parallel", "pdm", "perf", "pipenv", "pipx", "pixi", "pkexec", "pnpm", "podman", "poetry", "printf",
    "prlimit", "proot", "proxychains", "proxychains4", "rbash", "read", "readarray", "readonly", "rlwrap",
    "runuser", "rye", "screen", "script", "set", "setarch", "setpriv", "setsid", "sh", "shift", "source", "ssh",
    "stdbuf", "strace", "su", "sudo", "systemd-inhibit", "systemd-run", "taskset", "time", "timeout", "tmux",
    "torsocks", "toybox", "trap", "tsocks", "typeset", "unbuffer", "unset", "unshare", "uv", "uvx", "valgrind",
    "watch", "xargs", "xvfb-run", "yarn", "yash", "zsh",
))  # fmt: skip
GIT_ACTIVE = frozenset(("-c", "config", "rebase", "filter-branch", "difftool", "bisect", "submodule"))


def commands(text: str, known: dict[str, str] | None = None) -> list[Command]:
    """Every command the text could run: scan() + literal variables, braces, functions, aliases, wrappers unwrapped.

    known: values of environment variables the caller vouches for (such as CLAUDE_PLUGIN_ROOT), else dynamic.
    A wrapper is listed itself and followed by what it runs (via names the wrappers). An inner text that is only
    known at run time is listed as a command whose argv[0].text is None and whose via is set.
    Raises ReadError when the text, or a nested text, cannot be read, or expands without end.
    """
    listed = scan(text)
    if all(_plain(command, known or {}) for command in listed):
        return listed
    from mlresearch.guard.reader import resolve

    return resolve(listed, known)


def name(command: Command) -> str | None:
    """Base name of the program ("/usr/bin/hf" -> "hf", "./x.sh" stays), None when dynamic or argv is empty."""
    if not command.argv:
        return None
    text = command.argv[0].text
    if text is None or not text.startswith("/"):
        return text
    return text.rsplit("/", 1)[1]


def _plain(command: Command, known: dict[str, str]) -> bool:
    """True when there is nothing to resolve in a command and it runs nothing but itself."""
    if command.assigns or command.arrays or command.function is not None or isinstance(command, Loop):
        return False
    if not all(_settled(word, known) for word in command.argv):
        return False
    if not all(_settled(redirect.target, known) for redirect in command.redirects):
        return False
    program = command.argv[0].text if command.argv else None
    base = program.rsplit("/", 1)[-1] if program is not None else ""
    if base == "git":
        return not any(word.text in GIT_ACTIVE for word in command.argv)
    return base not in ACTIVE


def _settled(word: Word, known: dict[str, str]) -> bool:
    """True when no name set on the line could change the word, given that the line sets none."""
    if word.text is not None:
        return True
    for part in word.parts:
        if part.kind in ("command", "brace") or (part.kind == "variable" and part.text[:3] == "IFS"):
            return False
        if part.kind == "variable" and any(part.text.startswith(variable) for variable in known):
            return False
    return True
