"""Looks at a model without loading its weights: what it is, what memory it needs, where it fits.

place         where its files lie: on this machine, or on the Hub (sources.model_hub)
layout        which of the files are the model: transformers, adapter, sentence-transformers, GGUF
shape         config.json under one set of names
headers       safetensors headers: numbers by type
counting      how many parameters, and by which way it was found out
naming        a size in the name that the count contradicts
tokenizer     class, vocabulary, special tokens, chat template
activations   bytes that a layer keeps and needs
memory        the peak of inference, LoRA, QLoRA and full training
machines      flavors that hold it, cheapest first
answer        the whole, as data
wording       the whole, as text
"""
