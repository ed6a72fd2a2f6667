"""Checks of each Python file by itself: its size, its functions' sizes, who prints."""

from __future__ import annotations

import ast
from pathlib import Path

from repo_checks.inspection import Inspection

LONGEST_FUNCTION = 40
LONGEST_FILE = {"scripts": 300, "tests": 600}
# Besides `cli`: processes of their own, whose output is their whole purpose.
PRINTERS = ("cli.py", "cli/", "backends/runner.py", "guard/hook.py", "guard/context.py", "tasks/")


def sizes_are_small(look: Inspection) -> None:
    """No long file, no long function."""
    for folder, longest in LONGEST_FILE.items():
        for path in look.files(folder, suffix=".py"):
            text, where = path.read_text(), look.name(path)
            length = len(text.splitlines())
            look.expect(length <= longest, f"{where}: {length} lines, more than {longest}")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    look.expect(lines <= LONGEST_FUNCTION, f"{where}:{node.lineno}: {node.name}: {lines} lines")


def only_cli_prints(look: Inspection) -> None:
    """No print and no sys.stdout outside `cli` and the processes that own their output."""
    package = look.root / "scripts" / "mlresearch"
    for path in look.files("scripts/mlresearch", suffix=".py"):
        if not path.relative_to(package).as_posix().startswith(PRINTERS):
            look.expect(not _prints(path), f"{look.name(path)}:{_prints(path)}: only cli prints")


def _prints(path: Path) -> int:
    """The first line that writes to standard output; 0 when none does."""
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in ("stdout", "__stdout__") and _is_sys(node.value))
    ]
    return min(lines, default=0)


def _is_sys(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "sys"
