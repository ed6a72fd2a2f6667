"""What a campaign found, for people: `summary` in Markdown, `page` in HTML, both told from ledger rows alone.

`fold` reads the rows once into a `story`; `wording` holds every number's form; `plots` draws. Nothing here
decides, measures or reads a file, and no score is computed that a row already holds.
"""
