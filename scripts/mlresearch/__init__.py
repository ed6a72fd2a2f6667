"""The package behind the plugin's scripts: everything that must not depend on a model's goodwill.

Read in this order: `program` (the contract a person fills in), `envelope` and `ledger` (what may be spent, what was),
`jobs` and `backends` (where it runs), `campaign` (what to do next), `guard` (what a session may not do), `report`.
Only `cli` prints. This module imports nothing.
"""
