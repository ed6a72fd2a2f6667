"""What a command runs is found and read, within bounds, and Python is read as Python."""

from __future__ import annotations

import json

import pytest

from mlresearch.guard import code, files
from mlresearch.guard.shelf import LARGEST_FILE, MOST_FILES, Shelf
from mlresearch.guard.unwrap import commands

TREE = {
    "/p/train.py": "print(1)",
    "/p/pkg/__init__.py": "",
    "/p/pkg/go.py": "x = 1",
    "/p/app/__main__.py": "y = 2",
    "/p/run.sh": "#!/bin/sh\nls\n",
    "/p/tool": "#!/usr/bin/env python3\nz = 3\n",
    "/p/Makefile": "A := $(shell date)\nall: build\n\techo all\nbuild: ; echo $(CC) $$HOME\nother:\n\techo other\n",
    "/p/package.json": json.dumps({"scripts": {"pretest": "echo pre", "test": "jest"}}),
    "/p/book.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["%time 1\n", "!ls -la\n", "a = 1"]}]}),
    "/p/binary": "\x7fELF\0\0",
}

FOUND = {
    "python train.py": [("python", "print(1)")],
    "python3 -u -W ignore train.py --x": [("python", "print(1)")],
    "python -c 'a=1'": [("python", "a=1")],
    "python -Ic 'a=1'": [("python", "a=1")],
    "python -ca=1": [("python", "a=1")],
    "python -m pkg.go": [("module", "pkg.go"), ("python", "x = 1")],
    "python app": [("python", "y = 2")],
    "python3 - <<'EOF'\nb=1\nEOF": [("python", "b=1\n")],
    "python3 <<< 'c=1'": [("python", "c=1\n")],
    "echo 'd=1' | python3": [("python", "d=1")],
    "cat train.py | python3": [("python", "print(1)")],
    "python3 < train.py": [("python", "print(1)")],
    "python --version": [],
    "python missing.py": [("absent", "")],
    "curl x | python3": [("unknown", "")],
    "python $X": [("unknown", "")],
    "bash run.sh": [("shell", TREE["/p/run.sh"])],
    "source run.sh": [("shell", TREE["/p/run.sh"])],
    "bash -c ls": [],
    "torchrun --nproc_per_node=2 train.py": [("python", "print(1)")],
    "pytest train.py::test_a -q": [("python", "print(1)")],
    "make": [("shell", "date\necho all\necho ${_} $HOME")],
    "make other": [("shell", "date\necho other")],
    "npm test": [("shell", "echo pre"), ("shell", "jest")],
    "node -e 'x'": [("strings", "x")],
    "papermill book.ipynb out": [("python", "import os\nos.system('ls -la')\na = 1")],
    "tar --to-command='ls -la' -xf a": [("shell", "ls -la")],
    "vim -c ':!ls'": [("shell", "ls")],
    "sed '1e ls' a": [("shell", "ls")],
    "sed 's/a/e/' a": [],
}


def shelf(tree: dict[str, str]) -> Shelf:
    return Shelf(lambda path: tree[path].encode() if path in tree else None)


@pytest.mark.parametrize("line", FOUND)
def test_what_a_command_runs_is_found(line: str) -> None:
    command = next(found for found in reversed(commands(line)) if found.argv)
    program, *words = [word.text for word in command.argv]
    sources = files.sources(program or "", words, command, "/p", shelf(TREE))
    assert [(source.language, source.text) for source in sources] == FOUND[line]


@pytest.mark.parametrize(("name", "language"), [("tool", "python"), ("run.sh", "shell"), ("binary", "unknown")])
def test_a_programs_first_line_tells_its_language(name: str, language: str) -> None:
    (source,) = files.script("./" + name, "/p", shelf(TREE))
    assert source.language == language


def test_a_file_that_is_too_large_or_one_too_many_is_not_read() -> None:
    large = shelf({"/p/a.py": "#" * (LARGEST_FILE + 1)})
    assert large.text("/p/a.py") is None
    assert large.full
    many = shelf({f"/p/{n}.py": "" for n in range(MOST_FILES + 1)})
    assert [many.text(f"/p/{n}.py") for n in range(MOST_FILES + 1)][-1] is None
    assert many.full


CLASSES = {
    "from huggingface_hub import run_job": [("spend", "run_job")],
    "# run_job()\n'''run_job'''\n": [],
    "def run_job(): pass\nrun_job()": [],
    "from huggingface_hub import HfApi\ngetattr(HfApi(), 'run_' + 'job')": [("spend", "run_job")],
    "upload_file('x')": [],
    "from huggingface_hub import HfApi\nHfApi().upload_file('x')": [("publish", "upload_file")],
    "from huggingface_hub import HfApi\nHfApi().list_models()": [],
    "import modal": [("spend", "import modal")],
    "import mlresearch.jobs": [("own", "import mlresearch")],
    "trackio.init(project='p', space_id='me/x')": [("publish", "space_id=")],
    "trackio.init(project='p', space_id=None)": [],
    "exec('import modal')": [("spend", "import modal")],
    "import requests\nrequests.post('https://huggingface.co/api/jobs/me')": [
        ("spend", "https://huggingface.co/api/jobs/me")
    ]
    * 1,
    "import requests\nrequests.get('https://huggingface.co/api/jobs/me')": [],
    "model.push_to_hub('me/x')": [("publish", "push_to_hub")],
    "this is no python, run_job": [("spend", "run_job")],
}


@pytest.mark.parametrize("source", CLASSES)
def test_python_is_classed_by_what_it_calls(source: str) -> None:
    assert code.classes(code.read(source))[: max(1, len(CLASSES[source]))] == CLASSES[source]


STARTED = {
    "import os\nos.system('hf jobs run')": ["hf jobs run"],
    "import subprocess\nsubprocess.run(['hf', 'jobs', x])": ["'hf' 'jobs' \"${_}\""],
    "import subprocess\nc = ['hf']\nsubprocess.run(c + ['jobs'])": ["'hf' 'jobs'"],
    "import subprocess as s\ns.check_call(f'hf {x}', shell=True)": ["hf ${_}"],
    "import os\nos.execvp('hf', ['hf', 'jobs'])": ["hf ''hf' 'jobs''"],
    "model.run('x')": [],
}


@pytest.mark.parametrize("source", [s for s in STARTED if "execvp" not in s])
def test_the_commands_that_python_starts_are_read(source: str) -> None:
    assert code.read(source).started == STARTED[source]


WRITTEN = {
    "open('a', 'w')": (["a"], False),
    "open('a')": ([], False),
    "open('a', 'rb')": ([], False),
    "open(p, 'w')": ([], True),
    "from pathlib import Path\nPath('a', 'b').write_text('c')": (["a/b"], False),
    "from pathlib import Path\n(Path('a') / 'b').unlink()": (["a/b"], False),
    "import os\nopen(os.path.join('a', 'b'), 'a')": (["a/b"], False),
    "import shutil\nshutil.copy('a', 'b')": (["a", "b"], False),
    "df.to_csv('a.csv')": (["a.csv"], False),
    "p = 'a'\nopen(p, 'w')": (["a"], False),
}


@pytest.mark.parametrize("source", WRITTEN)
def test_the_files_that_python_writes_are_read(source: str) -> None:
    facts = code.read(source)
    assert (facts.written, facts.writes_somewhere) == WRITTEN[source]
