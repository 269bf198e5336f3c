"""Is it calibrated? Every statistical promise, checked over repeated trials:
`python benchmarks/validate.py`.
"""
