"""Looks at a data set without loading it: layout, schema, a stated sample, what the sample shows, what it is fit for.

features      the type of a column, nested, from Arrow, from the Hub or from values
tables        rows of one split: how many, and a seeded sample of them
arrow_tables  the same for parquet and Arrow files, local or read by range
text_tables   the same for json and lines, which tell their row count only when read
json_stream   a JSON array item by item
csv_table     the same for csv
media_table   the same for a folder of pictures or sounds
layout        configs and splits, wherever the data lies
local         what lies under a path
remote        what lies on the Hub
media         pictures and sounds by their headers
columns       one pass over sampled values: nulls, classes, lengths, broken JSON
chat          what conversations hold: roles, turns, tools
tokens        token lengths
spread        quantiles and histograms
audit         one pass over sampled rows: columns, duplicates
kinds         what a column can serve as
ways          how a column that a method reads can be had
verdict       which training method can use it, and the mapping that would fix it
conversions   the code of such a mapping
picture       distributions as PNG
answer        the whole, as data
wording       the whole, as text
"""
