"""The backends, tested with real jobs."""
