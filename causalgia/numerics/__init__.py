"""Numerically stable moments, streaming sums and block-wise access to arrays."""
