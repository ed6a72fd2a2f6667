"""Everything is killed at any moment; afterwards the books and reality must agree."""
