"""Broker mode: a process that a person started holds the token and runs the commands that the model's shell asks for.

`asking` is the shell's side, `serving` the broker's. They meet in ROOT/work/queue, where the model can write anything:
each request is untrusted, and is held to what the guard would allow of the same call. What was claimed and answered is
kept in the store, out of the model's reach, so that no request is executed twice.
"""
