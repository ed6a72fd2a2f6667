"""Every kind of file, whole and damaged: rows, types and faults; and samples that a seed fixes."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.shapes import ask, look, picture, read, sound, table
from mlresearch import store
from mlresearch.inspection import answer, text_tables
from mlresearch.inspection.answer import Asked
from mlresearch.inspection.tables import Reading, Wanted, draw

ROWS = [{"text": f"text {place}", "n": place, "score": place / 2, "ok": place % 2 == 0} for place in range(200)]
TYPES = {"text": "string", "n": "int64", "score": "float64", "ok": "bool"}


def as_csv(rows: list[dict[str, Any]], separator: str = ",") -> str:
    lines = [separator.join(rows[0])]
    lines += [separator.join(str(value) for value in row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def write(path: Path) -> None:
    """The same rows in the format that the name asks for."""
    lines = "\n".join(map(json.dumps, ROWS)) + "\n"
    contents = {
        "data.csv": as_csv(ROWS).encode(),
        "data.tsv": as_csv(ROWS, "\t").encode(),
        "data.csv.gz": gzip.compress(as_csv(ROWS).encode()),
        "data.jsonl": lines.encode(),
        "data.ndjson": lines.encode(),
        "data.jsonl.gz": gzip.compress(lines.encode()),
        "data.json": json.dumps(ROWS, indent=1).encode(),
        "lines.json": lines.encode(),
        "wrapped.json": json.dumps({"version": 1, "data": ROWS}).encode(),
        "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in TYPES}).encode(),
    }
    path.write_bytes(contents[path.name])


TEXT_FILES = ["data.csv", "data.tsv", "data.csv.gz", "data.jsonl", "data.ndjson", "data.jsonl.gz", "data.json"]
TEXT_FILES += ["lines.json", "wrapped.json", "columns.json"]


@pytest.mark.parametrize("name", TEXT_FILES)
def test_the_same_rows_read_the_same_from_every_text_format(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    data = look("--dataset", str(tmp_path / name))
    assert data["types"] == TYPES
    assert (data["splits"][0]["rows"], data["splits"][0]["rows_are"]) == (200, "exact")
    assert data["samples"]["rows"][1] == {"text": "text 1", "n": 1, "score": 0.5, "ok": False}
    assert data["duplicates"]["within"] == {"train": 0}


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_files_and_streams_are_read(tmp_path: Path, kind: str) -> None:
    made = pyarrow.Table.from_pylist(ROWS)
    path = tmp_path / "data.arrow"
    make = pyarrow.ipc.new_file if kind == "file" else pyarrow.ipc.new_stream
    with make(str(path), made.schema) as writer:
        writer.write_table(made, max_chunksize=30)
    data = look("--dataset", str(path), "--sample", "20")
    assert (data["types"]["n"], data["splits"][0]["rows"], data["splits"][0]["rows_read"]) == ("int64", 200, 20)


def test_a_folder_saved_by_the_datasets_library_is_read(tmp_path: Path) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for split, rows in (("train", ROWS), ("test", ROWS[:3])):
        folder = tmp_path / split
        folder.mkdir()
        made = pyarrow.Table.from_pylist(rows)
        with pyarrow.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), made.schema) as writer:
            writer.write_table(made)
        (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
        (folder / "dataset_info.json").write_text("{}")
    data = look("--dataset", str(tmp_path))
    assert {each["split"]: each["rows"] for each in data["splits"]} == {"train": 200, "test": 3}
    assert data["duplicates"]["across"] == [{"splits": ["train", "test"], "rows": 3}]


def test_files_of_one_folder_are_compared_as_its_splits_and_a_file_alone_says_how(tmp_path: Path) -> None:
    for name, rows in (("train", "1,a\n2,b\n"), ("test", "2,b\n3,c\n"), ("train-more", "4,d\n")):
        (tmp_path / f"{name}.csv").write_text(f"n,text\n{rows}")
    (tmp_path / "test.jsonl").write_text("{}\n")
    alone = look("--dataset", str(tmp_path / "train.csv"))
    assert alone["duplicates"]["across"] == []
    assert alone["warnings"] == [
        f"train.csv was read alone, not compared with test.csv beside it: --dataset {tmp_path} reads them as splits"
    ]
    assert alone["warnings"][0] in read("--dataset", str(tmp_path / "train.csv"))
    (tmp_path / "test.jsonl").unlink()
    together = look("--dataset", str(tmp_path))
    assert {each["split"]: each["rows"] for each in together["splits"]} == {"train": 3, "test": 2}
    assert together["duplicates"]["across"] == [{"splits": ["train", "test"], "rows": 1}]
    assert together["warnings"] == ["train and test share 1 rows of those sampled"]


def test_a_file_whose_neighbours_name_no_other_split_is_told_of_none(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv", ".test.csv"):
        (tmp_path / name).write_text("n\n1\n")
    (tmp_path / "test.txt").write_text("a note\n")
    assert look("--dataset", str(tmp_path / "one.csv"))["warnings"] == []


def test_splits_are_read_off_names_and_configs_off_the_readme(tmp_path: Path) -> None:
    for name in ("train/a.jsonl", "train/b.jsonl", "my-val.jsonl", "test_00.jsonl", "german/all.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"text": "x"}\n')
    rows = {each["split"]: each["rows"] for each in look("--dataset", str(tmp_path))["splits"]}
    assert rows == {"train": 3, "validation": 1, "test": 1}
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: train/*.jsonl\n"
        "- config_name: de\n  data_files: german/*\n---\nHello\n"
    )
    data = look("--dataset", str(tmp_path), "--config", "de")
    assert (data["configs"], data["splits"][0]["rows"]) == (["en", "de"], 1)


def test_a_folder_of_images_has_its_folders_as_classes(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for label in ("cat", "dog"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for place in range(count):
                (folder / f"{place}.png").write_bytes(picture(place + 50 * (label == "dog") + 100 * (split == "test")))
    data = look("--dataset", str(tmp_path), "--method", "vision")
    assert data["schema"] == {"image": "image", "label": {"class_label": ["cat", "dog"]}}
    assert data["columns"]["train"]["label"]["classes"][0] == {"value": 0, "name": "cat", "rows": 4}
    assert data["verdicts"]["vision"]["verdict"] == "compatible"


def test_a_folder_of_sounds_takes_its_columns_from_the_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(sound(0.2))
    (tmp_path / "b.wav").write_bytes(sound(0.3))
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,hello\nb.wav,bye\n")
    data = look("--dataset", str(tmp_path))
    assert data["types"] == {"audio": "audio", "text": "string"}
    assert data["samples"]["rows"][0]["text"] == "hello"


def test_broken_lines_are_counted_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": \n[1]\n\n{"a": 2}\n\xff\xfe\n')
    split = look("--dataset", str(path))["splits"][0]
    assert (split["rows"], split["rows_read"], split["unreadable"]) == (5, 2, 3)
    assert split["unreadable_first"][0].startswith("record 2: ")


def test_a_csv_row_of_another_width_is_a_fault_and_not_a_shifted_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,"two, with a\nline"\n3\n4,5,6\n7,8\n')
    split = look("--dataset", str(path))["splits"][0]
    assert (split["rows"], split["rows_read"], split["unreadable"]) == (4, 2, 2)


def test_a_csv_column_is_a_number_only_when_all_its_cells_are(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("code,answer,score,flag\n007,42,1,true\n123,fine,2.5,\n")
    data = look("--dataset", str(path))
    assert data["types"] == {"code": "string", "answer": "string", "score": "float64", "flag": "bool"}
    assert data["samples"]["rows"][0] == {"code": "007", "answer": "42", "score": 1, "flag": True}


def test_a_cut_json_array_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(ROWS)[:-30])
    split = look("--dataset", str(path))["splits"][0]
    assert split["rows_read"] == 199
    assert "what follows the fault in x.json" in split["not_seen"]


ODD_TABLES = {
    "no rows": pyarrow.table({"a": pyarrow.array([], pyarrow.string())}),
    "no columns": pyarrow.table({}),
    "one name twice": pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"]),
    "dates": pyarrow.table({"at": pyarrow.array([0, None], pyarrow.timestamp("us", "UTC"))}),
    "long times": pyarrow.table({"for": pyarrow.array([1, 2], pyarrow.duration("ns"))}),
    "decimals": pyarrow.table({"d": pyarrow.array([1, 2]).cast(pyarrow.decimal128(30, 2))}),
    "a map": pyarrow.table({"m": pyarrow.array([[("k", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64()))}),
    "a dictionary": pyarrow.table({"c": pyarrow.array(["x", "y", "x"]).dictionary_encode()}),
    "large text": pyarrow.table({"t": pyarrow.array(["x"], pyarrow.large_string())}),
    "only nulls": pyarrow.table({"n": pyarrow.nulls(3)}),
    "not a number": pyarrow.table({"f": [float("nan"), float("inf"), 1.0]}),
    "raw bytes": pyarrow.table({"b": [b"\x00\xff", None]}),
    "half floats": pyarrow.table({"h": pyarrow.array([1.0, 2.0], pyarrow.float32()).cast(pyarrow.float16())}),
    "empty lists": pyarrow.table({"messages": pyarrow.array([[], None], pyarrow.list_(pyarrow.string()))}),
    "a broken image": pyarrow.table({"image": [{"bytes": b"\x89PNG\r\n\x1a\ncut", "path": "x.png"}]}),
}


@pytest.mark.parametrize("name", ODD_TABLES)
def test_an_odd_table_gives_an_answer(tmp_path: Path, name: str) -> None:
    from pyarrow import parquet

    parquet.write_table(ODD_TABLES[name], tmp_path / "x.parquet")
    data = look("--dataset", str(tmp_path / "x.parquet"), "--picture", str(tmp_path / "x.png"))
    assert data["splits"][0]["rows"] == ODD_TABLES[name].num_rows
    assert read("--dataset", str(tmp_path / "x.parquet"))


ODD_TEXTS = {
    "empty.csv": b"",
    "head.csv": b"a,b\n",
    "bom.csv": b"\xef\xbb\xbfa,b\n1,2\n",
    "latin.csv": b"a;b\n\xe9t\xe9;2\n",
    "empty.jsonl": b"",
    "empty.json": b"",
    "none.json": b"[]",
    "one.json": b'{"a": 1}',
    "mixed.jsonl": b'{"a": 1}\n{"a": "x"}\n{"a": {"b": [1, "c"]}}\n',
    "deep.json": b'[{"a": ' + b"[" * 500 + b"]" * 500 + b"}]",
    "plain.txt": "línea uno\nzwei\n".encode(),
}


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_an_odd_text_gives_an_answer_or_the_agreed_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ODD_TEXTS[name])
    code, told = ask("--dataset", str(tmp_path / name))
    assert code == 0 or (code, set(told)) == (1, {"error", "fallback"})


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.json", "x.jsonl", "x.jsonl.gz", "x.zip", "x.parquet.gz"])
def test_a_file_of_noise_is_a_failure_in_the_agreed_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    code, told = ask("--dataset", str(tmp_path / name))
    assert (code, set(told)) == (1, {"error", "fallback"})
    assert told["fallback"]


def test_one_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table(text=["a", "b"]), tmp_path / "train-2.parquet")
    (tmp_path / "train-1.parquet").write_bytes(b"PAR1 cut")
    split = look("--dataset", str(tmp_path))["splits"][0]
    assert split["rows_read"] == 2
    assert split["rows_are"] == "estimated"
    assert "train-1.parquet" in split["not_seen"][0]


def test_a_row_group_past_the_budget_gives_its_leading_rows_and_says_so(tmp_path: Path) -> None:
    from pyarrow import parquet

    rows = pyarrow.table({"text": [f"{place} " + "x" * 500 for place in range(2000)]})
    parquet.write_table(rows, tmp_path / "x.parquet", row_group_size=2000, use_dictionary=False)
    split = answer.inspect(Asked(str(tmp_path / "x.parquet"), rows=5000, most_bytes=100_000)).as_data()["splits"][0]
    assert split["rows"] == 2000
    assert 100 < split["rows_read"] < 400
    assert "all but the first" in split["not_seen"][0]


def test_nothing_at_a_path_and_nothing_readable_are_failures(tmp_path: Path) -> None:
    assert "there is nothing at" in ask("--dataset", str(tmp_path / "gone"))[1]["error"]
    (tmp_path / "notes.md").write_text("x")
    assert "holds no data that can be read" in ask("--dataset", str(tmp_path))[1]["error"]


def test_the_store_of_sealed_data_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    sealed = tmp_path / "ml-research" / "roots" / "labels.csv"
    sealed.parent.mkdir(parents=True)
    sealed.write_text("a,b\n1,2\n")
    link = tmp_path / "data"
    link.mkdir()
    (link / "x.csv").symlink_to(sealed)
    for path in (sealed, sealed.parent, link):
        code, told = ask("--dataset", str(path))
        assert (code, "store of sealed data" in told["error"]) == (2, True)


def test_inside_an_approved_campaign_a_picture_goes_under_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "store"))
    root = tmp_path / "project"
    (root / "work").mkdir(parents=True)
    write(root / "data.csv")
    store.put(store.seal_path(str(root)), {})
    code, told = ask("--dataset", str(root / "data.csv"), "--picture", str(root / "runs" / "x.png"))
    assert (code, "work/" in told["fallback"], (root / "runs").exists()) == (2, True, False)
    look("--dataset", str(root / "data.csv"), "--picture", str(root / "work" / "x.png"))
    assert (root / "work" / "x.png").is_file()


@pytest.mark.parametrize("target", ["note.txt", "taken.png"])
def test_a_picture_never_replaces_what_is_no_picture(tmp_path: Path, target: str) -> None:
    write(tmp_path / "data.csv")
    (tmp_path / target).write_text("mine")
    code, _ = ask("--dataset", str(tmp_path / "data.csv"), "--picture", str(tmp_path / target))
    assert (code, (tmp_path / target).read_text()) == (2, "mine")


@pytest.mark.parametrize("words", [("--sample", "0"), ("--sample", "many"), ("--seed", "-1"), ("--method", "ppo")])
def test_misuse_is_told_in_the_agreed_form(tmp_path: Path, words: tuple[str, str]) -> None:
    code, told = ask("--dataset", str(tmp_path), *words)
    assert (code, set(told)) == (2, {"error", "fallback"})


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl", "data.json"])
def test_a_sample_is_fixed_by_its_seed(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    words = ("--dataset", str(tmp_path / name), "--sample", "20", "--seed")
    first, again, other = look(*words, "7"), look(*words, "7"), look(*words, "8")
    assert first == again
    assert first["samples"] != other["samples"]
    assert first["splits"][0]["how"] == "20 rows drawn uniformly from all rows (seed 7)"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 5))
def test_a_draw_is_ordered_without_repeats_and_repeatable(total: int, count: int, seed: int) -> None:
    found = draw(total, count, seed)
    assert found == sorted(set(found)) == draw(total, count, seed)
    assert len(found) == min(total, count)
    assert all(0 <= place < total for place in found)


def test_past_the_budget_the_beginning_is_read_and_the_count_is_an_estimate(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps({"text": "x" * 90}) for _ in range(5000)))
    reading = Reading()
    rows = list(text_tables.lines_table([path]).sample(Wanted(100, 0, 50_000), reading))
    assert len(rows) == 100
    assert not reading.is_exact
    assert reading.rows is not None and abs(reading.rows - 5000) < 50
    assert reading.unseen and "the first" in reading.how


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=8), st.sampled_from([None, 2]), st.booleans())
def test_an_array_read_piece_by_piece_is_the_array(rows: list[dict[str, Any]], indent: int | None, ascii: bool) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii).encode("utf-8", "replace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_bytes(text)
        found = list(text_tables.json_table([path]).sample(Wanted(100, 0, 10**6), Reading()))
    assert found == json.loads(text)
