"""Numbers in arrays: moments that keep their digits, running sums, rows on disk."""
