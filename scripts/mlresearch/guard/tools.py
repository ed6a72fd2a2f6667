"""Tools other than the shell: those that write or read files, and those of MCP servers, known by their names."""

from __future__ import annotations

from mlresearch.guard.calls import Call, Finding, Situation
from mlresearch.guard.paths import TOLD, Places
from mlresearch.guard.table import table


def findings(call: Call, situation: Situation) -> list[Finding]:
    """What a call of a tool that is no shell would do; an unknown tool does nothing that the guard knows of."""
    known = table()["tools"]
    if call.tool in known["write"]:
        return _writes(call, situation, known["write"][call.tool])
    if call.tool in known["read"] or call.tool in known["search"]:
        key = known["read"].get(call.tool) or known["search"][call.tool]
        path = call.input.get(key)
        return _reads(path, call, situation) if isinstance(path, str) else []
    if call.tool.startswith("mcp__"):
        return _served(call, situation)
    return []


def _writes(call: Call, situation: Situation, key: str) -> list[Finding]:
    path = call.input.get(key)
    if not isinstance(path, str) or "\0" in path:
        return [Finding("unreadable", f"{call.tool} without a readable {key}")]
    kind = Places(situation).kind(path, call.cwd)
    return [Finding("write " + kind, f"{call.tool} of {path}: {TOLD[kind]}")] if kind else []


def _reads(path: str, call: Call, situation: Situation) -> list[Finding]:
    kind = Places(situation).secret(path, call.cwd)
    if not kind:
        return []
    if kind == "credential":
        return [Finding(kind, f"{call.tool} of {path}")]
    way = "campaign.py finalize opens sealed data, once"
    return [Finding(kind, f"{call.tool} of {path}: sealed data or the store", way)]


def _served(call: Call, situation: Situation) -> list[Finding]:
    """An MCP tool, by the words of its name and, for those that take one, its operation."""
    tool = [*call.tool.split("__", 2), call.tool][2].lower()
    operation = call.input.get("operation") or call.input.get("action") or call.input.get("method")
    told = f"{tool} {operation}".lower() if isinstance(operation, str) else tool
    names = table()["mcp"]
    if isinstance(operation, str) and _words(operation) and _words(operation)[-1] in names["read"]:
        return []
    for kind in ("delete", "publish", "spend", "exec"):
        if any(_has(name, told) for name in names[kind]):
            return [Finding("remote" if kind == "exec" else kind, call.tool, "jobs.py submit, or hub.py")]
    return _paths(call, situation)


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def _has(name: str, told: str) -> bool:
    """Whether the words of a table name stand in a tool's name, one after the other."""
    wanted, words = _words(name), _words(told)
    return any(words[i : i + len(wanted)] == wanted for i in range(len(words)))


def _paths(call: Call, situation: Situation) -> list[Finding]:
    """A file server's write: any of its words that names a protected place."""
    tool = call.tool.lower()
    if not any(word in tool for word in ("write", "edit", "create", "move", "append", "insert", "replace", "remove")):
        return []
    places = Places(situation)
    for value in call.input.values():
        kind = (
            places.kind(value, call.cwd) if isinstance(value, str) and len(value) < 1024 and "\0" not in value else ""
        )
        if kind and kind != "other":
            return [Finding("write " + kind, f"{call.tool} of {value}: {TOLD[kind]}")]
    return []
