"""A data set on the Hub as a layout: configs, splits and sizes from the viewer, rows from parquet files by range.

Either half may fail: without the viewer the Hub's own list of parquet files serves, without the files the viewer's
rows do. What failed is a warning; only when both fail there is no answer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mlresearch.errors import NotFound, Unavailable
from mlresearch.inspection import features
from mlresearch.inspection.arrow_tables import File, ParquetTable
from mlresearch.inspection.features import Feature
from mlresearch.inspection.layout import Layout, choose_config
from mlresearch.inspection.local import split_named
from mlresearch.inspection.tables import Reading, Row, Table, Wanted
from mlresearch.sources import dataset_hub as hub
from mlresearch.sources import dataset_viewer as viewer
from mlresearch.sources.hub_record import licence

MOST_FILES = 8
MOST_PAGES = 10
LATER = "call again later, or name a local copy"


@dataclass
class _Found:
    """What is known of the data set so far."""

    name: str
    about: dict[str, Any] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, dict[str, list[tuple[str, int | None]]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    viewer_works: bool = True


def open_hub(name: str, config: str | None) -> Layout:
    """The layout of one config; raises NotFound or Unavailable with what to do next."""
    found = _Found(hub.check_id(name))
    with _known_form():
        found.about = _about(found)
        _ask_viewer(found)
        if not found.splits:
            _ask_hub(found)
        configs = sorted(found.splits)
        choice = choose_config(name, configs, config)
        tables = _tables(found, choice)
    told: dict[str, Any] = {"url": hub.page(name), "revision": found.about.get("sha"), "license": licence(found.about)}
    told |= {key: found.about[key] for key in ("gated", "private", "lastModified") if key in found.about}
    asks = partial(_statistics, name, choice) if found.viewer_works else None
    return Layout(name, "hub", tuple(configs), choice, tables, told, tuple(found.warnings), asks)


@contextmanager
def _known_form() -> Iterator[None]:
    """An answer that is JSON of another form than documented is told as such."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        told = f"the Hub or the dataset viewer answered in another form ({type(error).__name__})"
        raise Unavailable(told, next_step=LATER) from None


def _about(found: _Found) -> dict[str, Any]:
    try:
        return hub.about(found.name)
    except NotFound:
        raise
    except Unavailable as error:
        if "gated" in error.wrong:
            raise
        found.warnings.append(f"the Hub's record is missing: {error.wrong}")
        return {}


def _is_gated(found: _Found) -> bool:
    return bool(found.about.get("gated")) or bool(found.about.get("private"))


def _ask_viewer(found: _Found) -> None:
    try:
        told = viewer.ask("splits", dataset=found.name)
    except viewer.Closed:
        if _is_gated(found):
            raise hub.closed(found.name) from None
        _viewer_fails(found, "it may not show this data set")
        return
    except Unavailable as error:
        _viewer_fails(found, error.wrong)
        return
    for each in told.get("splits") or ():
        found.splits.setdefault(str(each["config"]), []).append(str(each["split"]))
    for word in ("pending", "failed"):
        if told.get(word):
            names = ", ".join(sorted({str(each.get("config")) for each in told[word]})[:10])
            found.warnings.append(f"the viewer has {word} configs, not listed here: {names}")


def _viewer_fails(found: _Found, why: str) -> None:
    found.viewer_works = False
    found.warnings.append(f"without the dataset viewer ({why}): rows come from the parquet files alone")


def _ask_hub(found: _Found) -> None:
    """Configs and splits from lists of parquet files: the converted ones, else those in the repository itself."""
    if not found.about:
        raise Unavailable(f"{found.name}: {'; '.join(found.warnings)}", next_step=LATER)
    try:
        listed = hub.parquet(found.name)
    except Unavailable as error:
        if "gated" in error.wrong:
            raise
        listed = {}
        found.warnings.append(f"no list of converted files: {error.wrong}")
    for config, splits in listed.items():
        found.files[config] = {split: [(url, None) for url in urls] for split, urls in splits.items()}
    if not found.files:
        found.files = _own_parquet(found)
    found.splits = {config: list(splits) for config, splits in found.files.items() if splits}
    if not found.splits:
        wrong = f"{found.name}: neither the viewer nor a parquet file can be read ({'; '.join(found.warnings)})"
        raise Unavailable(wrong, next_step=LATER)


def _own_parquet(found: _Found) -> dict[str, dict[str, list[tuple[str, int | None]]]]:
    splits: dict[str, list[tuple[str, int | None]]] = {}
    for each in found.about.get("siblings") or ():
        path = str(each.get("rfilename", ""))
        if path.endswith(".parquet"):
            splits.setdefault(split_named(path), []).append((hub.file_url(found.name, path), None))
    return {"default": splits} if splits else {}


def _tables(found: _Found, config: str) -> dict[str, Table]:
    if found.viewer_works:
        _ask_files(found, config)
    sizes, types = _sizes(found, config), _features(found, config)
    tables: dict[str, Table] = {}
    for split in found.splits[config]:
        rows, is_exact = sizes.get(split, (None, True))
        files = found.files.get(config, {}).get(split, [])
        tables[split] = _HubTable(found, (config, split), files, (rows, is_exact), types)
    return tables


def _ask_files(found: _Found, config: str) -> None:
    try:
        told = viewer.ask("parquet", dataset=found.name, config=config)
    except Unavailable as error:
        found.warnings.append(f"no parquet files ({error.wrong}): rows come from the viewer, page by page")
        return
    splits = found.files.setdefault(config, {})
    for each in told.get("parquet_files") or ():
        # what was cut at 5 GB is filed under another name
        name = str(each["split"]).removeprefix("partial-")
        splits.setdefault(name, []).append((str(each["url"]), int(each["size"])))
        if name != each["split"] or told.get("partial"):
            found.warnings.append(f"only the beginning of {name} was converted to parquet; only that was sampled")
    found.warnings = list(dict.fromkeys(found.warnings))


def _sizes(found: _Found, config: str) -> dict[str, tuple[int | None, bool]]:
    """Rows by split, and whether they are exact."""
    if not found.viewer_works:
        return {}
    try:
        told = viewer.ask("size", dataset=found.name, config=config)
    except Unavailable as error:
        found.warnings.append(f"rows per split come from what was read ({error.wrong})")
        return {}
    sizes: dict[str, tuple[int | None, bool]] = {}
    for each in (told.get("size") or {}).get("splits") or ():
        rows, estimate = each.get("num_rows"), each.get("estimated_num_rows")
        partial = bool(told.get("partial")) or estimate is not None
        sizes[str(each["split"])] = (estimate if estimate is not None else rows, not partial)
    return sizes


def _features(found: _Found, config: str) -> dict[str, Feature] | None:
    if not found.viewer_works:
        return None
    try:
        told = viewer.ask("info", dataset=found.name, config=config)
        listed = (told.get("dataset_info") or {}).get("features")
    except Unavailable as error:
        found.warnings.append(f"the schema comes from the files ({error.wrong})")
        return None
    if not listed:
        found.warnings.append("the schema comes from the files (the viewer tells none)")
    return features.from_hub(listed) if listed else None


def _statistics(name: str, config: str, split: str) -> dict[str, Any]:
    """The viewer's counts over the whole split, by column; its histograms stay out."""
    with _known_form():
        told = viewer.ask("statistics", dataset=name, config=config, split=split)
        columns = {
            str(each["column_name"]): {"type": each["column_type"]}
            | {key: value for key, value in each["column_statistics"].items() if key != "histogram"}
            for each in told["statistics"]
        }
        return {"rows": told["num_examples"], "partial": bool(told.get("partial")), "columns": columns}


class _HubTable:
    """One split: its parquet files, and the viewer's pages when they can not be read."""

    def __init__(
        self,
        found: _Found,
        place: tuple[str, str],
        files: Sequence[tuple[str, int | None]],
        rows: tuple[int | None, bool],
        types: dict[str, Feature] | None,
    ) -> None:
        self._found, self._place, self._rows, self._types = found, place, rows, types
        opened = [File(url.rpartition("/")[2], size or 0, partial(hub.RangeFile, url, size)) for url, size in files]
        self._files = ParquetTable(opened, *rows, most_files=MOST_FILES) if opened else None
        self.format = "parquet" if opened else "viewer"
        self.size = self._files.size or None if self._files else None

    def features(self) -> dict[str, Feature] | None:
        if self._types is not None or self._files is None:
            return self._types
        return self._files.features()

    def sample(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        if self._files is not None:
            yield from self._files.sample(wanted, reading)
            if reading.taken or reading.error is None or not self._found.viewer_works:
                return
            why = reading.error.wrong
            reading.begin_again()
            reading.unseen.append(f"the parquet files ({why}); rows come from the viewer")
        yield from self._pages(wanted, reading)

    def _pages(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        with _known_form():
            yield from self._drawn_pages(wanted, reading)

    def _drawn_pages(self, wanted: Wanted, reading: Reading) -> Iterator[Row]:
        config, split = self._place
        size = min(viewer.PAGE_ROWS, wanted.rows)
        place: Mapping[str, Any] = {"dataset": self._found.name, "config": config, "split": split}
        first = viewer.ask("rows", **place, offset=0, length=size)
        total = int(first.get("num_rows_total") or 0)
        reading.rows, reading.is_exact = (total, not first.get("partial")) if self._rows[0] is None else self._rows
        offsets = list(range(0, total, size))
        most = min(MOST_PAGES, -(-wanted.rows // size))
        if len(offsets) > most:
            offsets = sorted(random.Random(wanted.seed).sample(offsets, most))
            reading.unseen.append("rows outside the pages drawn; the viewer hands out 100 rows a call")
        reading.how = f"{len(offsets)} pages of {size} rows from the viewer (seed {wanted.seed})"
        for offset in offsets:
            told = first if not offset else viewer.ask("rows", **place, offset=offset, length=size)
            for each in told.get("rows") or ():
                if each.get("truncated_cells"):
                    reading.fault(f"row {each.get('row_idx')}: cells cut by the viewer: {each['truncated_cells']}")
                    continue
                reading.taken += 1
                yield each["row"]
