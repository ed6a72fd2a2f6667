"""Stands in uv's place for a local job: runs the job's script with this interpreter, which is that of the templates.

It takes uv's own words and uses the one behind --script. It leaves its process id in the job's folder. With
ADDRESS_SPACE in the job's environment that many bytes may be mapped beyond what the libraries hold. With LINGER a
script that failed stays until it is stopped, as a machine does that collects its logs.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    words = sys.argv[sys.argv.index("--script") + 1 :]
    Path("pid").write_text(str(os.getpid()))
    if extra := int(os.environ.get("ADDRESS_SPACE", "0")):
        server: Any = importlib.import_module("server")  # beside this file
        server.preload()
        server.confine(extra)
    sys.argv, sys.path[0] = words, os.path.dirname(os.path.abspath(words[0]))
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code and "LINGER" in os.environ:
            time.sleep(600)
        raise


if __name__ == "__main__":
    main()
