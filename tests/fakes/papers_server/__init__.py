"""Hugging Face papers, arXiv, Semantic Scholar and OpenAlex on a loopback port: a small library in their shapes.

From tests/: `python -m fakes.papers_server --port 0` prints the variables that lead papers.py to it, and serves until
it is ended. A service can be made to fail in each of `KINDS`.
"""

from __future__ import annotations

from fakes.papers_server.faults import KINDS, Fault
from fakes.papers_server.server import SERVICES, PapersServer

__all__ = ["KINDS", "SERVICES", "Fault", "PapersServer"]
