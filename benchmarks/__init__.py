"""Benchmarks: each prints a table and writes JSON. Run them from the checkout: ``python -m benchmarks.peers``."""
