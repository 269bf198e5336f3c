"""Effects by a hierarchical model: both layers of noise, their sizes shared over elements."""

from __future__ import annotations

from causalgia.mpra.fitting.hierarchical.model import hierarchical

__all__ = ["hierarchical"]
