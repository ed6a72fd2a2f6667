"""Broker mode: the shell's side, the broker's side, and what is forged between them."""
