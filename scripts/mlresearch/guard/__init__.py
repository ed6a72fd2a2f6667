"""The guard: reads what a tool call would run and decides on it; imported by the hook, so standard library only."""
