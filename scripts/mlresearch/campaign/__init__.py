"""A campaign: all experiments under one program.md. `rules` says what is needed next, the others do it.

rules      pure: what runs an experiment needs, when to stop, what to do next
opening    start: sealed data put away, sealed files hashed
planning   one experiment's plan, gated and stored before it runs
running    runs submitted, ended jobs collected
judging    analyse and decide: candidate, confirmed, refuted
closing    finalize: the sealed measurement, once
derived    runs/experiments.jsonl, runs/summary.md, runs/report.html from the ledger
loop       the whole campaign without a model: a sampler proposes
"""
