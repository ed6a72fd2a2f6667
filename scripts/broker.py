# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface_hub==2.4.0", "jsonschema==4.26.0", "optuna==5.0.0", "pyyaml==6.0.3", "rich==15.0.0"]
# ///
"""A person starts it in their own terminal: it holds the token and runs what the model's shell asks for."""

from mlresearch.cli import broker

if __name__ == "__main__":
    raise SystemExit(broker.run())
