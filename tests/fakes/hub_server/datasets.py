"""Data sets as records: what the Hub's API and the dataset viewer tell about each."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow
from pyarrow import parquet

Splits = Mapping[str, pyarrow.Table]


@dataclass
class Dataset:
    """`configs` holds a table per config and split.

    `gated`: listed for all, closed to who is not in `readers`. `private`: unknown to them. `viewer`: ok, busy (not
    ready yet), or off. `partial`: only the beginning was converted; the real number of rows is `full_rows`. `more` is
    what else the record holds, such as `tags` or `cardData`.
    """

    id: str
    configs: Mapping[str, Splits]
    features: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    readers: tuple[str, ...] = ()
    viewer: str = "ok"
    is_converted: bool = True
    partial: bool = False
    full_rows: int = 0
    row_group_rows: int = 1000
    more: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Parquet bytes by path in the branch of converted files."""
        found = {}
        for config, split, table in self._tables():
            held = io.BytesIO()
            parquet.write_table(table, held, row_group_size=self.row_group_rows)
            found[f"{config}/{self._folder(split)}/0000.parquet"] = held.getvalue()
        return found

    def _tables(self) -> list[tuple[str, str, pyarrow.Table]]:
        return [(config, split, table) for config, splits in self.configs.items() for split, table in splits.items()]

    def _folder(self, split: str) -> str:
        return f"partial-{split}" if self.partial else split

    def is_open_to(self, token: str) -> bool:
        return token in self.readers or not (self.gated or self.private)

    def record(self) -> dict[str, Any]:
        siblings = [{"rfilename": "README.md"}]
        if not self.is_converted:
            siblings += [{"rfilename": f"data/{split}-00000.parquet"} for _, split, _ in self._tables()]
        return {
            "id": self.id,
            "author": self.id.partition("/")[0],
            "sha": "5" * 40,
            "private": self.private,
            "gated": "auto" if self.gated else False,
            "disabled": False,
            "lastModified": "2026-11-01T00:00:00.000Z",
            "siblings": siblings,
        } | dict(self.more)

    def converted(self, base: str) -> dict[str, dict[str, list[str]]]:
        """GET /api/datasets/ID/parquet."""
        found: dict[str, dict[str, list[str]]] = {}
        for config, split, _ in self._tables() if self.is_converted else ():
            url = f"{base}/api/datasets/{self.id}/parquet/{config}/{self._folder(split)}/0.parquet"
            found.setdefault(config, {})[split] = [url]
        return found

    def split_list(self, config: str | None) -> dict[str, Any]:
        splits = [
            {"dataset": self.id, "config": name, "split": split}
            for name, split, _ in self._tables()
            if config in (None, name)
        ]
        return {"splits": splits, "pending": [], "failed": []}

    def info(self, config: str) -> dict[str, Any]:
        splits = {
            split: {"name": split, "num_examples": table.num_rows, "num_bytes": table.nbytes}
            for split, table in self.configs[config].items()
        }
        return {
            "dataset_info": {"features": self._features(config), "splits": splits, "config_name": config},
            "partial": self.partial,
        }

    def _features(self, config: str) -> dict[str, Any]:
        schema = next(iter(self.configs[config].values())).schema
        return {field.name: _hub_type(field.type) for field in schema} | dict(self.features)

    def sizes(self, config: str) -> dict[str, Any]:
        splits = [
            {
                "dataset": self.id,
                "config": config,
                "split": split,
                "num_rows": table.num_rows,
                "num_bytes_memory": table.nbytes,
                "num_columns": table.num_columns,
                "estimated_num_rows": self.full_rows if self.partial else None,
            }
            for split, table in self.configs[config].items()
        ]
        return {"size": {"splits": splits}, "pending": [], "failed": [], "partial": self.partial}

    def parquet_files(self, config: str, base: str) -> dict[str, Any]:
        files = []
        for path, data in self.files.items() if self.is_converted else ():
            name, folder, filename = path.split("/")
            if name == config:
                url = f"{base}/datasets/{self.id}/resolve/refs%2Fconvert%2Fparquet/{path}"
                about = {"filename": filename, "size": len(data)}
                files.append({"dataset": self.id, "config": name, "split": folder, "url": url, **about})
        return {"parquet_files": files, "pending": [], "failed": [], "partial": self.partial}

    def statistics(self, config: str, split: str) -> dict[str, Any]:
        table = self.configs[config][split]
        told = []
        for name in table.column_names:
            values, kind = table[name].to_pylist(), self.features.get(name, {})
            about: dict[str, Any] = {"nan_count": values.count(None), "nan_proportion": 0.0}
            if kind.get("_type") == "ClassLabel":
                about["frequencies"] = {label: values.count(at) for at, label in enumerate(kind["names"])}
                about |= {"no_label_count": 0, "n_unique": len(kind["names"])}
            elif isinstance(values[0], str):
                lengths = sorted(len(value) for value in values if value is not None)
                about |= {"min": lengths[0], "max": lengths[-1], "median": lengths[len(lengths) // 2]}
                about["histogram"] = {"hist": [len(lengths)], "bin_edges": [lengths[0], lengths[-1]]}
            word = "class_label" if "frequencies" in about else "string_text" if "min" in about else "other"
            told.append({"column_name": name, "column_type": word, "column_statistics": about})
        return {"num_examples": table.num_rows, "statistics": told, "partial": self.partial}

    def rows(self, config: str, split: str, offset: int, length: int) -> dict[str, Any]:
        table = self.configs[config][split]
        rows = table.slice(offset, length).to_pylist()
        return {
            "features": [
                {"feature_idx": place, "name": name, "type": kind}
                for place, (name, kind) in enumerate(self._features(config).items())
            ],
            "rows": [
                {"row_idx": offset + place, "row": json.loads(json.dumps(row, default=_link)), "truncated_cells": []}
                for place, row in enumerate(rows)
            ],
            "num_rows_total": table.num_rows,
            "num_rows_per_page": 100,
            "partial": self.partial,
        }


def _link(value: Any) -> Any:
    """The viewer shows media as an address, never as bytes."""
    return {"src": f"https://example.invalid/{len(value)}"} if isinstance(value, bytes) else str(value)


def _hub_type(kind: Any) -> Any:
    if pyarrow.types.is_list(kind):
        return {"feature": _hub_type(kind.value_type), "_type": "List"}
    if pyarrow.types.is_struct(kind):
        return {kind.field(place).name: _hub_type(kind.field(place).type) for place in range(kind.num_fields)}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}
