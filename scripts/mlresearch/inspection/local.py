"""What lies under a path: a file, a folder of files or of media, or a folder that the `datasets` library saved.

Splits are read off file and folder names (train, validation, test and their usual spellings), or off the `configs` of
a README.md, as the Hub does. It runs nothing: a loading script is named and left alone.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlresearch import store
from mlresearch.errors import NotFound, Refused, ResearchError
from mlresearch.inspection import csv_table, media, media_table, text_tables
from mlresearch.inspection.arrow_tables import ArrowTable, File, ParquetTable
from mlresearch.inspection.layout import Layout, choose_config, listed
from mlresearch.inspection.tables import Table

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "text",
}
READS = "csv, tsv, json, jsonl, parquet, arrow, feather, txt (text files also as .gz), folders of images or audio"
MOST_FILES = 200_000
# files that say something about the data and are not the data
_BESIDE = ("dataset_info.json", "dataset_dict.json", "dataset_infos.json", "state.json", *media_table.METADATA)
_SPLIT = re.compile(
    r"(?:^|[/_.\- ])(train|training|validation|valid|val|dev|test|testing|eval|evaluation)(?=[/_.\- \d]|$)", re.I
)
_SPELLINGS = {"training": "train", "valid": "validation", "val": "validation", "dev": "validation", "testing": "test"}
_SPELLINGS |= {"eval": "test", "evaluation": "test"}


def is_path(name: str) -> bool:
    """Whether the name means this machine: something is there, or it is written as no Hub id can be."""
    return Path(name).expanduser().exists() or name.startswith((".", "/", "~")) or bool(_format(Path(name)))


def open_path(name: str, config: str | None) -> Layout:
    """The layout of what is there; raises NotFound when nothing is, or nothing that can be read."""
    path = Path(name).expanduser()
    if not path.exists():
        raise NotFound(f"there is nothing at {name}", READS, "check the path")
    must_be_open(path)
    about = {"path": str(path.resolve())}
    if path.is_file():
        tables = _tables(_must_have_format(path), path.parent, {path: "train"})
        choice = choose_config(name, ["default"], config)
        return Layout(name, "local", ("default",), choice, tables, about, _not_compared(path))
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        choice = choose_config(name, ["default"], config)
        return Layout(name, "local", ("default",), choice, _saved(path), about | {"saved_by": "datasets"})
    configs = _declared(path) or {"default": _by_name(path)}
    choice = choose_config(name, list(configs), config)
    split_of, notes = configs[choice], list[str]()
    if not split_of:
        raise NotFound(f"{name} holds no data that can be read", READS, "name a file of it")
    tables = _folder(path, split_of, notes)
    return Layout(name, "local", tuple(configs), choice, tables, about, tuple(notes))


def must_be_open(path: Path) -> None:
    """Raises Refused for what the store holds: the sealed part of a campaign's data is there."""
    if path.resolve().is_relative_to(Path(store.base()).resolve()):
        raise Refused(
            f"{path} lies in the store of sealed data", "data outside it", "campaign.py finalize reads it once"
        )


def _format(path: Path) -> str:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    found = FORMATS.get(suffix.lower(), "")
    return "" if path.suffix == ".gz" and found in ("parquet", "arrow") else found


def _must_have_format(path: Path) -> str:
    found = _format(path)
    if not found:
        raise NotFound(f"{path} is of no format that can be read", READS, "convert it, or name another file")
    return found


def _tables(kind: str, root: Path, split_of: Mapping[Path, str]) -> dict[str, Table]:
    splits: dict[str, list[Path]] = {}
    for path in sorted(split_of):
        splits.setdefault(split_of[path], []).append(path)
    return {split: _table(kind, paths) for split, paths in splits.items()}


def _table(kind: str, paths: Sequence[Path]) -> Table:
    for path in paths:
        must_be_open(path)
    sizes = [path.stat().st_size for path in paths]
    if kind == "parquet":
        return ParquetTable([_file(path, size) for path, size in zip(paths, sizes, strict=True)])
    if kind == "arrow":
        return ArrowTable([str(path) for path in paths], sizes)
    makers: dict[str, Callable[[Sequence[Path]], Table]] = {
        "csv": csv_table.csv_table,
        "jsonl": text_tables.lines_table,
        "json": text_tables.json_table,
        "text": text_tables.text_table,
    }
    return makers[kind](paths)


def _file(path: Path, size: int) -> File:
    return File(str(path), size, lambda: str(path))


def _not_compared(path: Path) -> tuple[str, ...]:
    """What to call to compare a file with those beside it that hold other splits, where their folder reads them all."""
    try:
        beside = [each for each in path.parent.iterdir() if _format(each) and each.is_file() and _is_data(each.name)]
    except OSError:  # a file can be read in a folder that can not
        return ()
    kinds = Counter(map(_format, beside)).most_common(1)
    mine = [each.name for each in beside if _format(each) == _format(path)]
    others = sorted(name for name in mine if split_named(name) != split_named(path.name))
    if not others or kinds[0][0] != _format(path):
        return ()
    told = f"{path.name} was read alone, not compared with {listed(others, 4)} beside it"
    return (f"{told}: --dataset {shlex.quote(str(path.parent))} reads them as splits",)


def _is_data(name: str) -> bool:
    return name not in _BESIDE and not name.startswith(".")


def _saved(path: Path) -> dict[str, Table]:
    """A folder of Dataset.save_to_disk or DatasetDict.save_to_disk."""
    told = path / "dataset_dict.json"
    names = _json(told).get("splits") or [] if told.is_file() else [""]
    tables: dict[str, Table] = {}
    for name in map(str, names):
        files = [path / name / str(each.get("filename")) for each in _json(path / name / "state.json")["_data_files"]]
        gone = [file.name for file in files if not file.is_file()]
        if gone:
            raise ResearchError(f"{path / name} is not whole: {', '.join(gone[:3])} missing", next_step="save it anew")
        tables[name or "train"] = _table("arrow", files)
    return tables


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise ResearchError(f"{path} is not the JSON object that the datasets library writes", next_step="save it anew")


def _files(root: Path) -> list[Path]:
    """Every file that is data or media, hidden ones aside."""
    found = []
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.name in _BESIDE or any(part.startswith(".") for part in inside.parts) or not path.is_file():
            continue
        if _format(path) or media.kind_of_path(path.name):
            found.append(path)
        if len(found) > MOST_FILES:
            raise ResearchError(f"{root} holds more than {MOST_FILES} files", next_step="name a part of it")
    return sorted(found)


def split_named(inside: str) -> str:
    """The split that a path inside the data set names; `train` when it names none."""
    found = _SPLIT.search(inside)
    name = found[1].lower() if found else "train"
    return _SPELLINGS.get(name, name)


def _by_name(root: Path) -> dict[Path, str]:
    return {path: split_named(str(path.relative_to(root))) for path in _files(root)}


def _declared(root: Path) -> dict[str, dict[Path, str]]:
    """The configs that README.md declares, each with its files and their splits; empty when it declares none."""
    import yaml

    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    head = re.match(r"---\n(.*?)\n---\s*(?:\n|$)", text, re.S)
    try:
        told = (yaml.safe_load(head[1]) or {}).get("configs") if head else None
        return {str(each.get("config_name", "default")): _data_files(root, each) for each in told or ()}
    except (yaml.YAMLError, AttributeError, ValueError, TypeError):
        return {}


def _data_files(root: Path, config: Mapping[str, Any]) -> dict[Path, str]:
    told = config["data_files"] if "data_files" in config else f"{config.get('data_dir', '.')}/**"
    parts = told if isinstance(told, list) and told and isinstance(told[0], dict) else [{"path": told}]
    found: dict[Path, str] = {}
    for part in parts:
        patterns = part["path"] if isinstance(part["path"], list) else [part["path"]]
        for pattern in patterns:
            for path in sorted(root.glob(str(pattern))):
                if path.is_file() and (_format(path) or media.kind_of_path(path.name)):
                    found[path] = str(part.get("split") or split_named(str(path.relative_to(root))))
    return found


def _folder(root: Path, split_of: Mapping[Path, str], notes: list[str]) -> dict[str, Table]:
    """The tables of a folder: of the format most files have; the others are named, not read."""
    kinds = Counter(_format(path) or "media" for path in split_of)
    chosen = kinds.most_common(1)[0][0]
    mine = {path: split for path, split in split_of.items() if (_format(path) or "media") == chosen}
    if len(kinds) > 1:
        others = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if kind != chosen)
        notes.append(f"the folder holds several formats: {chosen} was read, {others} files were not")
    if chosen != "media":
        return _tables(chosen, root, mine)
    kind_of = {str(path): media.kind_of_path(path.name) for path in mine}
    kind = media_table.kinds_of(list(mine), kind_of)
    paths = [path for path in mine if kind_of[str(path)] == kind]
    for path in paths:
        must_be_open(path)
    return dict(media_table.build(kind, root, paths, mine))
