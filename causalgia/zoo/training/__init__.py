"""The script that made the trained networks: ``python -m causalgia.zoo.training --help``."""
