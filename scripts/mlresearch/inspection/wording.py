"""The inspection as text for a reader: what was read first, then schema, faults, verdicts, rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Table = Callable[[list[list[str]], list[str]], str]
WIDEST_TYPE = 90


def told(data: Mapping[str, Any], table: Table) -> str:
    """Several short tables and lists; `table` lays out rows under a head."""
    parts = [
        _head(data),
        table([_split(each) for each in data["splits"]], ["split", "rows", "read", "how"]),
        _schema(data, table),
        _chat(data),
        _over_all(data.get("over_all_rows", {})),
        _duplicates(data["duplicates"]),
        _tokens(data["tokens"]),
        _listed("warnings", data["warnings"]),
        verdicts(data, table),
        _samples(data["samples"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(data: Mapping[str, Any]) -> str:
    where = data.get("url") or data.get("path", "")
    gated = ", gated" if data.get("gated") else ""
    configs = data["configs"]
    others = f" ({len(configs)} configs: {', '.join(configs[:10])})" if len(configs) > 1 else ""
    return f"{data['dataset']}{gated}: config {data['config']}{others}\n{where}{_standing(data)}"


def _standing(data: Mapping[str, Any]) -> str:
    """What a data set on the Hub says of itself, as a claim about it is compared."""
    if data["source"] != "hub":
        return ""
    return f"\nrevision {data['revision'] or 'not told'}, licence {data['license'] or 'not told'}"


def _split(each: Mapping[str, Any]) -> list[str]:
    rows = "?" if each["rows"] is None else f"{each['rows']:,}"
    rows = f"about {rows}" if each["rows_are"] == "estimated" else rows
    unseen = "".join(f"; not seen: {what}" for what in each.get("not_seen", ()))
    return [each["split"], rows, f"{each.get('rows_read', 0):,}", each.get("how", "") + unseen]


def _schema(data: Mapping[str, Any], table: Table) -> str:
    columns = data["columns"].get(data["verdict_on"], {})
    rows = [
        [name, _cut(kind, WIDEST_TYPE), str(columns.get(name, {}).get("nulls", "")), _content(columns.get(name, {}))]
        for name, kind in data["types"].items()
    ]
    return table(rows, [f"column (of {data['verdict_on']})", "type", "nulls", "holds"])


def _content(column: Mapping[str, Any]) -> str:
    told = []
    classes = column.get("classes")
    if classes and column["distinct"] <= 50:
        shown = ", ".join(f"{each.get('name', each['value'])}: {each['rows']}" for each in classes[:6])
        told.append(f"{column['distinct']} values ({shown}{', …' if column['distinct'] > 6 else ''})")
    for name in ("characters", "items", "numbers", "bytes", "width", "height", "seconds"):
        if name in column:
            each = column[name]
            told.append(f"{name} {each['min']:g} to {each['max']:g}, median {each['median']:g}")
    if "media" in column:
        told.append(", ".join(f"{count} {name}" for name, count in column["media"].items()))
    if "json_text" in column:
        told.append(f"JSON text ({column['json_text']['parsed']} parse, {column['json_text']['broken']} broken)")
    return "; ".join(told)


def _chat(data: Mapping[str, Any]) -> str:
    lines = []
    for name, column in data["columns"].get(data["verdict_on"], {}).items():
        if "chat" in column:
            each = column["chat"]
            roles = ", ".join(f"{role} {count}" for role, count in each["roles"].items())
            last = ", ".join(f"{role} {count}" for role, count in each["last_role"].items())
            tools = f", tool calls in {each['with_tool_calls']}" if each["with_tool_calls"] else ""
            lines.append(
                f"{name}: {each['conversations']} conversations ({', '.join(each['spelling'])}); roles: {roles}; "
                f"turns {each['turns']['min']} to {each['turns']['max']}, median {each['turns']['median']}; "
                f"system in {each['system_share']:.0%}{tools}; last: {last}"
            )
    return "\n".join(lines)


def _over_all(told: Mapping[str, Any]) -> str:
    """What the viewer counted over the whole split."""
    if not told:
        return ""
    lines = [f"over all {told['rows']:,} rows{' that were converted' if told['partial'] else ''}, by the viewer:"]
    for name, each in told["columns"].items():
        counts = ", ".join(f"{value} {count}" for value, count in list((each.get("frequencies") or {}).items())[:12])
        spread = f"{each['min']} to {each['max']}, median {each.get('median')}" if "min" in each else ""
        lines.append("; ".join(filter(None, (f"{name}: {each.get('nan_count', 0)} nulls", counts, spread))))
    return "\n".join(lines)


def _duplicates(told: Mapping[str, Any]) -> str:
    within = ", ".join(f"{name} {count}" for name, count in told["within"].items())
    across = ", ".join(f"{' and '.join(each['splits'])} {each['rows']}" for each in told["across"])
    return f"exact duplicates ({told['scope']}): within {within}" + (f"; across {across}" if across else "")


def _tokens(told: Mapping[str, Any]) -> str:
    if not told["tokenizer"]:
        return str(told["note"])
    lines = [
        f"{name}: {each['min']} to {each['max']} tokens, median {each['median']}, p95 {each['p95']}"
        for name, each in told["columns"].items()
    ]
    return f"tokens by {told['tokenizer']} over {told['rows']} rows, {told['note']}\n" + "\n".join(lines)


def _listed(what: str, lines: list[str]) -> str:
    return f"{what}:\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def verdicts(data: Mapping[str, Any], table: Table) -> str:
    brief = len(data["verdicts"]) > 2
    rows = [[name, each["verdict"], each["form"], _why(each, brief)] for name, each in data["verdicts"].items()]
    codes = [f"{name}: {each['apply']}\n{each['code']}" for name, each in data["verdicts"].items() if each.get("code")]
    # with many methods asked about, the code of each would bury the table
    shown = ["(--method NAME shows the code of its mapping)"] if brief and codes else codes
    return "\n\n".join([table(rows, ["method", "verdict", "form", "why"]), *shown])


def _why(each: Mapping[str, Any], brief: bool) -> str:
    """Briefly: the names alone of what is missing."""
    told = [f"missing: {what.partition(' (')[0] if brief else what}" for what in each.get("missing", ())]
    if "mapping" in each:
        told.append("mapping " + json.dumps(each["mapping"], ensure_ascii=False))
    told += each.get("warnings", ())
    needs = "besides" in each and not each.get("missing")
    return "; ".join(told + ([f"needs {each['besides']}"] if needs else []))


def _samples(told: Mapping[str, Any]) -> str:
    lines = [json.dumps(row, ensure_ascii=False) for row in told["rows"]]
    return "\n".join([f"rows of {told['split']}:", *lines]) if lines else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
