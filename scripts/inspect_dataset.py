# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "httpx2==2.16.2",
#   "huggingface_hub==2.4.0",
#   "pillow==12.3.0",
#   "pyarrow==26.0.1",
#   "pyyaml==6.0.3",
#   "tokenizers==0.23.3",
# ]
# ///
"""Say what a data set holds and which training methods can use it, from the Hub or from this machine."""

from mlresearch.cli import inspect_dataset

if __name__ == "__main__":
    raise SystemExit(inspect_dataset.run())
