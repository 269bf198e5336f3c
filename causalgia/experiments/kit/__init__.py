"""Shared parts of the experiments: their class, answers, settings, sequences, tiles, figures and text."""
