"""What the repository promises about its own files, as functions from a checkout to a list of faults."""
