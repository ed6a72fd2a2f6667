"""The commands that look things up, as data: what `surface` takes in. None of them books, spends or writes."""

from __future__ import annotations

from mlresearch.options import Option, Verb

PAPERS: tuple[Verb, ...] = ()

HF_DOCS: tuple[Verb, ...] = ()

CODE_SEARCH: tuple[Verb, ...] = ()

INSPECT_DATASET: tuple[Verb, ...] = ()

INSPECT_MODEL: tuple[Verb, ...] = ()
