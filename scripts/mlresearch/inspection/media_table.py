"""A folder of pictures or sounds as a table: one row a file, its class from the folder, more columns from metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlresearch.inspection import csv_table, features, text_tables
from mlresearch.inspection.features import AUDIO, CLASS_LABEL, IMAGE, Feature
from mlresearch.inspection.tables import MIB, Reading, Row, Wanted, draw, told_draw

METADATA = ("metadata.jsonl", "metadata.csv")
MOST_METADATA = 256 * MIB


class MediaTable:
    """`labels` has the class of each path, or is empty when the folders name none."""

    def __init__(self, kind: str, paths: Sequence[Path], labels: Sequence[str], more: Mapping[str, Row]) -> None:
        self.kind, self._paths, self._labels, self._more = kind, list(paths), list(labels), more
        self.format = f"{kind} folder"
        self.size: int | None = sum(path.stat().st_size for path in paths)

    def features(self) -> dict[str, Feature] | None:
        found = {self.kind: Feature(self.kind)}
        if self._labels:
            found["label"] = Feature(CLASS_LABEL, names=tuple(sorted(set(self._labels))))
        return found | features.from_values(list(self._more.values())[:2000])

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        total, left = len(self._paths), wanted.most_bytes
        reading.rows, reading.how = total, told_draw(wanted.rows, total, wanted.seed)
        names = sorted(set(self._labels))
        for place in draw(total, wanted.rows, wanted.seed):
            path = self._paths[place]
            left -= path.stat().st_size
            if left < 0:
                reading.unseen.append(f"files after the first {reading.taken} drawn, for want of budget")
                return
            row: dict[str, Any] = {self.kind: {"bytes": path.read_bytes(), "path": path.name}}
            if names:
                row["label"] = names.index(self._labels[place])
            reading.taken += 1
            yield {**row, **self._more.get(path.name, {})}


def build(kind: str, root: Path, paths: Sequence[Path], split_of: Mapping[Path, str]) -> dict[str, MediaTable]:
    """One table a split. The folder right above a file is its class, unless that is the root or the split's own."""
    tables = {}
    for split in dict.fromkeys(split_of[path] for path in paths):
        mine = [path for path in paths if split_of[path] == split]
        more = _metadata(mine)
        above = [path.parent.relative_to(root).parts[-1:] for path in mine]
        folders = [names[0] if names else "" for names in above]
        is_classed = len(set(folders)) > 1 and not more
        tables[split] = MediaTable(kind, mine, folders if is_classed else [], more)
    return tables


def kinds_of(paths: Sequence[Path], kind_of: Mapping[str, str]) -> str:
    """image or audio, whichever more of the files are."""
    counts = {kind: sum(kind_of[str(path)] == kind for path in paths) for kind in (IMAGE, AUDIO)}
    return max(counts, key=lambda kind: counts[kind])


def _metadata(paths: Sequence[Path]) -> dict[str, Row]:
    """What metadata files beside the media say, by file name."""
    found: dict[str, Row] = {}
    for folder in {path.parent for path in paths}:
        for name in METADATA:
            for row in _rows(folder / name):
                key = Path(str(row.get("file_name", ""))).name
                found[key] = {column: value for column, value in row.items() if column != "file_name"}
    found.pop("", None)
    return found


def _rows(path: Path) -> Iterator[Row]:
    if not path.is_file():
        return
    table = csv_table.csv_table([path]) if path.suffix == ".csv" else text_tables.lines_table([path])
    yield from table.sample(Wanted(1_000_000, 0, MOST_METADATA), Reading())
