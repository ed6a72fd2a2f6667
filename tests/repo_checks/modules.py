"""Which module imports which: read from the source, nothing is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "mlresearch"


@dataclass(frozen=True)
class Import:
    """One imported name, absolute: `a.b.c` may be module `a.b` and its attribute `c`."""

    name: str
    line: int
    at_load: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_third_party(self) -> bool:
        return self.top not in sys.stdlib_module_names and self.top != PACKAGE


class _Reader(ast.NodeVisitor):
    def __init__(self, package: list[str]) -> None:
        self.package, self.found, self._depth = package, list[Import](), 0

    def visit_If(self, node: ast.If) -> None:
        """Skip what only a type checker reads."""
        only_for_types = "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", ""))
        for child in node.orelse if only_for_types else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._later(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._later(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.package[: len(self.package) - node.level + 1] if node.level else []
        for alias in node.names:
            self._add(".".join([*base, *([node.module] if node.module else []), alias.name]), node)

    def _later(self, node: ast.AST) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def _add(self, name: str, node: ast.stmt) -> None:
        self.found.append(Import(name, node.lineno, self._depth == 0))


def imports_of(path: Path, scripts: Path) -> list[Import]:
    """What the file imports, lazily or not; imports for type checkers only are left out."""
    reader = _Reader(list(path.parent.relative_to(scripts).parts))
    reader.visit(ast.parse(path.read_text()))
    return reader.found


def files_of(name: str, scripts: Path) -> Iterator[Path]:
    """The files of our package that importing `name` loads, packages on the way included."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        stem = scripts.joinpath(*parts[:end])
        yield from (f for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.is_file())


def reachable(entry: Path, scripts: Path) -> set[Path]:
    """The entry and every module of our package it may load at any time."""
    found, waiting = {entry}, [entry]
    while waiting:
        for name in (i.name for i in imports_of(waiting.pop(), scripts) if i.top == PACKAGE):
            new = set(files_of(name, scripts)) - found
            found |= new
            waiting += new
    return found


def part_of(name: str) -> str:
    """The first name below the package: `envelope` of mlresearch.envelope.Envelope; empty for none."""
    return [*name.split("."), ""][1]
