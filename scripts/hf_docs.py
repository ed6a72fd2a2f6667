# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx2==2.16.2", "huggingface_hub==2.4.0"]
# ///
"""Find and read the documentation of Hugging Face libraries and the reference of the Hub's REST API."""

from mlresearch.cli import hf_docs

if __name__ == "__main__":
    raise SystemExit(hf_docs.run())
