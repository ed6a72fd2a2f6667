# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx2==2.16.2", "huggingface_hub==2.4.0"]
# ///
"""List and read repositories on the Hub; upload and delete inside the approved envelope."""

from mlresearch.cli import hub

if __name__ == "__main__":
    raise SystemExit(hub.run())
