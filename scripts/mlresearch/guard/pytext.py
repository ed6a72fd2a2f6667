"""Python expressions as the text they make, as far as that is known before they run."""

from __future__ import annotations

import _ast as ast

UNKNOWN = "${_}"  # stands in a text for what is known at run time only
_DEEPEST = 40
_LOOKED_UP = 10  # a name counts as this many steps, so that names of names end soon
_MOST_WORDS = 200
_LONGEST = 20_000
_SAME = ("resolve", "absolute", "expanduser", "split", "strip")


class Text:
    """Evaluates string expressions; `assigned` holds the last value that each name of the source was given."""

    def __init__(self) -> None:
        self.assigned: dict[str, ast.expr] = {}

    def of(self, node: ast.AST, depth: int = 0) -> str:
        """An expression as text; a list becomes a quoted command line; what is not known becomes UNKNOWN."""
        text = self._of(node, depth) if depth <= _DEEPEST else UNKNOWN
        return text if len(text) <= _LONGEST else UNKNOWN

    def _of(self, node: ast.AST, depth: int) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.JoinedStr):
            return "".join(self.of(value, depth + 1) for value in node.values)
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._words(node.elts, depth + 1)
        if isinstance(node, ast.Name):
            held = self.assigned.get(node.id)
            return UNKNOWN if held is None else self.of(held, depth + _LOOKED_UP)
        if isinstance(node, ast.BinOp):
            return self._joined(node, depth + 1)
        return self._called(node, depth + 1) if isinstance(node, ast.Call) else UNKNOWN

    def _words(self, items: list[ast.expr], depth: int) -> str:
        """A flat list as words; a list inside it is no command line."""
        texts = [UNKNOWN if self._is_list(item) else self.of(item, depth) for item in items[:_MOST_WORDS]]
        return " ".join(map(_quoted, texts))

    def line(self, nodes: list[ast.expr]) -> str:
        """Several arguments as the words of one command line; a list among them gives its own words."""
        return " ".join(self.of(node) if self._is_list(node) else _quoted(self.of(node)) for node in nodes)

    def _joined(self, node: ast.BinOp, depth: int) -> str:
        left = self.of(node.left, depth)
        if isinstance(node.op, ast.Mod):
            return left.replace("%s", UNKNOWN).replace("%d", UNKNOWN).replace("%r", UNKNOWN)
        if isinstance(node.op, ast.Div):
            return left + "/" + self.of(node.right, depth)
        if isinstance(node.op, ast.Add):
            return left + (" " if self._is_list(node.left) else "") + self.of(node.right, depth)
        return UNKNOWN

    def _is_list(self, node: ast.expr) -> bool:
        held = self.assigned.get(node.id, node) if isinstance(node, ast.Name) else node
        return isinstance(held, (ast.List, ast.Tuple))

    def _called(self, node: ast.Call, depth: int) -> str:
        """`Path(a, b)`, `os.path.join(a, b)`, `path.joinpath(a)`, `"...".format(a)`, `"...".split()`."""
        arguments = [self.of(argument, depth) for argument in node.args]
        if not isinstance(node.func, ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            return "/".join(arguments) if name in ("Path", "str", "PurePath", "open") and arguments else UNKNOWN
        name, before = node.func.attr, self.of(node.func.value, depth)
        if (name == "Path" and arguments) or (name == "join" and before == UNKNOWN):
            return "/".join(arguments)
        if name == "joinpath":
            return "/".join([before, *arguments])
        if name in _SAME:
            return before
        return _filled(before) if name == "format" else UNKNOWN


def _filled(text: str) -> str:
    """A text for `format`, its fields unknown."""
    before, brace, rest = text.partition("{")
    return before + UNKNOWN + _filled(rest.partition("}")[2]) if brace and "}" in rest else text


def _quoted(text: str) -> str:
    if UNKNOWN in text:
        return '"' + text.replace('"', "'") + '"'
    return "'" + text.replace("'", "'\\''") + "'"
