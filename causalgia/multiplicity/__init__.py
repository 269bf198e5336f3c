"""Many questions: p-values, bands and intervals that hold together, within families declared beforehand."""

from __future__ import annotations

from causalgia.multiplicity.adjusting import adjust

__all__ = ["adjust"]
