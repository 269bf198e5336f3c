"""Why a figure misses its target, by benchmark and name of the figure: a miss without a reason fails the tests."""

from __future__ import annotations

REASONS: dict[str, str] = {}
