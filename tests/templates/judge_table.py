"""Calls the pure judging functions of a template on a table, and prints what they say as JSON.

python judge_table.py TEMPLATE TABLE.json      TABLE: a list of [function, arguments]
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    template = runpy.run_path(sys.argv[1], run_name="template")
    told = [template[name](*arguments) for name, arguments in json.loads(Path(sys.argv[2]).read_text())]
    print(json.dumps({"told": told}))


if __name__ == "__main__":
    main()
