"""What Python source would do, read from its syntax tree: names it calls, modules it needs, commands it starts, files
it writes. A comment or a docstring never counts as a call. Runs nothing and opens nothing.

Imported only when a command runs Python. `_ast` has the node types that the compiler makes; the `ast` package around it
costs 7 ms.
"""

from __future__ import annotations

import _ast as ast

from mlresearch.guard.pytext import UNKNOWN, Text
from mlresearch.guard.table import matches, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_EVALUATORS = ("exec", "eval", "compile", "__import__")
_OF_RECEIVER = ("write_text", "write_bytes", "unlink", "rmdir", "touch", "chmod", "lchmod")
_ONLY_TREE = 0x0400  # ast.PyCF_ONLY_AST


class Facts:
    """What one source holds.

    `started` are texts that it surely hands to a shell or a process, `texts` and `lists` all its strings and lists of
    them, `written` the constant paths in calls that write, `scripts` the files that it runs.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.defined: set[str] = set()
        self.modules: set[str] = set()
        self.texts: list[str] = []
        self.lists: list[str] = []
        self.started: list[str] = []
        self.written: list[str] = []
        self.keywords: set[str] = set()
        self.writes_somewhere = False
        self.scripts: list[str] = []
        self.dynamic = ""
        self.text = Text()


def read(source: str) -> Facts:
    """The facts of a source. Text that this Python can not parse is searched for names instead: the running one may."""
    facts = Facts()
    try:
        nodes = _nodes(compile(source, "<read>", "exec", _ONLY_TREE, dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        facts.names = set("".join(letter if letter.isalnum() or letter == "_" else " " for letter in source).split())
        facts.modules = facts.names
        return facts
    documented = {
        id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in nodes:
        _collect(facts, node, documented)
    for node in nodes:
        if isinstance(node, ast.Call):
            _call(facts, node)
    return facts


def _nodes(node: ast.AST) -> list[ast.AST]:
    """Every node of a tree."""
    nodes = [node]
    for parent in nodes:
        for field in parent._fields:
            value = getattr(parent, field, None)
            children = value if isinstance(value, list) else (value,)
            nodes += [child for child in children if isinstance(child, ast.AST)]
    return nodes


def _collect(facts: Facts, node: ast.AST, documented: set[int]) -> None:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and id(node) not in documented:
            facts.texts.append(node.value)
    elif isinstance(node, (ast.JoinedStr, ast.BinOp)):
        facts.texts.append(facts.text.of(node))
    elif isinstance(node, (ast.List, ast.Tuple)):
        facts.lists.append(facts.text.of(node))
    else:
        _collect_name(facts, node)


def _collect_name(facts: Facts, node: ast.AST) -> None:
    if isinstance(node, ast.Name):
        facts.names.add(node.id)
    elif isinstance(node, ast.Attribute):
        facts.names.add(node.attr)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        facts.defined.add(node.name)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        _imported(facts, node)
    elif isinstance(node, ast.keyword):
        facts.keywords |= {node.arg} if node.arg and not _is_off(node.value) else set()
    elif isinstance(node, ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        facts.text.assigned.update(dict.fromkeys(names, node.value))


def _is_off(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)


def _imported(facts: Facts, node: ast.Import | ast.ImportFrom) -> None:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import):
        facts.modules.update(names)
        return
    facts.names.update(names)
    base = "." * node.level + (node.module or "")
    facts.modules.add(base)
    facts.modules.update(base + ("" if base.endswith(".") else ".") + name for name in names)


def _call(facts: Facts, node: ast.Call) -> None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    known = table()["python"]
    if name == "import_module" or (name in _EVALUATORS and isinstance(node.func, ast.Name)):
        _evaluated(facts, node, name)
    elif name in known["process_calls"] and _has_module(facts, known["processes"]):
        facts.started += _started(facts, node, name)
    elif name in ("run_path", "run_module") and node.args:
        facts.scripts.append(facts.text.of(node.args[0]))
    elif name == "open" or name in known["writes"] or (name == "replace" and len(node.args) == 1):
        _written(facts, node, name)


def _started(facts: Facts, node: ast.Call, name: str) -> list[str]:
    """The command lines that a call starts; `exec` and `spawn` take a program and its words one by one."""
    if len(node.args) > 1 and name.startswith(("exec", "spawn", "posix_spawn", "create_subprocess_exec")):
        return [facts.text.line(node.args)]
    named = [keyword.value for keyword in node.keywords if keyword.arg in ("args", "cmd", "command")]
    return [facts.text.of(argument) for argument in [*node.args[:1], *named]]


def _has_module(facts: Facts, names: Iterable[str]) -> bool:
    return any(module.split(".")[0] in names for module in facts.modules)


def _evaluated(facts: Facts, node: ast.Call, name: str) -> None:
    text = facts.text.of(node.args[0]) if node.args else ""
    if UNKNOWN in text:
        facts.dynamic = f"{name}() of what is known at run time only"
    elif name in ("__import__", "import_module"):
        facts.modules.add(text)
    else:
        inner = read(text)
        for held, more in (
            (facts.names, inner.names),
            (facts.modules, inner.modules),
            (facts.keywords, inner.keywords),
        ):
            held.update(more)
        facts.texts += inner.texts
        facts.started += inner.started
        facts.written += inner.written
        facts.scripts += inner.scripts
        facts.writes_somewhere = facts.writes_somewhere or inner.writes_somewhere


def _written(facts: Facts, node: ast.Call, name: str) -> None:
    """Note the paths of a call that writes; one without a constant path writes somewhere, nobody knows where."""
    parts: list[ast.expr] = [*node.args, *(keyword.value for keyword in node.keywords)]
    is_method = isinstance(node.func, ast.Attribute)
    if name == "open" and not _opens_to_write(facts, parts if is_method else parts[1:]):
        return
    receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    wanted = receiver if name in _OF_RECEIVER and is_method else [*receiver, *parts[: 1 if name == "open" else 2]]
    known = [text for text in (facts.text.of(part) for part in wanted) if text and UNKNOWN not in text]
    facts.written += known
    facts.writes_somewhere = facts.writes_somewhere or not known


def _opens_to_write(facts: Facts, parts: list[ast.expr]) -> bool:
    texts = [facts.text.of(part) for part in parts]
    modes = [text for text in texts if 0 < len(text) <= 4 and set(text) <= set("rwaxbt+U")]
    flags = {sub.attr for part in parts for sub in _nodes(part) if isinstance(sub, ast.Attribute)}
    return any(set(mode) & set("wax+") for mode in modes) or any(flag.startswith("O_") for flag in flags)


def classes(facts: Facts, has_local: Iterable[str] = ()) -> list[tuple[str, str]]:
    """(class, name) of everything that the table knows. `has_local` are modules found beside the source."""
    known = table()["python"]
    uses_hub = (
        _has_module(facts, known["hub"]) or bool(facts.names & set(known["hub"])) or "huggingface_hub" in facts.texts
    )
    called = facts.names | (set(facts.texts) if uses_hub else set())
    found = []
    for kind, names in known["anywhere"].items():
        found += [(kind, name) for name in names if name in called and (uses_hub or name not in facts.defined)]
    if uses_hub:
        for kind, names in known["with_hub"].items():
            found += [(kind, name) for name in names if name in called]
    found += [(kind, "import " + name) for kind, name in _modules(facts, set(has_local))]
    found += [(kind, f"{name}=") for name, kind in known["keywords"].items() if name in facts.keywords]
    return found + _requests(facts)


def _modules(facts: Facts, local: set[str]) -> list[tuple[str, str]]:
    known = table()["python"]
    found = []
    wanted = [(kind, name) for kind, names in known["modules"].items() for name in names]
    wanted += [("own", name) for name in known["own"]]
    for kind, name in wanted:
        if any(module == name or module.startswith(name + ".") for module in facts.modules) and name not in local:
            found.append((kind, name))
    return found


def _requests(facts: Facts) -> list[tuple[str, str]]:
    """REST paths and hosts of the table among the strings of a source that can send requests."""
    rest = table()["rest"]
    if not facts.names & set(table()["python"]["http"]):
        return []
    sends = facts.names & {"post", "put", "patch", "delete", "request", "urlopen", "Request"}
    found = []
    for where in ("paths", "hosts"):
        for kind, patterns in rest[where].items():
            for text in facts.texts:
                hit = next((pattern for pattern in patterns if matches(pattern, text)), "")
                if hit and (sends or (where == "hosts" and kind == "spend")):
                    found.append((kind, text[:80]))
    return found
