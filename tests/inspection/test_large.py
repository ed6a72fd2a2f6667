"""Data that does not fit in memory: the count is exact, the sample is small, and memory stays where it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import compute, parquet

from mlresearch.inspection import answer

SCRIPT = Path(answer.__file__).parents[2] / "inspect_dataset.py"
# The interpreter with pyarrow alone takes about 100 MiB; 1 million rows of these would take 250 MiB more, and 10
# million 2.5 GiB.
MOST_MIB = 320
MILLION = 1_000_000


def write(path: Path, rows: int, group_rows: int) -> None:
    """Rows of about 200 bytes, no two alike; the label is sorted, so that leading rows would show one class only."""
    with parquet.ParquetWriter(path, _rows(0, 1, rows).schema) as writer:
        for begin in range(0, rows, 250_000):
            writer.write_table(_rows(begin, min(250_000, rows - begin), rows), row_group_size=group_rows)


def _rows(begin: int, count: int, total: int) -> pyarrow.Table:
    place = pyarrow.array(range(begin, begin + count), pyarrow.int64())
    text = compute.binary_join_element_wise(compute.cast(place, pyarrow.string()), "word " * 38, " ")
    label = compute.cast(compute.divide(compute.multiply(place, 4), total), pyarrow.int8())
    return pyarrow.table({"id": place, "text": text, "label": label})


# A process counts the memory of whoever forked it, so that a small one stands between the tests and the command.
BETWEEN = """import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stdout.decode(), used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""


def measured(*words: str) -> tuple[dict[str, Any], float, float]:
    """The command in a process of its own: its answer, the most memory it had in MiB, and its seconds of work.

    Work, not the clock: what else the machine does must not matter here.
    """
    command = [sys.executable, "-c", BETWEEN, sys.executable, str(SCRIPT), "show", *words, "--json"]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    code, out, memory, work_s = json.loads(told)
    assert code == 0
    unit = 1 if sys.platform == "darwin" else 1024
    return json.loads(out), memory * unit / 2**20, work_s


def check(data: dict[str, Any], rows: int) -> None:
    split = data["splits"][0]
    assert (split["rows"], split["rows_are"], split["rows_read"]) == (rows, "exact", 10_000)
    assert data["duplicates"]["scope"].startswith("the sampled rows only")
    assert data["columns"]["train"]["label"]["distinct"] == 4
    assert data["verdicts"]["classification"]["verdict"] == "compatible"


@pytest.mark.parametrize("group_rows", [100_000, 250_000])
def test_a_million_rows_are_sampled_over_their_whole_length_in_flat_memory(tmp_path: Path, group_rows: int) -> None:
    write(tmp_path / "train.parquet", MILLION, group_rows)
    data, memory_mib, _ = measured("--dataset", str(tmp_path / "train.parquet"))
    check(data, MILLION)
    assert data["splits"][0]["how"] == "10000 rows drawn uniformly from all rows (seed 0)"
    assert memory_mib < MOST_MIB


def test_ten_million_rows_answer_within_half_a_minute_in_flat_memory(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", 10 * MILLION, 250_000)
    data, memory_mib, seconds = measured("--dataset", str(tmp_path / "train.parquet"))
    check(data, 10 * MILLION)
    assert "row groups (drawn by the seed)" in data["splits"][0]["not_seen"][0]
    assert memory_mib < MOST_MIB
    assert seconds <= 30


def test_a_file_of_one_great_row_group_is_read_page_by_page(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", MILLION // 4, MILLION)
    _, memory_mib, _ = measured("--dataset", str(tmp_path / "train.parquet"), "--sample", "100")
    assert memory_mib < MOST_MIB


@pytest.mark.long
def test_lines_of_a_gigabyte_are_sampled_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    line = json.dumps({"text": "word " * 200}) + "\n"
    with open(path, "w") as file:
        for _ in range(1000):
            file.write(line * 1000)
    data, memory_mib, seconds = measured("--dataset", str(path))
    assert data["splits"][0]["rows_are"] == "estimated"
    assert abs(data["splits"][0]["rows"] - MILLION) < 1000
    assert memory_mib < MOST_MIB
    assert seconds <= 30
