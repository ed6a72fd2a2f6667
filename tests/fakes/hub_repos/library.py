"""The Hub's documentation in its shapes: catalog, indexes of pages, searches, Markdown pages, OpenAPI."""

from __future__ import annotations

from typing import Any

from fakes.table_server import Answer, Asked, told

CATALOG = [
    {"id": "trl", "url": "/docs/trl", "category": "Training"},
    {"id": "hub", "url": "https://huggingface.co/docs/hub/index", "category": "Hub"},
    {"id": "gradio", "url": "https://www.gradio.app/docs", "category": "Apps"},
]
INDEX = """# Trl

## Docs

- [SFT Trainer](https://huggingface.co/docs/trl/v1.7.0/sft_trainer.md)
- [DPO Trainer](https://huggingface.co/docs/trl/v1.7.0/dpo_trainer.md)
- [Elsewhere](https://example.com/other.md)
"""
PAGE = """# SFT Trainer

Trains on demonstrations.

## Quick start

```python
# a comment, no heading
trainer = SFTTrainer(model="Qwen/Qwen2-0.5B")
```

### Expected data

`messages`, or `prompt` and `completion`: für alle, 你好.

## SFTConfig[[trl.SFTConfig]]

learning_rate (float, default 2e-5)
"""
LONG = "# Long\n\n" + "".join(f"## Part {place}\n\n{'word ' * 600}\n\n" for place in range(1, 13))
PAGES = {"trl/sft_trainer": PAGE, "trl/v1.7.0/sft_trainer": PAGE, "trl/long": LONG}
MEANING = [
    {
        "text": "The trainer expects messages, or prompt and completion.",
        "product": "trl",
        "heading1": "SFT Trainer",
        "heading2": "Expected data",
        "source_page_url": "https://huggingface.co/docs/trl/sft_trainer#expected-data",
        "source_page_title": "SFT Trainer",
    }
]
WORDS = {
    "hits": [{"url": "/docs/trl/dpo_trainer#loss", "hierarchy_lvl1": "DPO Trainer", "content": "The loss of DPO."}],
    "estimatedTotalHits": 1,
}
API: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Hub API"},
    "tags": [{"name": "jobs"}],
    "paths": {
        "/api/jobs/{namespace}": {
            "parameters": [{"$ref": "#/components/parameters/namespace"}],
            "get": {
                "tags": ["jobs"],
                "summary": "List jobs",
                "parameters": [
                    {
                        "name": "stage",
                        "in": "query",
                        "schema": {"type": "array", "items": {"enum": ["RUNNING", "ERROR"]}},
                    }
                ],
                "responses": {"200": {"description": "The jobs"}},
            },
            "post": {
                "tags": ["jobs"],
                "summary": "Start a job",
                "description": "Runs a container on paid hardware.",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}},
                "responses": {"200": {"description": ""}, "402": {"description": "No credit"}},
            },
        },
        "/api/whoami-v2": {"get": {"tags": ["auth"], "summary": "Who the token belongs to", "responses": {}}},
    },
    "components": {
        "parameters": {
            "namespace": {"name": "namespace", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Job": {
                "type": "object",
                "required": ["flavor"],
                "properties": {
                    "flavor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "timeoutSeconds": {"$ref": "#/components/schemas/Nowhere"},
                },
            }
        },
    },
}


def answer(asked: Asked) -> Answer:
    values: dict[str, object] = {"/api/docs": CATALOG, "/.well-known/openapi.json": API}
    if asked.path in values:
        return told(values[asked.path])
    if asked.path == "/api/docs/search":
        return told(MEANING if "data" in asked.query["q"] else [])
    if asked.path == "/api/docs/search/full-text":
        return told(WORDS if "loss" in asked.query["q"] else {"hits": []})
    if asked.path == "/docs/trl/llms.txt":
        return Answer(INDEX.encode(), 200, "text/plain; charset=utf-8")
    page = PAGES.get(asked.path.removeprefix("/docs/").removesuffix(".md"))
    if page is None:
        return Answer(b"<!doctype html><html>Sorry, we can't find the page</html>", 404, "text/html")
    return Answer(page.encode(), 200, "text/markdown; charset=utf-8")
