"""The real Claude Code client, driven by a scripted model on loopback."""
