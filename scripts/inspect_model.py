# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx2==2.16.2", "huggingface_hub==2.4.0"]
# ///
"""Say what a model is, what memory it needs to answer and to be trained, and which machines hold it."""

from mlresearch.cli import inspect_model

if __name__ == "__main__":
    raise SystemExit(inspect_model.run())
