"""The look at a model as text for a reader: what it is, what it takes, what memory it needs, where it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Table = Callable[[list[list[str]], list[str]], str]
MOST_MACHINES = 4
GB = 1_000_000_000


def told(data: Mapping[str, Any], table: Table) -> str:
    parts = [
        _head(data),
        _architecture(data["architecture"]),
        _tokenizer(data["tokenizer"]),
        _adapter(data.get("adapter")),
        _memory(data, table),
        _files(data),
        "\n".join(["warnings:", *(f"- {line}" for line in data["warnings"])]) if data["warnings"] else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _head(data: Mapping[str, Any]) -> str:
    count = data["parameters"]
    total = f"{count['total']:,} parameters" if count["total"] is not None else "parameters unknown"
    kinds = ", ".join(f"{name} {number:,}" for name, number in count["by_type"].items())
    access = "gated" if data.get("gated") else ("private" if data.get("private") else "open")
    lines = [
        f"{data['model']}: {data['kind']}, {total} ({count['counted']}{'; ' + kinds if kinds else ''})",
        str(data.get("url") or data.get("path", "")),
        f"licence {data.get('license') or 'not told'}" + (f", {access}" if data["source"] == "hub" else ""),
    ]
    if data.get("revision"):
        lines[-1] += f", revision {data['revision']}"
    return "\n".join(lines)


def _architecture(each: Mapping[str, Any]) -> str:
    if "layers" not in each:
        return f"architecture {each['class'] or 'unknown'}"
    heads = f"{each['heads']} heads ({each['key_value_heads']} for keys and values) of {each['head_size']}"
    context = f"context {each['context']:,}" if each["context"] else "context not told"
    scaled = f", rope {each['rope_scaling']}" if each["rope_scaling"] else ""
    experts = f", {each['experts_used']} of {each['experts']} experts" if each["experts"] else ""
    words = f", vocabulary {each['vocabulary']:,}" if each["vocabulary"] else ""
    tied = " (tied)" if each["tied_embeddings"] else ""
    return (
        f"{each['class']}: {each['layers']} layers, hidden {each['hidden']}, {heads}, feed-forward "
        f"{each['feed_forward']}{experts}{words}{tied}, {context}{scaled}, stored as {each['dtype'] or '?'}"
    )


def _tokenizer(each: Mapping[str, Any] | None) -> str:
    if each is None:
        return ""
    special = ", ".join(f"{name.removesuffix('_token')} {token}" for name, token in each["special_tokens"].items())
    size = f"{each['vocabulary']:,} ids" if each["vocabulary"] else "size not read"
    lines = [f"tokenizer {each['class'] or each['model'] or '?'}: {size}" + (f"; {special}" if special else "")]
    template = each["chat_template"]
    if template is None:
        return f"{lines[0]}\nno chat template"
    takes = [name for name in ("tools", "tool_calls", "documents", "thinking") if template[name]]
    lines.append(
        f"chat template: roles {', '.join(template['roles']) or 'none named'}; takes {', '.join(takes) or 'no tools'}; "
        f"{'marks' if template['marks_generation'] else 'does not mark'} what the assistant says; {template['found']}"
    )
    return "\n".join(lines)


def _adapter(each: Mapping[str, Any] | None) -> str:
    if each is None:
        return ""
    return f"adapter {each['type']} of {each['base']}, rank {each['rank']}, targets {each['targets']}"


def _memory(data: Mapping[str, Any], table: Table) -> str:
    rows, notes = [], []
    for method, each in data["memory"].items():
        terms = " + ".join(f"{name.replace('_', ' ')} {_gb(size)}" for name, size in each["terms"].items() if size)
        rows.append([method, _gb(each["device_bytes"]), _gb(each["peak_bytes"]), each["moment"], terms])
        fits = [_machine(row, each["assumed"]["precision"]) for row in data["machines"][method][:MOST_MACHINES]]
        notes.append(f"{method} fits: {', '.join(fits) or 'no flavor that was read'}")
        notes.append(f"  {each['formula']}; {each['error']}")
    if not rows:
        return ""
    asked = next(iter(reversed(data["memory"].values())))["assumed"]
    assumed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asked.items())
    head = ["method", "device GB", "peak GB", "when", "of it"]
    return "\n".join([table(rows, head), f"assumed: {assumed}", *notes])


def _machine(row: Mapping[str, Any], precision: str) -> str:
    slow = " (bf16 is slow there)" if precision == "bf16" and not row["has_bf16"] else ""
    return f"{row['flavor']} {row['usd_per_hour']}/h{slow}"


def _gb(size: int) -> str:
    return f"{size / GB:.2f}" if size < 100 * GB else f"{size / GB:.0f}"


def _files(data: Mapping[str, Any]) -> str:
    largest = sorted(data["files"], key=lambda each: -(each["bytes"] or 0))[:5]
    shown = ", ".join(f"{each['path']} {_gb(each['bytes'] or 0)}" for each in largest)
    return f"{len(data['files'])} files, {_gb(data['bytes'])} GB; largest: {shown}"
