"""One task through thirteen steps: a state machine that hands out briefs and accepts only results it could check."""
