# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface_hub==2.4.0", "jsonschema==4.26.0", "pyyaml==6.0.3"]
# ///
"""Submit jobs inside the approved envelope, watch them, settle them."""

from mlresearch.cli import jobs

if __name__ == "__main__":
    raise SystemExit(jobs.run())
