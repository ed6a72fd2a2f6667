"""Starts the tracking of a template in several environments, with a recorder in Trackio's place, and prints its words.

python start_tracking.py TEMPLATE CASES.json      CASES: name → {"env": variables, "space": --trackio-space or null}
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

VARIABLES = ("SMOKE", "ML_RESEARCH_JOB", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID")


def told(template: str, folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(case["env"])
    recorder, words = types.ModuleType("trackio"), dict[str, Any]()
    vars(recorder)["init"] = lambda *_, **more: words.update(more)
    sys.modules["trackio"] = recorder
    args = argparse.Namespace(out=folder, output=folder, project="p", resume=False, trackio_space=case["space"])
    runpy.run_path(template, run_name="template")["start_tracking"](args)
    left = [name for name in VARIABLES[2:] if name in os.environ]
    return {"space_id": words["space_id"], "private": words["private"], "left": left}


def main() -> None:
    cases = json.loads(Path(sys.argv[2]).read_text())
    folder = Path(sys.argv[2]).parent
    print(json.dumps({name: told(sys.argv[1], folder, case) for name, case in cases.items()}))


if __name__ == "__main__":
    main()
