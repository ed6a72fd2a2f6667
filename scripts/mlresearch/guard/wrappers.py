"""The table of wrapper programs: for each, what it runs. It decides nothing about any of them."""

from __future__ import annotations

from mlresearch.guard import gitruns, repeats, shells
from mlresearch.guard.getopt import after, read
from mlresearch.guard.inner import Inner, joined
from mlresearch.guard.prefixes import GLOBAL, PREFIXES, Row
from mlresearch.guard.words import Command, Word, static

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND_VARIABLES = frozenset(("BROWSER", "EDITOR", "GIT_ASKPASS", "GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_PAGER",
                               "GIT_SEQUENCE_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND", "LESSOPEN", "MANPAGER",
                               "ML_RESEARCH_NOTIFY", "PAGER", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4",
                               "SSH_ASKPASS", "SUDO_ASKPASS", "VISUAL"))  # fmt: skip


def prefixed(command: Command) -> list[Inner]:
    """A program that runs the rest of its command line (table PREFIXES)."""
    program = shells.label(command)
    for row in PREFIXES[program]:
        words = _lead(program, command.argv[1:], row[0])
        if words is not None:
            return _rest(program, words, row)
    return []


def _lead(program: str, words: list[Word], lead: tuple[str, ...]) -> list[Word] | None:
    """The words behind the leading subcommands ("uv tool run"), None when they are others."""
    known = GLOBAL.get(program, ("", ()))
    for word in lead:
        operands = read(words, *known).operands
        if not operands or operands[0].text != word:
            return None
        words = operands[1:]
        known = GLOBAL.get(word, known)
    return words


def _rest(program: str, words: list[Word], row: Row) -> list[Inner]:
    lead, short, longs, skip = row
    options = read(words, short, longs)
    name = " ".join((program, *lead))
    found = [Inner(name, text=word) for word in options.values("--call")]
    rest = options.operands[skip:]
    entry = options.values("--entrypoint")
    if entry:
        return [Inner(name, argv=[entry[-1], *rest])]
    if rest and rest[0].text == "--":
        rest = rest[1:]
    return [*found, Inner(name, argv=rest)] if rest else found


def environment(command: Command) -> list[Inner]:
    """env: assignments, then a command; -S holds a whole text."""
    options = read(command.argv[1:], "uCS", ("unset", "chdir", "split-string"))
    words, assigns = _assigned(options.operands)
    while words and (words[0].text or "")[:1] == "-":  # an option behind an assignment: some env read on
        rest, more = _assigned(read(words, "uCS", ("unset", "chdir", "split-string")).operands)
        words, assigns = rest, assigns + more
    found = []
    for text in options.values("-S", "--split-string"):
        found.append(Inner("env -S", text=joined([text, *options.operands])))
    if words and not found:
        found.append(Inner("env", argv=words))
    for item in found:
        item.assigns = assigns
    return found


def _assigned(words: list[Word]) -> tuple[list[Word], list[tuple[str, Word]]]:
    """Split leading ``NAME=value`` words (and a lone "-") from the command behind them."""
    assigns: list[tuple[str, Word]] = []
    at = 0
    while at < len(words):
        lead = words[at].parts[0].text if words[at].parts and words[at].parts[0].kind == "text" else ""
        name, equals, _ = (words[at].text or lead).partition("=")
        if words[at].text != "-":
            if not equals or "/" in name:
                break
            assigns.append((name, after(words[at], len(name) + 1) if lead.find("=") >= 0 else words[at]))
        at += 1
    return words[at:], assigns


def privileged(command: Command) -> list[Inner]:
    """sudo, doas: like any prefix, with assignments before the command; -s and -i without one read the input."""
    _, short, longs, _ = PREFIXES[shells.label(command)][0]
    options = read(command.argv[1:], short, longs)
    words, assigns = _assigned(options.operands)
    if not words:
        reads = options.has("-s", "-i", "--shell", "--login")
        return shells.read_input(f"{shells.label(command)} stdin", command) if reads else []
    item = Inner(shells.label(command), argv=words)
    item.assigns = assigns
    return [item]


def looked_up(command: Command) -> list[Inner]:
    """command: ``-v`` and ``-V`` only look a name up."""
    options = read(command.argv[1:])
    return [] if options.has("-v", "-V") or not options.operands else [Inner("command", argv=options.operands)]


def make(command: Command) -> list[Inner]:
    """make: a SHELL given on the command line runs every recipe line."""
    shell = [after(word, 6) for word in command.argv[1:] if (word.text or "").startswith("SHELL=")]
    return [Inner("make SHELL", argv=[word]) for word in shell]


def uv(command: Command) -> list[Inner]:
    """uv run -m names a module, not a program."""
    found = prefixed(command)
    if not found or found[0].label != "uv run" or found[0].argv is None:
        return found
    own = command.argv[1 : len(command.argv) - len(found[0].argv)]
    if any(word.text in ("-m", "--module") for word in own):
        found[0].argv = [static("python"), static("-m"), *found[0].argv]
    return found


def tool(command: Command) -> list[Inner]:
    """uvx, pipx run, npx: the tool may carry a version (``hf@1.2``); npx -c holds a text."""
    found = prefixed(command)
    for word in read(command.argv[1:], "cpw", ("call", "package", "workspace")).values("-c"):
        if shells.label(command) == "npx":
            found = [Inner("npx -c", text=word)]
    for item in found:
        head = item.argv[0].text if item.argv else None
        if item.argv and head and "@" in head[1:]:
            item.argv = [static(head[: head.index("@", 1)]), *item.argv[1:]]
    return found


def hatch(command: Command) -> list[Inner]:
    """hatch run ENVIRONMENT:command."""
    found = prefixed(command)
    for item in found:
        head = item.argv[0].text if item.argv else None
        if item.argv and head and ":" in head:
            item.argv = [static(head.split(":", 1)[1]), *item.argv[1:]]
    return found


def cluster(command: Command) -> list[Inner]:
    """kubectl exec POD -- command."""
    if _lead("kubectl", command.argv[1:], ("exec",)) is None:
        return []
    at = next((index for index, word in enumerate(command.argv) if word.text == "--"), len(command.argv))
    rest = command.argv[at + 1 :]
    return [Inner("kubectl exec", argv=rest)] if rest else []


def debugger(command: Command) -> list[Inner]:
    options = read(command.argv[1:], "xpcd", ("command", "pid", "core", "directory", "eval-command"))
    return [Inner("gdb", argv=options.operands)] if options.operands else []


WRAPPERS: dict[str, Callable[[Command], list[Inner]]] = {
    **dict.fromkeys(PREFIXES, prefixed),
    **dict.fromkeys(("bash", "sh", "dash", "zsh", "ksh", "mksh", "ash", "fish", "rbash", "yash"), shells.shell),
    **dict.fromkeys((".", "source"), shells.source),
    **dict.fromkeys(("su", "runuser"), shells.switch_user),
    **dict.fromkeys(("ssh", "autossh", "mosh"), shells.ssh),
    **dict.fromkeys(("at", "batch"), shells.scheduled),
    **dict.fromkeys(("sudo", "doas"), privileged),
    **dict.fromkeys(("find", "gfind"), repeats.find),
    **dict.fromkeys(("fd", "fdfind"), repeats.fd),
    **dict.fromkeys(("make", "gmake"), make),
    **dict.fromkeys(("uvx", "pipx", "npx", "bunx", "pnpm", "npm", "yarn", "bun"), tool),
    "eval": shells.evaluated, "trap": shells.trap, "watch": shells.watch, "crontab": shells.crontab,
    "tmux": shells.tmux, "screen": shells.screen, "expect": shells.expect, "script": shells.recorded,
    "flock": shells.locked, "hyperfine": shells.benchmark, "env": environment, "command": looked_up,
    "xargs": repeats.xargs, "parallel": repeats.parallel, "entr": repeats.entr,
    "git": gitruns.git, "uv": uv, "hatch": hatch,
    "kubectl": cluster, "gdb": debugger,
}  # fmt: skip
