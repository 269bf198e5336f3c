"""The statements of the founding paper, beside an oracle and trained networks."""
