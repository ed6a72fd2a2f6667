# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface_hub==2.4.0", "jsonschema==4.26.0", "optuna==5.0.0", "pyyaml==6.0.3", "rich==15.0.0"]
# ///
"""The verbs of a campaign, one step each; run takes all of them with a sampler."""

from mlresearch.cli import campaign

if __name__ == "__main__":
    raise SystemExit(campaign.run())
