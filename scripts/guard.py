# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""Hook entry of the guard. Runs isolated (`python3 -I -S`), so it puts its own folder on the path."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mlresearch.guard.hook import main

sys.exit(main())
