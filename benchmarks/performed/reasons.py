"""Why a figure misses its target, by the name of the figure: a missed target without a reason fails the tests."""

from __future__ import annotations

REASONS: dict[str, str] = {}
