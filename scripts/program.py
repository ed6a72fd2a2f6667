# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface_hub==2.4.0", "jsonschema==4.26.0", "pyyaml==6.0.3"]
# ///
"""Write, check, show, approve and revoke program.md, the contract of a campaign."""

from mlresearch.cli import program

if __name__ == "__main__":
    raise SystemExit(program.run())
