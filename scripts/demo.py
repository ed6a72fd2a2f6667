# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface_hub==2.4.0", "jsonschema==4.26.0", "optuna==5.0.0", "pyyaml==6.0.3", "rich==15.0.0"]
# ///
"""A campaign on real data on this machine, from nothing to a report."""

from mlresearch.cli import demo

if __name__ == "__main__":
    raise SystemExit(demo.run())
