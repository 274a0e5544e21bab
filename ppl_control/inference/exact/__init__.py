"""Exact methods: one a file, the recursions they share beside them."""
