"""Hierarchical Bayesian effect sizes: what all the effects say about each, and how sure one may be."""

from __future__ import annotations
