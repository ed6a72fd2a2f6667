"""Wrappers that hand a text to a shell: bash -c, eval, ssh, watch, trap, at, tmux and their like."""

from __future__ import annotations

from mlresearch.guard.getopt import after, read
from mlresearch.guard.inner import Inner, joined, texts
from mlresearch.guard.produce import consumed, produced
from mlresearch.guard.scan import scan
from mlresearch.guard.words import Command, ReadError, Word, static

SSH = "BbcDEeFIiJLlmOopQRSWw"
KEYS = {"Enter": "\n", "C-m": "\n", "C-j": "\n", "KPEnter": "\n", "Space": " ", "Tab": "\t"}
TMUX_SHORT = {"popup": "bcdehsStTwxy", "display-popup": "bcdehsStTwxy", "run": "cdt", "run-shell": "cdt",
              "if": "t", "if-shell": "t"}  # fmt: skip
TMUX_RUNS = frozenset(("new", "new-session", "neww", "new-window", "splitw", "split-window", "respawnp",
                       "respawn-pane", "respawnw", "respawn-window", "run", "run-shell", "if", "if-shell", "popup",
                       "display-popup", "pipep", "pipe-pane"))  # fmt: skip


def label(command: Command) -> str:
    """The base name of the wrapper."""
    return (command.argv[0].text or "").rsplit("/", 1)[-1]


def shell(command: Command) -> list[Inner]:
    """A shell: the text behind -c, else its standard input; a script file is left to who reads files."""
    options = read(command.argv[1:], "oO", ("rcfile", "init-file"), "-+")
    operands = options.operands
    if options.has("-c") and operands:
        return [_with_arguments(Inner(f"{label(command)} -c", text=operands[0]), operands[2:])]
    if options.has("--command", "--init-command"):  # fish
        return [Inner(f"{label(command)} -c", text=word) for word in options.values("--command")]
    if operands and not options.has("-s"):
        return script(f"{label(command)} script", operands[0], command, operands[1:])
    return [_with_arguments(item, operands) for item in read_input(f"{label(command)} stdin", command)]


def read_input(called: str, command: Command) -> list[Inner]:
    """The standard input of a wrapper that takes it for commands; unknown parts of a here-document stay parts."""
    feed = command.feed
    if feed is None or not feed.op.startswith("<<") or feed.target.text is not None:
        return texts(called, consumed(command))
    item = Inner(called, text=feed.target)
    item.fed = True
    return [item]


def _with_arguments(item: Inner, words: list[Word]) -> Inner:
    item.positional = words
    return item


def script(called: str, word: Word, command: Command, arguments: list[Word]) -> list[Inner]:
    """A script operand: known here only when it is the standard input or ``<(echo ...)``."""
    if word.text in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "-"):
        return [_with_arguments(item, arguments) for item in read_input(called, command)]
    if word.text is not None or word.glob:
        return []
    found = process_output(word)
    return [_with_arguments(item, arguments) for item in texts(called, found)]


def process_output(word: Word) -> list[str] | None:
    """What ``<(...)`` prints when it prints a literal, else None."""
    if len(word.parts) != 1 or word.parts[0].kind != "process":
        return None
    try:
        listed = scan(word.parts[0].text)
    except ReadError:
        return None
    return produced(listed[0]) if len(listed) == 1 else None


def source(command: Command) -> list[Inner]:
    if len(command.argv) < 2:
        return []
    found = script(f"{label(command)} script", command.argv[1], command, command.argv[2:])
    for item in found:
        item.same = True
    return found


def evaluated(command: Command) -> list[Inner]:
    words = command.argv[2:] if command.argv[1:] and command.argv[1].text == "--" else command.argv[1:]
    if not words:
        return []
    item = Inner("eval", text=joined(words))
    item.same = True
    return [item]


def trap(command: Command) -> list[Inner]:
    words = command.argv[1:]
    if words and words[0].text == "--":
        words = words[1:]
    if len(words) < 2 or (words[0].text or "x").startswith("-") or words[0].text == "":
        return []
    item = Inner("trap", text=words[0])
    item.same = True
    return [item]


def switch_user(command: Command) -> list[Inner]:
    """su, runuser: -c takes a text; runuser -u runs words; without either a shell reads the input."""
    words = command.argv[1:]
    if words and words[0].text == "-":
        words = words[1:]
    options = read(words, "cCgGsTuw", ("command", "session-command", "group", "supp-group", "shell", "user"))
    found = options.values("-c", "-C", "--command", "--session-command")
    for index, word in enumerate(options.operands):
        if word.text in ("-c", "--command"):
            found += options.operands[index + 1 : index + 2]
        elif (word.text or "").startswith("--command="):
            found.append(after(word, len("--command=")))
    if found:
        return [Inner(f"{label(command)} -c", text=word) for word in found]
    if options.has("-u", "--user") and options.operands:
        return [Inner(label(command), argv=options.operands)]
    return read_input(f"{label(command)} stdin", command)


def ssh(command: Command) -> list[Inner]:
    """ssh: the words behind the host, joined; a proxy command given as an option runs here."""
    options = read(command.argv[1:], SSH)
    found: list[Inner] = []
    for value in options.values("-o"):
        key, equals, text = (value.text or "").partition("=")
        if equals and key.strip().lower() in ("proxycommand", "localcommand", "remotecommand"):
            found.append(Inner("ssh -o", text=static(text)))
    words = options.operands[1:]
    while words and (words[0].text or "").startswith("-") and len(words[0].text or "") > 1:
        words = read(words, SSH).operands
    if words:
        return [*found, Inner("ssh", text=joined(words))]
    fed = command.feed is not None or command.pipe_from is not None
    return found + (read_input("ssh stdin", command) if fed else [])


def watch(command: Command) -> list[Inner]:
    words = read(command.argv[1:], "nqs", ("interval", "equexit")).operands
    return [Inner("watch", text=joined(words))] if words else []


def scheduled(command: Command) -> list[Inner]:
    """at, batch: the text comes from the standard input; -f names a file that is not read here."""
    options = read(command.argv[1:], "fqt")
    if options.has("-l", "-r", "-d", "-c"):
        return []
    if options.has("-f"):
        return texts(f"{label(command)} file", None)
    return read_input(f"{label(command)} stdin", command)


def crontab(command: Command) -> list[Inner]:
    options = read(command.argv[1:], "u")
    if options.has("-l", "-r", "-e"):
        return []
    piped = not options.operands or options.operands[0].text == "-"
    found = consumed(command) if piped else None
    tables = None if found is None else ["\n".join(map(_job, text.splitlines())) for text in found]
    return texts("crontab", tables)


def _job(line: str) -> str:
    """The command of one crontab line; other lines give nothing."""
    line = line.strip()
    if not line or line.startswith("#"):
        return ""
    fields = line.split(None, 1 if line.startswith("@") else 5)
    return fields[-1] if len(fields) == (2 if line.startswith("@") else 6) else ""


def tmux(command: Command) -> list[Inner]:
    """tmux: what its windows run and what is typed into them; ``;`` words separate its own commands."""
    found: list[Inner] = []
    words = read(command.argv[1:], "fLSTc").operands
    while words:
        stop = next((index for index, word in enumerate(words) if (word.text or "").endswith(";")), len(words))
        one = words[:stop]
        if stop < len(words) and words[stop].text != ";":
            one = [*one, static((words[stop].text or "")[:-1])]
        found += _tmux(one)
        words = words[stop + 1 :]
    return found


def _tmux(words: list[Word]) -> list[Inner]:
    program = words[0].text if words else ""
    if program in ("send", "send-keys"):
        typed = read(words[1:], "cNt").operands
        pieces = [static(KEYS.get(word.text, "\n" if word.text.startswith("C-") else word.text))
                  if word.text is not None else word for word in typed]  # fmt: skip
        parts = [part for piece in pieces for part in piece.parts]
        return [_lenient(Inner("tmux send-keys", text=Word(joined(typed).raw, parts)))] if parts else []
    if program not in TMUX_RUNS:
        return []
    operands = read(words[1:], TMUX_SHORT.get(program, "ceFlnpstxy")).operands
    if program in ("if", "if-shell"):
        return [Inner("tmux", text=word) for word in operands[:1]]
    return [Inner("tmux", text=joined(operands))] if operands else []


def _lenient(item: Inner) -> Inner:
    item.lenient = True
    return item


def screen(command: Command) -> list[Inner]:
    options = read(command.argv[1:], "cehpsStT")
    operands = options.operands
    if options.has("-X"):
        return [_lenient(Inner("screen -X", text=joined(operands[1:])))] if operands[1:] else []
    return [Inner("screen", argv=operands)] if operands else []


def expect(command: Command) -> list[Inner]:
    """expect: what it spawns or sends, taken as shell text; its own words become phantom commands."""
    options = read(command.argv[1:], "c")
    found = [Inner("expect", text=word) for word in options.values("-c")]
    if not found and (not options.operands or options.operands[0].text == "-"):
        found = read_input("expect", command)
    for item in found:
        item.lenient = True
        if item.text is not None and item.text.text is not None:
            item.text = static(item.text.text.replace("spawn ", "\n").replace("send ", "\n"))
    return found


def recorded(command: Command) -> list[Inner]:
    """script: a text behind -c, or (BSD) the words behind the file."""
    options = read(command.argv[1:], "cIOBTmEo", ("command", "log-in", "log-out", "log-io", "log-timing"))
    found = [Inner("script -c", text=word) for word in options.values("-c", "--command")]
    for index, word in enumerate(options.operands):
        if word.text in ("-c", "--command"):
            found += [Inner("script -c", text=text) for text in options.operands[index + 1 : index + 2]]
    if not found and options.operands[1:]:
        found.append(Inner("script", argv=options.operands[1:]))
    return found


def locked(command: Command) -> list[Inner]:
    options = read(command.argv[1:], "wE", ("timeout", "wait", "conflict-exit-code"))
    words = options.operands[1:]
    if words and words[0].text in ("-c", "--command"):
        return [Inner("flock -c", text=word) for word in words[1:2]]
    return [Inner("flock", argv=words)] if words else []


def benchmark(command: Command) -> list[Inner]:
    options = read(command.argv[1:], "wmMrspcLDSnuP", ("warmup", "runs", "min-runs", "max-runs", "prepare", "setup",
                   "cleanup", "conclude", "parameter-list", "parameter-scan", "shell", "export-json",
                   "export-csv", "export-markdown", "command-name", "style", "time-unit"))  # fmt: skip
    hooks = options.values("-p", "-s", "-c", "--prepare", "--setup", "--cleanup", "--conclude")
    return [_lenient(Inner("hyperfine", text=word)) for word in [*hooks, *options.operands]]
