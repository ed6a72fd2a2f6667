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
from functools import cached_property
from typing import Any

# calls that write to a repository named by `repo_id`
UPLOADS = frozenset({"create_commit", "create_repo", "upload_file", "upload_folder", "upload_large_folder"})
PUSHERS = UPLOADS | {"push_to_hub"}
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
        self.nodes = tuple(ast.walk(self.tree))
        self.options, self.environment = options, environment
        self._names = _constants(self.tree)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Every text constant with its line; docstrings and other texts that stand alone are prose, not values."""
        prose = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        for node in self.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.lineno, node.value

    def reads(self) -> Iterator[tuple[int, str]]:
        """The first argument of every call that reads a file, where it is known."""
        for call in self.calls():
            if name_of(call) in READERS and call.args and not _writes(call):
                path = self.value(call.args[0])
                if path:
                    yield call.lineno, path

    def moves(self) -> bool:
        """True when the script changes its folder, so that a relative path may mean anything."""
        return any(name_of(call) == "chdir" for call in self.calls())

    def pushes(self) -> list[Push]:
        """Every place that writes to the Hub; `push_to_hub=X` counts unless X is certainly false."""
        off = self._switched_off()
        found = [push for call in self.calls() if id(call) not in off for push in self._pushed_by(call)]
        for line, settings in self.settings(calls=False):
            found += self._pushed_with(line, settings)
        return found

    def settings(self, calls: bool = True) -> Iterator[tuple[int, dict[str, ast.expr]]]:
        """What is set by name, with its line: a call's keywords, a dictionary's keys, then `assignments`."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield from [(node.lineno, self.keywords(node))] if calls else []
            elif isinstance(node, ast.Dict):
                yield node.lineno, _by_text(node)
        yield from self.assignments()

    def assignments(self) -> Iterator[tuple[int, dict[str, ast.expr]]]:
        """What is set after it was made, with its line: `x.name = v`, `x["name"] = v`, `setattr(x, "name", v)`."""
        for node in self.nodes:
            if isinstance(node, ast.Assign):
                yield node.lineno, {name: node.value for place in node.targets if (name := _member(place))}
            elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
                name = _member(node.target)
                yield from [(node.lineno, {name: node.value})] if name else []
            elif isinstance(node, ast.Call) and name_of(node) == "setattr" and len(node.args) == 3:
                told = self.value(node.args[1])
                yield from [(node.lineno, {told: node.args[2]})] if told else []

    def keywords(self, call: ast.Call) -> dict[str, ast.expr]:
        """The keywords of a call, those of a `**dictionary` too where the file spells it out."""
        found: dict[str, ast.expr] = {}
        for word in call.keywords:
            if word.arg:
                found[word.arg] = word.value
            else:
                for spread in self._spread(word.value):
                    found |= _by_text(spread) if isinstance(spread, ast.Dict) else {}
        return found

    def hides_keywords(self, call: ast.Call) -> bool:
        """True when a `**x` of the call is known at run time only."""
        spreads = [spread for word in call.keywords if word.arg is None for spread in self._spread(word.value)]
        return any(not isinstance(spread, ast.Dict) or None in spread.keys for spread in spreads)

    def _spread(self, node: ast.expr) -> list[ast.expr]:
        """The dictionary, or the two that `a if x else b` may stand for."""
        node = self.bound(node)
        return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]

    def _switched_off(self) -> set[int]:
        """Calls that no run of these arguments reaches: under `if x.push_to_hub:` of a trainer, or under an option."""
        found: set[int] = set()
        for node in self.nodes:
            inside = [part for line in node.body for part in ast.walk(line)] if isinstance(node, ast.If) else []
            pushed = {id(part) for part in inside if isinstance(part, ast.Call) and name_of(part) in PUSHERS}
            if isinstance(node, ast.If) and pushed and any(map(self._is_off, _all_of(node.test))):
                found |= pushed
        return found

    def _is_off(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Attribute) or node.attr in self.options:
            return False
        if node.attr == "push_to_hub":
            return self._never_pushes()
        given = self.option_default(node.attr)
        is_set = any(node.attr in found for _, found in self.settings())
        return isinstance(given, ast.Constant) and not given.value and not is_set

    def option_default(self, name: str) -> ast.expr | None:
        """What the option `--name` is when nobody gives it; None when the file adds no such option."""
        for call in self.calls():
            flags = {str(arg.value).lstrip("-").replace("-", "_") for arg in call.args if isinstance(arg, ast.Constant)}
            if name_of(call) == "add_argument" and name in flags:
                keyed = self.keywords(call)
                is_on = ast.unparse(keyed.get("action", ast.Constant(""))) == "'store_false'"
                return keyed.get("default", ast.Constant(True if is_on else None))
        return None

    def _never_pushes(self) -> bool:
        """True when whatever sets the switch in this file leaves it off."""
        values = [found["push_to_hub"] for _, found in self.settings() if "push_to_hub" in found]
        return all(map(self._is_false, values))

    def _pushed_by(self, call: ast.Call) -> list[Push]:
        keyed = {word.arg: word.value for word in call.keywords if word.arg}
        name = name_of(call)
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
            return self.options.get(node.attr, "").lower() in FALSE
        if isinstance(node, ast.BoolOp):
            parts = map(self._is_false, node.values)
            return any(parts) if isinstance(node.op, ast.And) else all(parts)
        if isinstance(node, ast.Call) and name_of(node) == "bool" and node.args:
            return self._is_false(node.args[0])
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
            return self.options.get(node.attr)
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, depth)
        return self._variable(node)

    def _joined(self, node: ast.JoinedStr, depth: int) -> str | None:
        inner = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
        parts = [self.value(part, depth) for part in inner]
        known = [part for part in parts if part is not None]
        return "".join(known) if len(known) == len(parts) else None

    def _variable(self, node: ast.expr) -> str | None:
        """The variable's value, of one that the job is given."""
        name = self.variable_name(node)
        return None if name is None else self.environment.get(name)

    def variable_name(self, node: ast.expr) -> str | None:
        """The X of `os.environ["X"]`, `os.environ.get("X")`, `os.getenv("X")`."""
        asked: ast.expr | None = None
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            asked = node.slice
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("environ.get", "getenv")):
            asked = node.args[0]
        return self.value(asked) if asked is not None else None

    @cached_property
    def imports(self) -> dict[str, str]:
        """Names that an import binds, wherever it stands in the file, to what they stand for."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found |= {one.asname or one.name.split(".")[0]: one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {one.asname or one.name: f"{node.module or ''}.{one.name}" for one in node.names}
        return found

    def bound(self, node: ast.expr) -> ast.expr:
        """What a name that is bound once stands for; anything else stands for itself."""
        return self._names.get(node.id, node) if isinstance(node, ast.Name) else node

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _member(place: ast.expr) -> str:
    """The `name` of `x.name` and of `x["name"]`; nothing for any other place."""
    if isinstance(place, ast.Attribute):
        return place.attr
    key = place.slice if isinstance(place, ast.Subscript) else None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _all_of(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


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
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            found[node.target.id] = node.value
    return {name: value for name, value in found.items() if times[name] == 1}
