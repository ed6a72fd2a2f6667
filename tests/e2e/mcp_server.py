"""A stdio MCP server with one tool, `run_job`, that only notes in a file that it was called."""

from __future__ import annotations

import json
import sys
from typing import Any

TOOL = {"name": "run_job", "description": "start a paid job", "inputSchema": {"type": "object", "properties": {}}}


def answer(request: dict[str, Any], log: str) -> dict[str, Any]:
    method = request["method"]
    if method == "initialize":
        info = {"name": "cloud", "version": "1"}
        return {
            "protocolVersion": request["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": info,
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        with open(log, "a") as file:
            file.write("mcp\n")
        return {"content": [{"type": "text", "text": "started"}]}
    return {}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(request, sys.argv[1])
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
