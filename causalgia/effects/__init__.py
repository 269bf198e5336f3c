"""From outcomes to individual causal effects: contrasts of arms on a named scale."""

from __future__ import annotations

from causalgia.effects.contrasting import contrast

__all__ = ["contrast"]
