# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx2==2.16.2", "huggingface_hub==2.4.0"]
# ///
"""Find code on GitHub, read files and notebooks by line, list repositories."""

from mlresearch.cli import code_search

if __name__ == "__main__":
    raise SystemExit(code_search.run())
