# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "arxiv==4.0.2",
#   "httpx2==2.16.2",
#   "huggingface_hub==2.4.0",
#   "jsonschema==4.26.0",
#   "lxml==6.1.3",
#   "pillow==12.3.0",
#   "pyarrow==26.0.1",
#   "pypdf==7.1.0",
#   "pyyaml==6.0.3",
#   "tokenizers==0.23.3",
# ]
# ///
"""Take one machine-learning task through its thirteen phases: what to do next, and whether what was done holds."""

from mlresearch.cli import pipeline

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
