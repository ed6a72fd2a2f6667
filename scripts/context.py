# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""Hook entry: tells a session where its campaign stands. Runs isolated, so it puts its own folder on the path."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mlresearch.guard import context

if __name__ == "__main__":
    raise SystemExit(context.main())
