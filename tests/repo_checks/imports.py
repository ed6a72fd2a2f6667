"""Checks of who may import what: direction, purity, the hook's path, declared dependencies."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from repo_checks.inspection import Inspection
from repo_checks.modules import PACKAGE, Import, files_of, imports_of, part_of, reachable

# Each may import its own row and the rows above it.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset(
        {
            "schema",
            "durations",
            "money",
            "text",
            "store",
            "presence",
            "options",
            "surface",
            "lookups",
            "strict_yaml",
            "redact",
            "light_json",
            "light_hash",
            "data_rules",
        }
    ),
    frozenset(
        {"jobs", "backends", "sources", "ledger", "program", "envelope", "stats", "gates"}
        | {"inspection", "invariant", "metrics", "monitoring", "sampler", "script_facts", "seal", "standing"}
        | {"arguments", "model_facts", "placeholders", "tracking"}
    ),
    frozenset({"guard", "campaign", "broker", "pipeline", "report", "tasks"}),
    frozenset({"cli"}),
)
LEVEL = {name: level for level, row in enumerate(LAYERS) for name in row}

# Functions of their arguments alone, with all they reach: no clock, no files, no network.
PURE = ("envelope", "guard/decide", "invariant", "stats")
PURE_IMPORTS = {
    "__future__",
    "_ast",
    "_json",
    "ast",
    "collections",
    "dataclasses",
    "enum",
    "fnmatch",
    "functools",
    "itertools",
    "json",
    "math",
    "os",
    "re",
    "statistics",
    "tomllib",
    "typing",
}
# Of `os` only arithmetic on paths; the guard's table is data of the package.
PURE_OS = {"path", "sep"}
OWN_DATA = "guard/table.py"

# Loaded by the hook before every tool call, on whatever python3 the machine has. Measured: python alone
# 7.2 ms, with json 15.1 ms, with typing 18.8 ms, with dataclasses 24 ms.
HOT = {
    "durations",
    "envelope",
    "errors",
    "ledger",
    "light_hash",
    "light_json",
    "lookups",
    "money",
    "options",
    "presence",
    "seal",
    "standing",
    "store",
    "surface",
}
SLOW = {"argparse", "dataclasses", "datetime", "inspect", "pathlib", "subprocess", "typing"}

# Names that packages which jobs and scripts import have taken.
TAKEN = {"datasets", "evaluate", "github", "peft", "tokenizers", "torch", "transformers", "trl", "wandb"}
_IMPORTED_AS = {"pyyaml": "yaml", "scikit-learn": "sklearn", "pillow": "PIL"}
_HEADER = re.compile(r"^# /// script\n((?:#(?: .*)?\n)*?)# ///$", re.MULTILINE)


def direction_holds(look: Inspection) -> None:
    """Imports go down the table of layers; every module has a place in it; entries import cli or guard."""
    for entry in sorted((look.root / "scripts").glob("*.py")):
        for used in (i for i in imports_of(entry, look.root / "scripts") if i.top == PACKAGE):
            front = part_of(used.name) in ("cli", "guard")
            look.expect(front, f"{look.name(entry)}:{used.line}: an entry may not import {used.name}")
    for path, found in _package(look):
        own = _part(path, look)
        look.expect(own in LEVEL or not own, f"{look.name(path)}: {own} has no place in the table of layers")
        for used in (i for i in found if i.top == PACKAGE and own):
            down = LEVEL.get(part_of(used.name), 0) <= LEVEL.get(own, len(LAYERS))
            look.expect(down, f"{look.name(path)}:{used.line}: {own} may not import {used.name}")


def pure_modules_are_pure(look: Inspection) -> None:
    """What must be a function of its arguments reaches nothing that could read or change the world."""
    scripts = look.root / "scripts"
    for pure in PURE if (scripts / PACKAGE).exists() else ():
        start = scripts / PACKAGE / f"{pure}.py"
        look.expect(start.exists(), f"{pure}.py is not where this check looks for it")
        for path in sorted(reachable(start, scripts)) if start.exists() else ():
            where = f"{pure} is not pure: {look.name(path)}"
            for used in (i for i in imports_of(path, scripts) if i.top != PACKAGE):
                look.expect(used.top in PURE_IMPORTS, f"{where}:{used.line}: imports {used.name}")
            for line, touched in _touches(path):
                look.expect(touched == "open" and path.match(OWN_DATA), f"{where}:{line}: uses {touched}")


def hot_path_is_lean(look: Inspection) -> None:
    """What the hook loads: standard library, nothing slow at load time, syntax of Python 3.9."""
    for path, found in _package(look):
        if not _is_hot(path, look):
            continue
        text, where = path.read_text(), look.name(path)
        look.expect(_parses_on_39(text), f"{where}: syntax newer than Python 3.9")
        lazy = "from __future__ import annotations" in text or not _has_annotations(text)
        look.expect(lazy, f"{where}: annotations are evaluated on 3.9")
        for used in found:
            look.expect(not used.is_third_party, f"{where}:{used.line}: {used.top} is not standard library")
            look.expect(not (used.at_load and used.top in SLOW), f"{where}:{used.line}: {used.top} is slow to load")
            ours = [p for p in files_of(used.name, look.root / "scripts") if p.name != "__init__.py"]
            cold = [look.name(p) for p in ours if used.at_load and not _is_hot(p, look)]
            look.expect(not cold, f"{where}:{used.line}: loads {', '.join(cold)}, which is not on the hot path")


def hot_path_loads_lean(look: Inspection) -> None:
    """The same by experiment: one interpreter loads the hot path, and nothing slow comes with it."""
    scripts = look.root / "scripts"
    hot = [path for path, _ in _package(look) if _is_hot(path, look)]
    names = [path.relative_to(scripts).with_suffix("").as_posix().replace("/", ".") for path in hot]
    lines = ["import sys", f"sys.path.insert(0, {str(scripts)!r})", *(f"import {name}" for name in names)]
    lines.append(f"print(*sorted(set(sys.modules) & {SLOW!r}))")
    for _ in names[:1]:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", "\n".join(lines)], capture_output=True, text=True, check=False
        )
        look.expect(done.returncode == 0, f"the hot path does not load: {done.stderr}")
        look.expect(not done.stdout.strip(), f"the hot path loads {done.stdout.strip()}")


def entries_declare_what_they_need(look: Inspection) -> None:
    """Each entry's header names every package that any module it can reach may import."""
    scripts = look.root / "scripts"
    for entry in sorted(scripts.glob("*.py")):
        where, declared = look.name(entry), _dependencies(entry)
        look.expect(declared is not None, f"{where}: no script header with requires-python and dependencies")
        for path in sorted(reachable(entry, scripts)):
            for used in (i for i in imports_of(path, scripts) if i.is_third_party):
                covered = used.top in (declared or set())
                look.expect(covered, f"{where}: {look.name(path)}:{used.line} needs {used.top}, not in the header")


def entries_shadow_nothing(look: Inspection) -> None:
    """An entry's folder comes first on the path, so its name must not be a module somebody else imports."""
    entries = sorted((look.root / "scripts").glob("*.py"))
    taken = TAKEN | set(sys.stdlib_module_names) | {name for e in entries for name in _dependencies(e) or ()}
    for entry in entries:
        look.expect(entry.stem not in taken, f"{look.name(entry)}: hides the module {entry.stem}")


def hub_client_is_lazy(look: Inspection) -> None:
    """huggingface_hub takes half a second to load: only backends and sources import it, inside functions."""
    for path, found in _package(look):
        for used in (i for i in found if i.is_third_party):
            where = f"{look.name(path)}:{used.line}"
            hub = used.top == "huggingface_hub"
            look.expect(not (hub and used.at_load), f"{where}: huggingface_hub must be imported inside a function")
            home = _part(path, look) in ("backends", "sources")
            look.expect(not hub or home, f"{where}: only backends and sources may import huggingface_hub")


def _package(look: Inspection) -> Iterator[tuple[Path, list[Import]]]:
    for path in look.files(f"scripts/{PACKAGE}", suffix=".py"):
        yield path, imports_of(path, look.root / "scripts")


def _part(path: Path, look: Inspection) -> str:
    """The module or subpackage a file belongs to; empty for the package's own __init__."""
    part = Path(path.relative_to(look.root / "scripts" / PACKAGE).parts[0]).stem
    return "" if part == "__init__" else part


def _is_hot(path: Path, look: Inspection) -> bool:
    return _part(path, look) in HOT | {"guard"}


def _touches(path: Path) -> Iterator[tuple[int, str]]:
    """Where a file uses `open`, or `os` for more than paths."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name) and node.id == "open":
            yield node.lineno, "open"
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os" and node.attr not in PURE_OS:
            yield node.lineno, f"os.{node.attr}"


def _parses_on_39(text: str) -> bool:
    try:
        ast.parse(text, feature_version=(3, 9))
    except SyntaxError:
        return False
    return True


def _has_annotations(text: str) -> bool:
    return any(isinstance(node, ast.arg | ast.AnnAssign) for node in ast.walk(ast.parse(text)))


def _dependencies(entry: Path) -> set[str] | None:
    """The import names an entry's PEP 723 header declares; None when there is no complete header."""
    found = _HEADER.search(entry.read_text())
    header = tomllib.loads(re.sub(r"^# ?", "", found[1], flags=re.MULTILINE)) if found else {}
    if not {"requires-python", "dependencies"} <= set(header):
        return None
    names = [re.split(r"[^\w.-]", need, maxsplit=1)[0].lower() for need in header["dependencies"]]
    return {_IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}
