"""Shared parts of the experiments: classes, settings, sequences, tiles, figures and
text.
"""
