"""Training of the networks that the zoo ships:
``python -m benchmarks.zoo_training --help``.
"""
