"""Prints the verdicts of the guard and of one that matches text, side by side for every class of the corpora.

PYTHONPATH=scripts:tests python tests/bench/bench_peer.py
"""

from __future__ import annotations

from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parents[1] / "guard" / "test_peer_table.py"


def main() -> int:
    """Run the comparison's test, which prints the table: its projects are the tests' own."""
    return pytest.main(["-q", "-s", "-k", "covers_every_class", str(TEST)])


if __name__ == "__main__":
    raise SystemExit(main())
