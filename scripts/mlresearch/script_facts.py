"""What a script says about itself: its header, its text constants, what it pushes to the Hub. From the syntax tree.

Owns how a value is known before the script runs: a constant, a name that is assigned one constant, an f-string of such
parts, a variable of the job's environment, an attribute that an argument sets. It refuses to guess: anything else is
None, "known at run time only".
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# calls that write to a repository named by `repo_id`
UPLOADS = frozenset({"create_commit", "create_repo", "upload_file", "upload_folder", "upload_large_folder"})
# calls whose first argument is a file to read
READERS = frozenset(
    {"genfromtxt", "load", "load_dataset", "load_from_disk", "loadtxt", "open", "safe_load", "from_pretrained"}
    | {"read_csv", "read_json", "read_parquet", "read_table", "read_excel", "read_feather"}
)
DEPTH = 4  # names behind names; a name can also stand for itself
FALSE = ("", "0", "false", "no", "off")

_HEADER = re.compile(r"^# /// script[ \t]*\n((?:#(?: .*)?\n)*?)# ///[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Push:
    """One place that writes to the Hub. `repo` None: known at run time only; "" : named elsewhere or not at all."""

    line: int
    what: str
    repo: str | None


def header(text: str) -> dict[str, Any] | None:
    """The PEP 723 header, {} without one; None when there is one that can not be read."""
    text = text.replace("\r\n", "\n")
    found = _HEADER.search(text)
    if found is None:
        return None if re.search(r"^# /// script[ \t]*$", text, re.MULTILINE) else {}
    try:
        return tomllib.loads("".join(line[2:] or "\n" for line in found[1].splitlines(keepends=True)))
    except tomllib.TOMLDecodeError:
        return None


class Script:
    """One Python file, read; raises SyntaxError or ValueError for what is none."""

    def __init__(self, content: bytes, options: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.tree = ast.parse(content)
        self._options, self._environment = options, environment
        self._names = _constants(self.tree)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Every text constant with its line; docstrings and other texts that stand alone are prose, not values."""
        prose = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.lineno, node.value

    def reads(self) -> Iterator[tuple[int, str]]:
        """The first argument of every call that reads a file, where it is known."""
        for call in self._calls():
            if _name(call) in READERS and call.args and not _writes(call):
                path = self.value(call.args[0])
                if path:
                    yield call.lineno, path

    def pushes(self) -> list[Push]:
        """Every place that writes to the Hub; `push_to_hub=X` counts unless X is certainly false."""
        found = [push for call in self._calls() for push in self._pushed_by(call)]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Dict):
                found += self._pushed_with(node.lineno, _by_text(node))
        return found

    def _pushed_by(self, call: ast.Call) -> list[Push]:
        keyed = {word.arg: word.value for word in call.keywords if word.arg}
        name = _name(call)
        if name == "push_to_hub" and isinstance(call.func, ast.Attribute):
            return [Push(call.lineno, ".push_to_hub()", self._repo_of(call, keyed))]
        if name in UPLOADS:
            repo = keyed.get("repo_id") or (call.args[0] if call.args and name == "create_repo" else None)
            return [Push(call.lineno, f"{name}()", None if repo is None else self.value(repo))]
        return self._pushed_with(call.lineno, keyed)

    def _repo_of(self, call: ast.Call, keyed: Mapping[str, ast.expr]) -> str | None:
        """A model's own method takes the repository first; a trainer's takes a message, and has its repository."""
        if "repo_id" in keyed:
            return self.value(keyed["repo_id"])
        if not call.args:
            return ""
        first = self.value(call.args[0])
        return first if first is None or ("/" in first and " " not in first) else ""

    def _pushed_with(self, line: int, keyed: Mapping[str, ast.expr]) -> list[Push]:
        found = []
        if "hub_model_id" in keyed:
            found.append(Push(line, "hub_model_id", self.value(keyed["hub_model_id"])))
        pushes = keyed.get("push_to_hub")
        if pushes is not None and not self._is_false(pushes):
            found.append(Push(line, "push_to_hub", ""))
        return found

    def _is_false(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Constant):
            return not node.value
        if isinstance(node, ast.Attribute):  # such as args.push_to_hub, a switch: off unless an argument sets it
            return self._options.get(node.attr, "").lower() in FALSE
        value = self.value(node)
        return value is not None and value.lower() in FALSE

    def value(self, node: ast.expr, depth: int = DEPTH) -> str | None:
        """The text that an expression stands for, where that is known before the run."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            bound = self._names.get(node.id)
            return None if bound is None or not depth else self.value(bound, depth - 1)
        if isinstance(node, ast.Attribute):
            return self._options.get(node.attr)
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, depth)
        return self._variable(node)

    def _joined(self, node: ast.JoinedStr, depth: int) -> str | None:
        inner = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        parts = [self.value(part, depth) for part in inner]
        known = [part for part in parts if part is not None]
        return "".join(known) if len(known) == len(parts) else None

    def _variable(self, node: ast.expr) -> str | None:
        """`os.environ["X"]`, `os.environ.get("X")`, `os.getenv("X")` of a variable that the job is given."""
        asked: ast.expr | None = None
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            asked = node.slice
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("environ.get", "getenv")):
            asked = node.args[0]
        name = self.value(asked) if asked is not None else None
        return None if name is None else self._environment.get(name)

    def _calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _by_text(node: ast.Dict) -> dict[str, ast.expr]:
    pairs = zip(node.keys, node.values, strict=True)
    return {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}


def _writes(call: ast.Call) -> bool:
    mode = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
    return any(isinstance(node, ast.Constant) and set(str(node.value)) & set("wax") for node in mode)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that are bound once in the whole file, to what they are bound to."""
    times: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            times[node.id] += 1
        elif isinstance(node, ast.arg):
            times[node.arg] += 1
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return {name: value for name, value in found.items() if times[name] == 1}
