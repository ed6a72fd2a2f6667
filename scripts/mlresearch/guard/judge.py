"""Everything in a shell text that somebody must know of: a list of findings, nothing decided.

Walks the commands that the shell reader gives, follows `cd`, and looks each command up in the table. What a command
writes and reads is judged in `effects`, what it runs in `running`.
"""

from __future__ import annotations

import os

from mlresearch.guard import effects
from mlresearch.guard.calls import Finding
from mlresearch.guard.paths import Places
from mlresearch.guard.shelf import Shelf
from mlresearch.guard.table import class_of, entry_of, is_ordinary, is_python, runs_files, table
from mlresearch.guard.unwrap import commands, name
from mlresearch.guard.words import Command, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.calls import Situation

_HARMLESS = ("", "read", "local", "unknown")
_DOUBTS = ("dynamic", "unknown", "unreadable", "write other", "form spend", "form read")
_FETCHERS = ("uvx", "npx", "pipx", "bunx", "pnpm", "npm", "yarn", "bun", "uv")
_TOP = "git rev-parse --show-toplevel"
_MOST_FOLDERS = 4
_MOST_SUFFIXES = 20


class Judge:
    """The findings of one call; `shelf` bounds what is read, `cwds` are the folders the next command may run in."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.places = Places(situation)
        self.shelf = Shelf(situation.outside.read)
        self.found: list[Finding] = []
        self.cwds: list[str] = [situation.root or "/"]
        self.scratch: set[str] = set()
        self.looked_at: set[tuple[str, str]] = set()
        self.in_file = ""
        self.has_own = False

    def add(self, kind: str, what: str, instead: str = "") -> None:
        where = f" (in {self.in_file})" if self.in_file else ""
        self.found.append(Finding(kind, what[:200] + where, instead))

    def text(self, text: str, cwd: str, depth: int = 0, only_known: bool = False) -> None:
        """Judge a shell text; raises ReadError when it cannot be read. `only_known` leaves out mere doubts."""
        self.all(commands(text, self.situation.known()), cwd, depth, only_known)

    def all(self, listed: list[Command], cwd: str, depth: int = 0, only_known: bool = False) -> None:
        """Judge commands in their order."""
        before, self.cwds = self.cwds, [cwd]
        kept = len(self.found)
        moved: list[str] | None = None
        for command in listed:
            if moved is not None:
                # after `cd x;` the folder is x or, when there is no x, the old one
                self.cwds = moved if command.join == "&&" else list(dict.fromkeys([*self.cwds, *moved]))[:_MOST_FOLDERS]
            moved = self._moved(command)
            self.command(command, depth)
        self.cwds = before
        if only_known:
            self.found[kept:] = [found for found in self.found[kept:] if found.kind not in _DOUBTS]

    def _moved(self, command: Command) -> list[str] | None:
        """The folders that a `cd` may lead to, None for any other command."""
        if name(command) not in ("cd", "pushd"):
            return None
        words = [word for word in command.argv[1:] if not (word.text or "").startswith("-")]
        if not words:
            return [self.situation.home or "/"]
        text = words[0].text
        if text is None:
            is_top = any(part.kind == "command" and part.text.strip() == _TOP for part in words[0].parts)
            return [self.situation.root] if is_top and self.situation.root else self.cwds
        return [self.places.full(text, cwd) for cwd in self.cwds]

    def command(self, command: Command, depth: int) -> None:
        """Judge one simple command."""
        effects.redirects(self, command)
        if not command.argv:
            effects.assigned(self, command)
            return
        head = command.argv[0].text
        if head is None:
            self.add("dynamic", f"the program {command.argv[0].raw!r} is known at run time only")
            return
        for word in command.argv[1:]:
            effects.read(self, word)
        if not command.defined:
            self._program(head, command.argv[1:], command, depth)

    def _program(self, head: str, words: list[Word], command: Command, depth: int) -> None:
        texts = [word.text for word in words]
        if self._is_own([head, *texts]):
            return
        program = self._name(head, command)
        self.classed(program, texts)
        effects.program(self, program, words, command, depth)
        is_script = self._runs(head, program, texts, command, depth)
        if not is_script and not self._is_known(program):
            self.add("unknown", f"the program {head!r} is not on the allow-list")
            self._suffixes(texts)

    def _is_own(self, words: list[str | None]) -> bool:
        """Judge one of our own commands. Imported only where one is named: surface and options cost 2 ms."""
        scripts: list[str] = table()["own_scripts"]
        if not any(word is not None and os.path.basename(word) in scripts for word in words):
            return False
        from mlresearch.guard import ours

        own = ours.find(words, self.cwds, self.situation)
        if own is not None:
            self.has_own = True
            self.found += ours.findings(own)
        return own is not None

    def _runs(self, head: str, program: str, texts: list[str | None], command: Command, depth: int) -> bool:
        """Judge requests that the command sends and code that it runs; True when the program is a local script."""
        if program in table()["rest"]["clients"]:
            from mlresearch.guard import net

            self.found += net.findings(program, texts)
        if "/" not in head and not head.endswith((".py", ".sh")) and not runs_files(program):
            return False
        from mlresearch.guard import running

        return running.program(self, head, program, texts, command, depth)

    def _name(self, head: str, command: Command) -> str:
        """The program's name; what a runner fetches by its package's name is judged under its program's."""
        is_fetched = bool(command.via) and command.via[-1].split(" ")[0] in _FETCHERS
        packages: dict[str, str] = table()["packages"] if is_fetched else {}
        return packages.get(head.split("==")[0], os.path.basename(head))

    def classed(self, program: str, texts: list[str | None]) -> None:
        """Judge a program's words by the table."""
        kind = class_of(program, texts)
        entry = entry_of(program) or {}
        if kind == "unknown" and program not in self._extended():
            self.add("unknown", f"{program} {texts[0] if texts else ''}")
        if kind not in _HARMLESS:
            line = " ".join([program, *(text or "…" for text in texts[:4])])
            self.add(kind, line, entry.get("instead", ""))

    def _is_known(self, program: str) -> bool:
        if is_ordinary(program) or entry_of(program) is not None or is_python(program):
            return True
        return program in self._extended()

    def _extended(self) -> tuple[str, ...]:
        """Programs that the person added to the allow-list at approval."""
        return self.situation.seal.envelope.programs if self.situation.seal is not None else ()

    def _suffixes(self, texts: list[str | None]) -> None:
        """A program that nobody knows may run the rest of its line."""
        for place, text in enumerate(texts[:_MOST_SUFFIXES]):
            if text is not None and entry_of(os.path.basename(text)) is not None:
                self.classed(os.path.basename(text), texts[place + 1 :])
