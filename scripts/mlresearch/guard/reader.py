"""Walks scanned commands: puts in what names stand for, and lists what functions, aliases and wrappers run.

It only reads. What is decided at run time stays a word whose text is None, never a guess.
"""

from __future__ import annotations

from mlresearch.guard.collect import collect, tail
from mlresearch.guard.fields import expand, extended, scalar
from mlresearch.guard.inner import Inner, readable
from mlresearch.guard.keywords import assignment
from mlresearch.guard.scan import DECLARING, scan
from mlresearch.guard.scope import Scope, called, preset, root, small
from mlresearch.guard.words import Command, Loop, ReadError, Redirect, Word, static, unknown
from mlresearch.guard.wrappers import COMMAND_VARIABLES, WRAPPERS

MOST_VARIANTS = 48
MOST_NESTED = 25
MOST_DERIVED = 20_000  # commands that are not written in the text itself: stops texts that multiply
MOST_WORDS = 50_000  # words put in for variables and arrays, for the same reason


def resolve(listed: list[Command], known: dict[str, str] | None) -> list[Command]:
    """The commands of a scanned text with their names resolved, each followed by what it runs in turn."""
    reader = _Reader()
    try:
        reader.walk(listed, called(root(known), None), ())
    except RecursionError:
        raise ReadError("nested too deeply") from None
    return reader.found


class _Reader:
    """Walks lists of commands and collects what they run."""

    def __init__(self) -> None:
        self.found: list[Command] = []
        self.derived = 0
        self.words = 0
        self.used: set[int] = set()  # ids of the function bodies read at a call

    def walk(self, listed: list[Command], scope: Scope, via: tuple[str, ...]) -> None:
        """Resolve and list the commands of one text or function body, then the functions nobody called."""
        chains = collect(listed, scope)
        resolved: dict[int, Command] = {}
        for index, command in enumerate(listed):
            if command.function == scope.function and not isinstance(command, Loop):
                scope.at, scope.run = index, chains[index]
                scope.looping = "loop" in tail(command)
                self.step(command, scope, via, resolved)
        for function, body in scope.functions.items():
            if id(body) not in self.used:
                self.call(function, body, None, scope, via)

    def step(self, command: Command, scope: Scope, via: tuple[str, ...], resolved: dict[int, Command]) -> None:
        """Resolve one command; resolved keeps what is known of the commands a later one may read from."""
        variants = _variants(command, scope)
        if command.pipe_from is not None:
            writer = resolved.get(id(command.pipe_from), command.pipe_from)
            for variant in variants:
                variant.pipe_from = writer
        if len(variants) > 1 or variants[0] is not command:
            resolved[id(command)] = variants[0] if len(variants) == 1 else Command()
            self.words += sum([len(variant.argv) for variant in variants]) - len(command.argv)
        for variant in variants:
            self.emit(variant, scope, via)
        _arguments(variants[0], scope)

    def emit(self, command: Command, scope: Scope, via: tuple[str, ...], inner: bool = False) -> None:
        """List a resolved command and everything it runs."""
        command.via = via
        self.found.append(command)
        self.count(via)
        if command.assigns or (command.argv and command.argv[0].text in DECLARING):
            self.variables(command, scope, via)
        program = command.argv[0].text if command.argv else None
        if program is None:
            return
        body = None if inner else scope.body(program)
        if body is not None:
            command.defined = scope.defines(program)
            self.call(program, body, command, scope, via)
        self.aliases(program, command, scope, via)
        unwrapper = WRAPPERS.get(program.rsplit("/", 1)[-1])
        for item in unwrapper(command) if unwrapper is not None else ():
            self.run(item, command, scope, via)

    def count(self, via: tuple[str, ...]) -> None:
        """Stop at texts that multiply or nest without end."""
        self.derived += bool(via)
        if self.derived > MOST_DERIVED or self.words > MOST_WORDS or len(via) > MOST_NESTED:
            raise ReadError("the text expands to too many commands or words")

    def variables(self, command: Command, scope: Scope, via: tuple[str, ...]) -> None:
        """Variables that hold commands (EDITOR, GIT_SSH_COMMAND) run them sooner or later."""
        assigned = command.assigns + [pair for pair in map(assignment, command.argv[1:]) if pair is not None]
        for variable, word in assigned:
            if variable in COMMAND_VARIABLES and word.text:
                item = Inner(variable, text=word)
                item.lenient = True
                self.run(item, Command(command.context, command.depth), scope, via)

    def call(self, function: str, body: list[Command], command: Command | None, scope: Scope,
             via: tuple[str, ...]) -> None:  # fmt: skip
        """List the body of a function, with the arguments of the call when there is one."""
        if id(body) in scope.calling:
            return
        self.used.add(id(body))
        inner = called(scope, None if command is None else command.argv[1:])
        inner.function = function
        inner.calling = (*scope.calling, id(body))
        preset(inner, command.assigns if command is not None else [])
        self.walk([_copy(part) for part in body], inner, (*via, f"{function}()") if command is not None else via)

    def aliases(self, program: str, command: Command, scope: Scope, via: tuple[str, ...]) -> None:
        values = scope.alias(program)
        if not values or f"alias {program}" in scope.calling:
            return
        for value in values:
            inner = called(scope, scope.positional)
            inner.calling = (*scope.calling, f"alias {program}")
            label = (*via, f"alias {program}")
            listed = scan(value) if value is not None else [Command(command.context)]
            if value is None:
                listed[0].argv = [unknown(program)]
            elif listed:
                listed[-1].argv += command.argv[1:]
            self.walk(listed, inner, label)

    def run(self, item: Inner, command: Command, scope: Scope, via: tuple[str, ...]) -> None:
        """List what a wrapper runs: words as they are, or a text as a shell would read it."""
        label = (*via, item.label)
        if item.argv is not None:
            inner = _copy(command)
            inner.argv, inner.depth = item.argv, command.depth + 1
            inner.assigns = [*command.assigns, *item.assigns]
            self.emit(inner, scope, label, inner=True)
        elif item.text is not None and item.text.text is not None:
            self.text(item.text.text, item, command, scope, label)
        elif item.text is not None:
            marker = _copy(command)
            marker.argv, marker.depth, marker.assigns = [unknown(item.text.raw)], command.depth + 1, []
            self.emit(marker, scope, label, inner=True)
            item.lenient = True
            self.text(readable(item.text), item, command, scope, label)

    def text(self, text: str, item: Inner, command: Command, scope: Scope, via: tuple[str, ...]) -> None:
        """List the commands of a nested text; they share the input of the wrapper unless they have their own."""
        self.count(via)
        try:
            listed = scan(text)
        except ReadError:
            if not item.lenient:
                raise
            listed = [Command(command.context)]
            listed[0].argv = [unknown(text)]
        feed = command.feed
        for inner in listed:
            inner.depth += command.depth + 1
            inner.context = command.context + inner.context
            if not (item.same or item.fed) and inner.feed is None and inner.pipe_from is None:
                inner.pipe_from = command.pipe_from
                inner.redirects += [feed] if feed is not None and inner.argv else []
        nested = called(scope, item.positional if item.positional is not None or not item.same else scope.positional,
                        child=not item.same)  # fmt: skip
        preset(nested, [*command.assigns, *item.assigns])
        self.walk(listed, nested, via)


def _copy(command: Command) -> Command:
    """A command of its own with the same words; a loop header stays as it is, since nothing changes it."""
    if isinstance(command, Loop):
        return command
    copy = Command(command.context, command.depth, command.function)
    copy.argv, copy.assigns, copy.arrays = command.argv, command.assigns, command.arrays
    copy.redirects, copy.join, copy.pipe_from = list(command.redirects), command.join, command.pipe_from
    return copy


def _arguments(command: Command, scope: Scope) -> None:
    """Follow ``set --`` and ``shift``, after which the arguments are others."""
    program = command.argv[0].text if command.argv else None
    if program not in ("set", "shift") or command.function != scope.function:
        return
    words = command.argv[1:]
    if tail(command) or command.join in ("&&", "||", "|"):
        scope.positional = None
    elif program == "set" and words and words[0].text == "--":
        scope.positional = words[1:]
    elif program == "shift" and scope.positional is not None:
        count = small(words[0].text or "") if words else 1
        scope.positional = scope.positional[count:] if count is not None else None


def _variants(command: Command, scope: Scope) -> list[Command]:
    """The command with its words resolved, once for every combination of values they can have."""
    if _literal(command):
        return [command]
    argvs: list[list[Word]] = [[]]
    for word in command.argv:
        readings = expand(word, scope)
        if len(readings) * len(argvs) > MOST_VARIANTS:
            readings = [[word]]
        argvs = extended(argvs, readings)
    variants: list[Command] = []
    redirects = [target for redirect in command.redirects for target in _targets(redirect, scope)]
    assigns = [(variable, value) for variable, word in command.assigns for value in _unsplit(word, scope)]
    for argv in argvs:
        variant = _copy(command)
        variant.argv, variant.assigns = argv, assigns
        variant.redirects = redirects
        variants.append(variant)
    return variants


def _literal(command: Command) -> bool:
    for word in command.argv:
        if word.text is None:
            return False
    return not (command.redirects or command.assigns) or (
        all(redirect.target.text is not None for redirect in command.redirects)
        and all(word.text is not None for _, word in command.assigns)
    )


def _targets(redirect: Redirect, scope: Scope) -> list[Redirect]:
    """The redirect once for every value its target can have."""
    word = redirect.target
    if word.text is not None:
        return [redirect]
    if redirect.op.startswith("<<"):
        words = _unsplit(word, scope)
    else:
        words = [fields[0] for fields in expand(word, scope) if len(fields) == 1] or [word]
    return [Redirect(redirect.op, value, redirect.fd) for value in words]


def _unsplit(word: Word, scope: Scope) -> list[Word]:
    """Every value of a word that is not split into fields; the word itself when they are unknown."""
    values = scalar(word, scope)
    return [static(value) for value in values] if values is not None else [word]
