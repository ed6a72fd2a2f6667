"""Runs in the job's container as `python3 -c`: unpacks the files sent by value, then becomes the job.

Standard library of Python 3.8, because the image may be any. Nothing here may hold a dollar sign: a cluster expands
such references in the command of a container. The arguments travel in the payload for that reason.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import zlib


def main(pieces: list[str]) -> None:
    sent = json.loads(zlib.decompress(base64.b64decode("".join(pieces))))
    home = tempfile.mkdtemp(prefix="ml-research-")
    for path, content in sent["files"]:
        target = os.path.join(home, "src", path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content.encode("latin-1"))
    os.makedirs(os.path.join(home, "out"))
    os.chdir(os.path.join(home, "out"))
    os.environ["ML_RESEARCH_OUT"] = os.getcwd()
    command = sent["command"]
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit("ml-research: the image has no " + command[0] + "; choose one that has it")


if __name__ == "__main__":
    main(sys.argv[1:])
