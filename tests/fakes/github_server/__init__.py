"""GitHub's REST API and its raw host in their documented shapes: one public repository and one private one.

It can not show how GitHub ranks, nor its limits over time.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from fakes.table_server import JSON, Answer, Asked, told

TRAIN = "".join(f"line {place}\n" for place in range(1, 1001))
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Train\n", "with TRL"]},
        {
            "cell_type": "code",
            "source": "trainer.train()",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["loss 1.0\n", "x" * 5000]},
                {"output_type": "display_data", "data": {"image/png": "iVBOR" * 1000, "text/plain": "<Figure>"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["…"]},
            ],
        },
    ],
    "nbformat": 4,
    "metadata": {},
}
FILES: dict[str, dict[str, bytes]] = {
    "huggingface/trl": {
        "README.md": "# TRL\nfür alle\n".encode(),
        "examples/scripts/sft.py": b"from trl import SFTTrainer\n",
        "examples/scripts/dpo.py": b"from trl import DPOTrainer\n",
        "examples/train.py": TRAIN.encode(),
        "examples/notebooks/sft.ipynb": json.dumps(NOTEBOOK).encode(),
        "data/文書 1.txt": "ein Wort: 你好\r\nzwei\r\n".encode(),
        "data/rows.json": b'[{"path": 1, "type": "x"}]',
        "logo.png": b"\x89PNG\r\n\x1a\n\0\0",
        "empty.txt": b"",
    },
    "acme/secret": {"main.py": b"print('private')\n"},
}
PRIVATE = ("acme/secret",)
REPOSITORIES = [("huggingface/trl", 17000, "2026-11-01"), ("huggingface/peft", 20000, "2026-10-01")]
MISSING = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}


def answer(asked: Asked) -> Answer:
    """What GitHub says; the raw host under /raw."""
    parts = asked.path.strip("/").split("/")
    if parts[0] == "raw":
        held = FILES.get("/".join(parts[1:3]), {})
        path = "/".join(parts[4:])
        is_there = path in held and "/".join(parts[1:3]) not in PRIVATE
        return Answer(held[path], 200, "text/plain") if is_there else Answer(b"404: Not Found", 404, "text/plain")
    if parts[0] == "search":
        return _search(parts[1], asked)
    repo = "/".join(parts[1:3])
    if parts[0] != "repos" or repo not in FILES or (repo in PRIVATE and not asked.token):
        return told(MISSING, 404)
    if parts[3:5] == ["git", "trees"]:
        return told({"sha": "a" * 40, "truncated": False, "tree": [_leaf(path) for path in FILES[repo]]})
    return _contents(repo, "/".join(parts[4:]), asked)


def _leaf(path: str) -> dict[str, object]:
    return {"path": path, "type": "blob", "mode": "100644"}


def _contents(repo: str, path: str, asked: Asked) -> Answer:
    held = FILES[repo]
    if path in held and "raw" in asked.headers.get("accept", ""):
        return Answer(held[path], 200, "application/vnd.github.raw+json; charset=utf-8")
    if path in held:
        return told({"path": path, "type": "file", "content": base64.b64encode(held[path]).decode()})
    under = f"{path}/" if path else ""
    names = dict.fromkeys(name[len(under) :].split("/")[0] for name in held if name.startswith(under))
    rows = [
        {
            "path": under + name,
            "type": "file" if under + name in held else "dir",
            "size": len(held.get(under + name, b"")),
        }
        for name in names
    ]
    return Answer(json.dumps(rows).encode(), 200, JSON) if rows else told(MISSING, 404)


def _search(what: str, asked: Asked) -> Answer:
    if what == "code":
        return _code(asked)
    rows = [
        {
            "full_name": name,
            "stargazers_count": stars,
            "pushed_at": f"{pushed}T00:00:00Z",
            "language": "Python",
            "license": {"spdx_id": "Apache-2.0"},
            "archived": False,
            "description": "Train transformer language models",
            "html_url": f"https://github.com/{name}",
        }
        for name, stars, pushed in REPOSITORIES
    ]
    order = "pushed_at" if asked.query["sort"] == "updated" else "stargazers_count"
    rows.sort(key=lambda row: str(row[order]), reverse=True)
    return told({"total_count": len(rows), "incomplete_results": False, "items": rows})


def _code(asked: Asked) -> Answer:
    if not asked.token:
        return told({"message": "Requires authentication", "errors": [], "status": "401"}, 401)
    word = asked.query["q"].split()[0]
    items = [
        {
            "path": path,
            "html_url": f"https://github.com/{repo}/blob/main/{quote(path)}",
            "repository": {"full_name": repo},
            "text_matches": [{"fragment": body.decode("utf-8", "replace")}],
        }
        for repo, held in FILES.items()
        for path, body in held.items()
        if word.encode() in body
    ]
    return told({"total_count": len(items), "incomplete_results": False, "items": items})
