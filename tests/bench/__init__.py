"""Ratio benchmarks, run by hand: each prints what grows with the ledger and what does not."""
