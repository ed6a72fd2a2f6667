"""Small real data sets to run a whole campaign on: `catalog` describes them, `prepare.py` writes their data.

Refuses to train or to decide anything: a task is what a person would write into program.md, and no more.
"""
